/* SPDX-License-Identifier: GPL-2.0 */
/* Stacked devices: partitions, LVM, md and dm-crypt. */
#ifndef BALLASTCTL_STACK_H
#define BALLASTCTL_STACK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Get the kernel's name, "dm-0", of the mapping called @name, if it is in
 * @directory: /sys/block, or a disk's holders.
 */
bool stack_mapping(const char *name, char *device, size_t size,
		   const char *directory);

/*
 * Get the kernel's name, "dm-0", of the device with a path in /dev, which may be
 * a link; false: @path is no such device.
 */
bool stack_device(const char *path, char *device, size_t size);

/*
 * Call @fn for each disk under a device of /sys/block or a partition, until it
 * returns false. A device that is not stacked is its own disk.
 */
void stack_each_disk(const char *device,
		     bool (*fn)(const char *disk, void *data), void *data);

/* Is @disk one of them? */
bool stack_is_on(const char *device, const char *disk);

#endif
