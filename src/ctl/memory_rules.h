/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which value vm.min_free_kbytes should have, and whether it can be raised now.
 * Pure functions; all numbers are in KiB.
 */
#ifndef CTL_MEMORY_RULES_H
#define CTL_MEMORY_RULES_H

#include <stdbool.h>

/*
 * The kernel's documentation: with less the system becomes subtly broken, and
 * prone to deadlock under load.
 */
#define MIN_FREE_FLOOR	1024

/*
 * The recommended value is 1/256 of memory, at most 512 MiB, which is reached
 * at 128 GiB. It is never below the kernel's default of 4 * sqrt(memory), nor
 * below the floor.
 */
unsigned long min_free_recommended(unsigned long memory);

/*
 * More than this wastes memory: 5 % of memory, but at most 1 GiB up to 40 GiB
 * of memory, and at most 1/40 above.
 */
unsigned long min_free_ceiling(unsigned long memory);

enum min_free_verdict {
	MIN_FREE_FINE,
	MIN_FREE_BROKEN,	/* under the floor */
	MIN_FREE_LOW,		/* under half of what is recommended */
	MIN_FREE_WASTE,		/* over the ceiling */
};

enum min_free_verdict min_free_judge(unsigned long min_free,
				     unsigned long memory);

/* The value that "auto" sets: a larger one below the ceiling is kept. */
unsigned long min_free_auto(unsigned long min_free, unsigned long memory);

/*
 * The sum of all zones' high watermarks for a value. kswapd frees memory until
 * they are reached. @scale is vm.watermark_scale_factor, in 1/10,000 of memory.
 */
unsigned long min_free_high(unsigned long min_free, unsigned long memory,
			    unsigned long scale);

/* The values of /proc/meminfo that decide whether a raise is possible. */
struct memory_figures {
	unsigned long total;
	unsigned long free;
	unsigned long inactive_file;
	unsigned long dirty;
	unsigned long writeback;
	unsigned long scale;	/* vm.watermark_scale_factor */
};

/*
 * Memory that kswapd can free easily: half of the clean, inactive page cache.
 * At most three times the free memory counts, since freeing more takes longer
 * than a burst of allocations takes to arrive.
 */
unsigned long min_free_reclaimable(const struct memory_figures *memory);

struct raise {
	unsigned long reclaimable;
	unsigned long high;	/* the new high watermarks */
	unsigned long needed;	/* 5/4 of @high, and 4 MiB */
	bool possible;
};

struct raise min_free_raise(unsigned long min_free,
			    const struct memory_figures *memory);

/*
 * The next value on the way up from @now to @target: 1/8 more. The new min
 * watermark is then below the old low watermark (5/4 of min), so while free
 * memory is over low the step sends no allocation into direct reclaim.
 */
unsigned long min_free_step(unsigned long now, unsigned long target);

#endif /* CTL_MEMORY_RULES_H */
