/* SPDX-License-Identifier: GPL-2.0 */
/* Disks whose blocks come over the network, whoever's they are. */
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
	char name[64];		/* nbd0; of NFS the swap file */
	char server[64];	/* its address; empty: not known */
	bool swap;		/* swapped on, itself or what is made of it */
};

struct netdisks {
	int nr;
	struct netdisk disks[NETDISK_MAX];
};

/*
 * All that are swapped on, below partitions, LVM, md and dm-crypt as well; and
 * ballast's and connected nbd disks that are not.
 */
void netdisks_find(struct netdisks *disks);

/* "in-tree nbd" */
const char *netdisk_kind_name(enum netdisk_kind kind);

/* Whether any is swapped on. */
bool netdisks_swap(const struct netdisks *disks);

/* Whether there is one that only a guard protects. */
bool netdisks_foreign(const struct netdisks *disks);

#endif
