/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk's directory of files, /sys/block/ballastN/ballast/.
 */
#ifndef BALLAST_SYSFS_H
#define BALLAST_SYSFS_H

#include <linux/types.h>

/* Characters of a rejected value that the log shows. */
#define BALLAST_SYSFS_LOGGED	64

struct ballast_disk;

char *ballast_sysfs_string(const char *disk, const char *file, const char *buf,
			   size_t len);

int ballast_sysfs_add(struct ballast_disk *disk);
void ballast_sysfs_remove(struct ballast_disk *disk);
void ballast_sysfs_notify(struct ballast_disk *disk);
void ballast_sysfs_free(struct ballast_disk *disk);

#endif /* BALLAST_SYSFS_H */
