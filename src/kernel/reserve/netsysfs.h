/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The directory of a reserve in sysfs.
 */
#ifndef BALLAST_NETSYSFS_H
#define BALLAST_NETSYSFS_H

struct ballast_reserve;

int ballast_netsysfs_add(struct ballast_reserve *res);
void ballast_netsysfs_remove(struct ballast_reserve *res);
void ballast_netsysfs_notify(void);

#endif /* BALLAST_NETSYSFS_H */
