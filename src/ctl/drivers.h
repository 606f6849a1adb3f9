/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DRIVERS_H
#define BALLASTCTL_DRIVERS_H

enum refill {
	REFILL_UNKNOWN,
	REFILL_PLAIN,		/* GFP_ATOMIC: fails below 3/8 of min */
	REFILL_RESERVES,	/* __GFP_MEMALLOC, with swap on a network */
};

/* How a network driver refills its receive ring. */
enum refill driver_refill(const char *driver);

#endif
