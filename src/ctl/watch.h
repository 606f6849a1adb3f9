/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_WATCH_H
#define BALLASTCTL_WATCH_H

#include <stdbool.h>

#include "disk.h"
#include "memory.h"
#include "reserve.h"

#define WATCH_MAX 32	/* disks, and reserves; more are not looked at */

/* fresh: seen for the first time, so that there are no rates yet. */
struct watched_disk {
	struct disk disk;
	struct disk_stat before;
	bool fresh;
};

struct watched_reserve {
	struct reserve reserve;
	long long before[RESERVE_NR_FIELDS];
	bool fresh;
};

/* Two looks at everything, @seconds apart. Static, since it is large. */
struct watch {
	struct watched_disk disks[WATCH_MAX];
	int nr_disks;
	struct watched_reserve reserves[WATCH_MAX];
	int nr_reserves;
	struct memory memory;
	double seconds;
	double looked_at;
	bool incomplete;	/* there are more than WATCH_MAX */
};

/*
 * Take a look. Does not allocate, and opens files only of disks and reserves
 * that it has not seen, which it looks for while there is memory.
 */
void watch_look(struct watch *watch);

/* Each second, of what changed by @now - @before. */
double watch_rate(const struct watch *watch, double now, double before);

/* Seconds of a clock that nobody sets. */
double watch_clock(void);

#endif
