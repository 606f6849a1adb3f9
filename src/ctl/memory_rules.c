// SPDX-License-Identifier: GPL-2.0
/*
 * Rules for vm.min_free_kbytes, see memory_rules.h.
 */
#include "memory_rules.h"

#define MIB	1024UL
#define GIB	(1024 * MIB)

static unsigned long smaller(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

static unsigned long larger(unsigned long a, unsigned long b)
{
	return a > b ? a : b;
}

/* Avoids linking libm, which is larger than this. */
static unsigned long square_root(unsigned long n)
{
	unsigned long root = n, next = (n + 1) / 2;

	while (next < root) {
		root = next;
		next = (root + n / root) / 2;
	}
	return root;
}

unsigned long min_free_recommended(unsigned long memory)
{
	unsigned long kernels = 4 * square_root(memory);
	unsigned long part = smaller(memory / 256, 512 * MIB);

	return larger(MIN_FREE_FLOOR, larger(kernels, part));
}

unsigned long min_free_ceiling(unsigned long memory)
{
	unsigned long ceiling = smaller(memory / 20,
					larger(GIB, memory / 40));

	return larger(MIN_FREE_FLOOR, ceiling);
}

enum min_free_verdict min_free_judge(unsigned long min_free,
				     unsigned long memory)
{
	if (min_free < MIN_FREE_FLOOR)
		return MIN_FREE_BROKEN;
	if (min_free > min_free_ceiling(memory))
		return MIN_FREE_WASTE;
	if (min_free < min_free_recommended(memory) / 2)
		return MIN_FREE_LOW;
	return MIN_FREE_FINE;
}

unsigned long min_free_auto(unsigned long min_free, unsigned long memory)
{
	unsigned long recommended = min_free_recommended(memory);

	if (min_free_judge(min_free, memory) == MIN_FREE_WASTE)
		return recommended;
	return larger(min_free, recommended);
}

unsigned long min_free_high(unsigned long min_free, unsigned long memory,
			    unsigned long scale)
{
	/* the distance from min to low, and from low to high */
	unsigned long gap = larger(min_free / 4, memory / 10000 * scale);

	return min_free + 2 * gap;
}

unsigned long min_free_reclaimable(const struct memory_figures *memory)
{
	unsigned long busy = memory->dirty + memory->writeback;

	if (memory->inactive_file <= busy)
		return 0;
	return smaller((memory->inactive_file - busy) / 2, 3 * memory->free);
}

struct raise min_free_raise(unsigned long min_free,
			    const struct memory_figures *memory)
{
	struct raise raise = {
		.reclaimable = min_free_reclaimable(memory),
		.high = min_free_high(min_free, memory->total, memory->scale),
	};

	raise.needed = raise.high + raise.high / 4 + 4 * MIB;
	raise.possible = memory->free + raise.reclaimable >= raise.needed;
	return raise;
}

unsigned long min_free_step(unsigned long now, unsigned long target)
{
	if (now < MIN_FREE_FLOOR)
		return smaller(target, MIN_FREE_FLOOR);
	return smaller(target, now + now / 8);
}
