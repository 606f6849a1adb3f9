/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_WATCH_H
#define BALLASTCTL_WATCH_H

#include <stdbool.h>

#include "disk.h"
#include "memory.h"
#include "reserve.h"

#define WATCH_MAX 32	/* of disks, and of reserves; more are not shown */

/* fresh: sampled for the first time, so it has no rates yet. */
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

struct disk_rates {
	double requests[2]; /* per second, by enum disk_direction */
	double bytes[2];
	double latency; /* ms; below 0: no request was completed */
};

/* Two samples of everything, @seconds apart. Make it static: it is large. */
struct watch {
	struct watched_disk disks[WATCH_MAX];
	int nr_disks;
	struct watched_reserve reserves[WATCH_MAX];
	int nr_reserves;
	struct memory memory;
	double seconds;
	double looked_at;
	char guarded[512];	/* names, each after a space */
	bool incomplete;	/* there are more than WATCH_MAX */
};

/*
 * Take a sample. It does not allocate memory. It looks for new disks and
 * reserves, and opens their files, only while free memory is over high.
 */
void watch_look(struct watch *watch);

/* The rate per second of a counter that changed from @before to @now. */
double watch_rate(const struct watch *watch, double now, double before);

void watch_rate_disk(const struct watch *watch, const struct watched_disk *disk,
		     struct disk_rates *rates);

/* Seconds of the monotonic clock. */
double watch_clock(void);

#endif
