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

/* Zones that an allocation without __GFP_HIGHMEM or __GFP_MOVABLE uses. */
#define HEADROOM_HIGHEST_ZONE	ZONE_NORMAL

static long zone_usable(struct zone *zone, unsigned int order)
{
	long pages;
	unsigned int i;

	if (!order) {
		pages = zone_page_state(zone, NR_FREE_PAGES);
		/* Order 0 is not served from highatomic blocks. */
		pages -= READ_ONCE(zone->nr_reserved_highatomic);
		pages -= zone_page_state(zone, NR_FREE_CMA_PAGES);
		return pages;
	}
	pages = 0;
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
			long mark, usable;

			if (!populated_zone(zone))
				continue;
			/*
			 * GFP_ATOMIC: __GFP_HIGH takes half of min off, that
			 * it can't wait a quarter of what is left.
			 */
			mark = min_wmark_pages(zone) * 3 / 8 +
			       zone->lowmem_reserve[HEADROOM_HIGHEST_ZONE];
			usable = (long)zone_page_state(zone, NR_FREE_PAGES) -
				 mark;
			/* A higher order needs both, the pages and blocks. */
			usable = min(usable, zone_usable(zone, order) -
						     (order ? 0 : mark));
			if (usable > 0)
				headroom += usable;
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
