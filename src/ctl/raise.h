/* SPDX-License-Identifier: GPL-2.0 */
/* Raising vm.min_free_kbytes on a busy machine. */
#ifndef BALLASTCTL_RAISE_H
#define BALLASTCTL_RAISE_H

enum raise_end {
	RAISE_DONE,
	RAISE_RECLAIM,		/* direct reclaim began */
	RAISE_SLOW,		/* kswapd did not free the memory in time */
	RAISE_INTERRUPTED,	/* by a signal */
	RAISE_FAILED,		/* a file can't be read or written: errno */
};

struct raise_report {
	unsigned long reached;	/* the highest value that was set */
	int steps;
	long long stalls;	/* allocations that reclaimed in this time */
	long long direct;	/* pages that they scanned */
};

/*
 * Raise the value in steps from @from, the current one, to @target. If it ends
 * early, @from is restored, unless it returns RAISE_FAILED.
 */
enum raise_end raise_min_free(unsigned long from, unsigned long target,
			      struct raise_report *report);

/* 0 or -errno. */
int set_min_free(unsigned long value);

#endif
