// SPDX-License-Identifier: GPL-2.0
/*
 * Headroom: the pages that GFP_ATOMIC allocations can still get, as the page
 * allocator counts them.
 *
 * It does not compare free pages with the plain watermarks. GFP_ATOMIC may
 * use memory down to 3/8 of a zone's min watermark. For larger orders a boost
 * raises that watermark; for order 0 the allocator ignores the boost. Pages
 * that lowmem_reserve and CMA hold are free, but not available, and on some
 * kernels neither are those in highatomic blocks. With a filter that compared
 * free pages with the plain watermarks, the machine locked up in half of the
 * runs.
 *
 * Two things are not in the count. A CPU refills its own list of pages in
 * batches, and the last batch may go below the mark: by up to 63 pages, and
 * on kernels from 6.7 by up to 32 times as many. And allocations of larger
 * orders may raise the boost further.
 *
 * Computing it reads a few words of each zone, without a lock: cheap enough for
 * each packet.
 */
#include "headroom.h"

#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmstat.h>

#include "compat.h"

/* The highest zone for allocations without __GFP_HIGHMEM or __GFP_MOVABLE. */
#define HEADROOM_HIGHEST_ZONE	ZONE_NORMAL

/*
 * Free pages in highatomic blocks, on kernels where allocations of order 0
 * cannot use them. The number of pages reserved as highatomic is no substitute:
 * on a machine of 256 MiB it is up to 1,536, most of them in use. Written from
 * the timer of pressure.c, since counting takes the zone's lock; read without a
 * lock.
 */
static long highatomic[MAX_NUMNODES][HEADROOM_HIGHEST_ZONE + 1];

/* Free pages, except those that only movable allocations may use. */
static long zone_free(struct zone *zone)
{
	return (long)zone_page_state(zone, NR_FREE_PAGES) -
	       (long)zone_page_state(zone, NR_FREE_CMA_PAGES);
}

/*
 * For __GFP_HIGH the allocator halves the min watermark; since GFP_ATOMIC
 * cannot wait, it lowers the rest by a quarter.
 */
static long atomic_mark(long min)
{
	min -= min / 2;
	return min - min / 4;
}

/*
 * The number of free pages at which GFP_ATOMIC fails. The boost is part of the
 * watermark for orders above 0 only.
 */
static long zone_mark(struct zone *zone, unsigned int order)
{
	long min = order ? min_wmark_pages(zone) : zone->_watermark[WMARK_MIN];

	return atomic_mark(min) + zone->lowmem_reserve[HEADROOM_HIGHEST_ZONE];
}

/* Free pages in blocks of at least @order. */
static long zone_free_blocks(struct zone *zone, unsigned int order)
{
	/* The sizes of CMA's free blocks are not known: count none. */
	long pages = -(long)zone_page_state(zone, NR_FREE_CMA_PAGES);
	unsigned int i;

	for (i = order; i < ARRAY_SIZE(zone->free_area); i++)
		pages += READ_ONCE(zone->free_area[i].nr_free) << i;
	return pages;
}

/*
 * Upper bound of the free pages in highatomic blocks; negative: not known now.
 * Few zones need to be counted. If blocks reserved as highatomic have fewer
 * pages than must stay free anyway, they change nothing. If the zone without
 * those blocks is far above its watermarks, and hence above the marks of a
 * reserve, their exact number does not matter.
 */
static long zone_sample(struct zone *zone)
{
	long reserved = READ_ONCE(zone->nr_reserved_highatomic);

	if (reserved <= zone_mark(zone, 0))
		return 0;
	if (zone_free(zone) - reserved > 2 * (long)high_wmark_pages(zone))
		return reserved;
	return compat_zone_free_highatomic(zone, reserved);
}

/**
 * ballast_headroom_sample - count the free pages in highatomic blocks
 *
 * ballast_headroom() uses the last sample. Does nothing on kernels that
 * do not need it.
 *
 * Context: Softirq, or softirqs disabled. Does not wait for a lock.
 */
void ballast_headroom_sample(void)
{
	int node, i;

	lockdep_assert_in_softirq();
	if (COMPAT_ATOMIC_USES_HIGHATOMIC)
		return;
	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];
			long pages = populated_zone(zone) ? zone_sample(zone) :
							    0;

			if (pages >= 0)
				WRITE_ONCE(highatomic[node][i], pages);
		}
	}
}

/*
 * Pages that GFP_ATOMIC can still get in a zone. @held: free pages that it
 * cannot use for order 0.
 */
static long zone_headroom(struct zone *zone, unsigned int order, long held)
{
	long free = zone_free(zone);
	long pages = free - zone_mark(zone, order);

	if (order)
		pages = min(pages, zone_free_blocks(zone, order));
	else
		pages = min(pages, free - held);
	return max(pages, 0L);
}

/**
 * ballast_headroom - pages that GFP_ATOMIC allocations can still get
 * @order: of the allocations
 *
 * Context: Any. Takes no lock.
 * Return: pages in free blocks of at least @order, over all nodes
 */
long ballast_headroom(unsigned int order)
{
	long headroom = 0;
	int node, i;

	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];
			long held = 0;

			if (!populated_zone(zone))
				continue;
			if (!COMPAT_ATOMIC_USES_HIGHATOMIC)
				held = READ_ONCE(highatomic[node][i]);
			headroom += zone_headroom(zone, order, held);
		}
	}
	return headroom;
}

static long zone_at_low(const struct zone *zone)
{
	return (long)zone->_watermark[WMARK_LOW] -
	       atomic_mark(zone->_watermark[WMARK_MIN]);
}

/**
 * ballast_headroom_at_low - headroom when kswapd wakes
 *
 * Without the boost, which comes and goes: marks are derived from it.
 *
 * Context: Any. Takes no lock.
 * Return: pages of order 0, over all nodes, if each zone is at its low
 * watermark
 */
long ballast_headroom_at_low(void)
{
	long headroom = 0;
	int node, i;

	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			if (populated_zone(zone))
				headroom += zone_at_low(zone);
		}
	}
	return headroom;
}

/**
 * ballast_surplus - free pages over the high watermarks
 *
 * Above them nothing reclaims, so taking these pages causes no reclaim.
 *
 * Context: Any. Takes no lock.
 * Return: pages, over all nodes; a zone below its mark counts negative
 */
long ballast_surplus(void)
{
	long surplus = 0;
	int node, i;

	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			if (populated_zone(zone))
				surplus += (long)zone_page_state(zone,
								 NR_FREE_PAGES) -
					   (long)high_wmark_pages(zone) -
					   zone->lowmem_reserve[HEADROOM_HIGHEST_ZONE];
		}
	}
	return surplus;
}
