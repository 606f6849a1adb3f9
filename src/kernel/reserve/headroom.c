// SPDX-License-Identifier: GPL-2.0
/*
 * Headroom: the pages that GFP_ATOMIC can still get, as the allocator will
 * count them.
 *
 * The watermarks of the sysctl are not what it compares with: GFP_ATOMIC
 * may go down to 3/8 of a zone's min watermark, a boost raises that under
 * the very pressure that matters here, and what lowmem_reserve, highatomic
 * blocks and CMA hold is free and can't be had. A guard that compared free
 * pages with the plain watermarks let the machine die in half of its runs.
 *
 * Reads a few words in each zone, without a lock; cheap enough for each
 * packet.
 */
#include "headroom.h"

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/vmstat.h>

#include "compat.h"

/* Zones that an allocation without __GFP_HIGHMEM or __GFP_MOVABLE uses. */
#define HEADROOM_HIGHEST_ZONE	ZONE_NORMAL

/*
 * Free pages in highatomic blocks, which order 0 is not served from. What is
 * reserved as highatomic is no measure of it: on a machine of 256 MiB that
 * is up to 1,024 pages, most of them taken. Written from the reserves'
 * timers, where it takes the zone's lock to count them.
 */
static long highatomic[MAX_NUMNODES][HEADROOM_HIGHEST_ZONE + 1];

/* Softirq. */
void ballast_headroom_sample(void)
{
	int node, i;

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

/* Free pages in blocks of at least that order. */
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
 * Return: pages in blocks of at least that order, over all nodes
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
			 * GFP_ATOMIC: __GFP_HIGH takes half of min off, that
			 * it can't wait a quarter of what is left.
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

/* What the headroom is when kswapd wakes: at the low watermarks, in pages. */
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
 * Above them nobody reclaims; what is taken from there is missed by nobody.
 *
 * Return: pages, over all nodes; negative where a zone is below
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
