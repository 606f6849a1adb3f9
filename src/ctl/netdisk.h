/* SPDX-License-Identifier: GPL-2.0 */
/* Network disks of all kinds. */
#ifndef BALLASTCTL_NETDISK_H
#define BALLASTCTL_NETDISK_H

#include <stdbool.h>

#define NETDISK_MAX 64

enum netdisk_kind {
	NETDISK_BALLAST,
	NETDISK_NBD,
	NETDISK_NVME_TCP,
	NETDISK_ISCSI,
	NETDISK_NFS,
};

struct netdisk {
	enum netdisk_kind kind;
	char name[64];		/* nbd0; for NFS the swap file */
	char server[64];	/* address; empty: not known */
	bool swap;		/* it, or a device on top of it, is a swap */
};

struct netdisks {
	int nr;
	struct netdisk disks[NETDISK_MAX];
};

/*
 * Find all that are used as swap, also below partitions, LVM, md and dm-crypt;
 * and all disks of ballast and connected nbd disks.
 */
void netdisks_find(struct netdisks *disks);

/* "in-tree nbd" */
const char *netdisk_kind_name(enum netdisk_kind kind);

/* Whether any is used as swap. */
bool netdisks_swap(const struct netdisks *disks);

/* Whether there is one of another driver: only a guard protects these. */
bool netdisks_foreign(const struct netdisks *disks);

#endif
