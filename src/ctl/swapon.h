/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_SWAPON_H
#define BALLASTCTL_SWAPON_H

#include <stdbool.h>

struct swapon {
	bool encrypt;
	bool discard;	/* tell the disk which pages are free */
	bool take;	/* a swap of another machine, too */
	bool quiet;	/* print nothing but errors */
	bool formatted;	/* set by swapon_disk: mkswap was run */
	int priority;	/* -1: the kernel chooses one */
};

/*
 * Swap to a disk, which becomes a swap of this machine first unless it is one.
 * FINE; or after reporting why not FAILED, or REFUSED for what the disk holds.
 * Then the disk is not in use.
 */
int swapon_disk(struct swapon *options, const char *disk);

#endif
