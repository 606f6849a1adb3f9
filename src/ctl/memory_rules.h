/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What vm.min_free_kbytes should be, and whether it can be raised now. Pure
 * functions of numbers; all are KiB.
 */
#ifndef CTL_MEMORY_RULES_H
#define CTL_MEMORY_RULES_H

#include <stdbool.h>

/*
 * The kernel's documentation: with less the system is subtly broken, and
 * prone to deadlock under load.
 */
#define MIN_FREE_FLOOR	1024

/*
 * Recommended is a 256th of memory, 512 MiB at most, which is what it is at
 * 128 GiB and above; never less than what the kernel sets by itself,
 * 4 * sqrt(memory), nor than the floor.
 */
unsigned long min_free_recommended(unsigned long memory);

/*
 * More is a waste: 5 % of memory, but not over 1 GiB up to 40 GiB, and not
 * over a fortieth above.
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

/* What "auto" makes of it: a value that is in order stays. */
unsigned long min_free_auto(unsigned long min_free, unsigned long memory);

/*
 * The high watermarks of all zones together that follow from a value; @scale
 * is vm.watermark_scale_factor, in 10,000ths of memory. kswapd frees until
 * they are reached.
 */
unsigned long min_free_high(unsigned long min_free, unsigned long memory,
			    unsigned long scale);

/* The figures of /proc/meminfo that a raise is judged by. */
struct memory_figures {
	unsigned long total;
	unsigned long free;
	unsigned long inactive_file;
	unsigned long dirty;
	unsigned long writeback;
	unsigned long scale;	/* vm.watermark_scale_factor */
};

/*
 * What kswapd can free without effort: half of the page cache that is clean
 * and inactive. Counted at three times the free memory at most, since the
 * rest of it takes longer to free than a burst of allocations takes to come.
 */
unsigned long min_free_reclaimable(const struct memory_figures *memory);

struct raise {
	unsigned long reclaimable;
	unsigned long high;	/* the new high watermarks */
	unsigned long needed;	/* those and a quarter, and 4 MiB */
	bool possible;
};

struct raise min_free_raise(unsigned long min_free,
			    const struct memory_figures *memory);

/*
 * The next value on the way up from @now to @target. An eighth more, so that
 * the new min watermark lies under the old low one (5/4 of min): where free
 * memory is over low, no allocation is sent into direct reclaim by the step.
 */
unsigned long min_free_step(unsigned long now, unsigned long target);

#endif /* CTL_MEMORY_RULES_H */
