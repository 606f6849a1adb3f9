/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_SWAPS_H
#define BALLASTCTL_SWAPS_H

#include <stdbool.h>

/* A line of /proc/swaps. */
struct swap {
	char path[160];	/* /dev/mapper/ and a name of up to 127 bytes */
	long long size_kib;
	long long used_kib;
	int priority;
	bool encrypted;	/* it is on the mapping of crypt.h */
	bool stacked; /* it is on LVM, md or another mapping over the disk */
};

/*
 * Whether a disk, a partition of it, its encryption or a device over it is a
 * swap; if so, fill in @swap.
 */
bool swap_find(const char *disk, struct swap *swap);

/* Write the member "swap" of a disk's JSON; null if @swap is NULL. */
void swap_json(const struct swap *swap);

/* Whether @device ("ballast0p1") is @disk ("ballast0") or a partition of it. */
bool is_of_disk(const char *device, const char *disk);

#endif
