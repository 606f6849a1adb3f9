// SPDX-License-Identifier: GPL-2.0
/*
 * Headroom: the pages that GFP_ATOMIC allocations can still get, as the page
 * allocator counts them.
 *
 * It does not compare free pages with the plain watermarks. GFP_ATOMIC may
 * use memory down to 3/8 of a zone's min watermark. A boost raises that
 * watermark under just the pressure that matters here. Pages that
 * lowmem_reserve, highatomic blocks and CMA hold are free, but not available.
 * With a filter that compared free pages with the plain watermarks, the
 * machine locked up in half of the runs.
 *
 * It reads a few words in each zone, without a lock; that is cheap enough for
 * each packet.
 */
#include "headroom.h"

#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmstat.h>

#include "compat.h"

/* The highest zone for allocations without __GFP_HIGHMEM or __GFP_MOVABLE. */
#define HEADROOM_HIGHEST_ZONE	ZONE_NORMAL

/*
 * Free pages in highatomic blocks, which allocations of order 0 cannot use.
 * The number of pages that are reserved as highatomic does not tell: on a
 * machine of 256 MiB it is up to 1,024, most of them in use. Written from the
 * reserves' timers, since some kernels must take the zone's lock to count
 * them; read without a lock.
 */
static long highatomic[MAX_NUMNODES][HEADROOM_HIGHEST_ZONE + 1];

/**
 * ballast_headroom_sample - count the free pages in highatomic blocks
 *
 * ballast_headroom() subtracts the last sample.
 *
 * Context: Softirq, or softirqs disabled. Does not wait for a lock.
 */
void ballast_headroom_sample(void)
{
	int node, i;

	lockdep_assert_in_softirq();
	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];
			long pages = populated_zone(zone) ?
					     compat_zone_free_highatomic(zone) : 0;

			if (pages >= 0)
				WRITE_ONCE(highatomic[node][i], pages);
		}
	}
}

/* Free pages in blocks of at least @order. */
static long zone_free_blocks(const struct zone *zone, unsigned int order)
{
	long pages = 0;
	unsigned int i;

	for (i = order; i < ARRAY_SIZE(zone->free_area); i++)
		pages += READ_ONCE(zone->free_area[i].nr_free) << i;
	return pages;
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
			long usable;

			if (!populated_zone(zone))
				continue;
			/*
			 * For __GFP_HIGH the allocator halves the min
			 * watermark; since GFP_ATOMIC cannot wait, it lowers
			 * the rest by a quarter.
			 */
			usable = (long)zone_page_state(zone, NR_FREE_PAGES) -
				 (long)zone_page_state(zone,
						       NR_FREE_CMA_PAGES) -
				 (long)min_wmark_pages(zone) * 3 / 8 -
				 zone->lowmem_reserve[HEADROOM_HIGHEST_ZONE];
			if (order)
				usable = min(usable,
					     zone_free_blocks(zone, order));
			else
				usable -= READ_ONCE(highatomic[node][i]);
			if (usable > 0)
				headroom += usable;
		}
	}
	return headroom;
}

/**
 * ballast_headroom_at_low - headroom when kswapd wakes
 *
 * Context: Any. Takes no lock.
 * Return: pages, over all nodes, if each zone is at its low watermark
 */
long ballast_headroom_at_low(void)
{
	long headroom = 0;
	int node, i;

	for_each_online_node(node) {
		for (i = 0; i <= HEADROOM_HIGHEST_ZONE; i++) {
			struct zone *zone = &NODE_DATA(node)->node_zones[i];

			if (populated_zone(zone))
				headroom += (long)low_wmark_pages(zone) -
					    (long)min_wmark_pages(zone) * 3 / 8;
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
