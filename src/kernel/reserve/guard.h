/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guards: reserve and filter for disks of other drivers, such as in-tree nbd,
 * iSCSI, NVMe/TCP and swap on NFS.
 */
#ifndef BALLAST_GUARD_H
#define BALLAST_GUARD_H

#include <linux/types.h>

struct ballast_options;

int ballast_guard_init(void);
void ballast_guard_exit(void);
ssize_t ballast_guard_list(char *buf);
int ballast_guard_begin(const char *name, const struct ballast_options *opts,
			bool replace);
int ballast_guard_end(const char *name);

#endif /* BALLAST_GUARD_H */
