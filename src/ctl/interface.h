/* SPDX-License-Identifier: GPL-2.0 */
/* Physical network interfaces that are up. */
#ifndef BALLASTCTL_INTERFACE_H
#define BALLASTCTL_INTERFACE_H

#include <stdbool.h>

#define INTERFACE_MAX 32

struct interface {
	char name[16];
	char driver[32];	/* empty: not known */
	bool reserve;		/* it has a reserve of ballast, for a disk */
	long long size_pages;	/* of the reserve */
	int rx_queues;
};

/* Fill in at most @max interfaces; returns their number or -errno. */
int interfaces_find(struct interface *interfaces, int max);

/* Whether ballast guards any interface. */
bool interfaces_guarded(void);

#endif
