/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_SWAPON_H
#define BALLASTCTL_SWAPON_H

#include <stdbool.h>

struct swapon {
	bool encrypt;
	bool discard;	/* tell the disk which pages are free */
	bool take;	/* accept a swap of another machine */
	bool quiet;	/* print nothing but errors */
	bool formatted;	/* set by swapon_disk: mkswap was run */
	int priority;	/* -1: the kernel chooses one */
};

/*
 * Swap to a disk, after making it a swap of this machine unless it is one.
 * FINE; or, after reporting why, FAILED, or REFUSED because of the disk's
 * content: then the disk is not in use.
 */
int swapon_disk(struct swapon *options, const char *disk);

#endif
