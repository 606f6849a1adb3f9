/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sockets that capture packets: AF_PACKET, all protocols. They receive a packet
 * before the ingress filter does. A packet socket of one protocol receives it
 * after the filter.
 */
#ifndef BALLASTCTL_CAPTURES_H
#define BALLASTCTL_CAPTURES_H

#include <stdbool.h>

#define CAPTURES_MAX 256

struct capture {
	unsigned int inode;
	unsigned int interface;	/* its index; 0: all */
	long long held;		/* bytes of unread packets */
	long long limit;	/* bytes that it may hold; if unknown, held */
};

struct captures {
	int nr;
	struct capture captures[CAPTURES_MAX];
};

/*
 * Find those of this network namespace, at most CAPTURES_MAX. A kernel without
 * packet_diag does not report their limits.
 */
void captures_find(struct captures *captures);

#endif
