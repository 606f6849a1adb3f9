/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk's directory of files, /sys/block/ballastN/ballast/.
 */
#ifndef BALLAST_SYSFS_H
#define BALLAST_SYSFS_H

struct ballast_disk;

int ballast_sysfs_add(struct ballast_disk *disk);
void ballast_sysfs_remove(struct ballast_disk *disk);
void ballast_sysfs_notify(struct ballast_disk *disk);
void ballast_sysfs_free(struct ballast_disk *disk);

#endif /* BALLAST_SYSFS_H */
