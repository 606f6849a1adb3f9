// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: allocates GFP_ATOMIC until that fails, and compares what it got
 * with what ballast_headroom() said just before. It does so when it is
 * loaded, and then frees everything; the parameters tell what it found.
 *
 * Memory is first used up until few pages are left, so that a small error
 * shows. All of it runs with softirqs disabled, in a guest with one processor:
 * nothing else allocates or frees meanwhile.
 *
 * Pages on the processor's own lists are not free: @taken counts what left the
 * free lists, @got what the module received. Newer kernels double the batch by
 * which they fill those lists each time, until a page is freed. The module
 * frees pages in between, so that batches stay small. The last batch may go
 * below the mark.
 */
#include <linux/bottom_half.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/vmstat.h>

#include "headroom.h"

#define EXHAUST_GFP		(GFP_ATOMIC | __GFP_NOWARN)
/* Not kept on a processor's lists, so it is free as soon as it is freed. */
#define EXHAUST_RESERVE_ORDER	4
/* Pages that are spare when a block is reserved, and blocks that are free then. */
#define EXHAUST_RESERVE_AT	100
#define EXHAUST_KEPT_ORDER	8
#define EXHAUST_KEPT		4
#define EXHAUST_FALLBACK	800
#define EXHAUST_BATCH		16
#define EXHAUST_SETTLE		8
#define EXHAUST_HIGHEST_ZONE	ZONE_NORMAL

static uint order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "of the allocations");
static long left = 800;
module_param(left, long, 0444);
MODULE_PARM_DESC(left, "headroom of order 0 to begin with, in pages");
static bool fragment;
module_param(fragment, bool, 0444);
MODULE_PARM_DESC(fragment, "fragment the free memory into single pages");
static bool fall_back;
module_param(fall_back, bool, 0444);
MODULE_PARM_DESC(fall_back, "fall back to movable blocks, which boosts");
static bool reserve;
module_param(reserve, bool, 0444);
MODULE_PARM_DESC(reserve, "make highatomic blocks");

/* What it found. All in pages. */
static long headroom;
module_param(headroom, long, 0444);
static long got;
module_param(got, long, 0444);
static long taken;
module_param(taken, long, 0444);
static long boost;
module_param(boost, long, 0444);
static long reserved;
module_param(reserved, long, 0444);
static long highatomic;
module_param(highatomic, long, 0444);

/* Blocks of one order that are allocated; each contains a pointer to the next. */
struct pile {
	void *first;
	unsigned int order;
};

static struct page *pile_add(struct pile *pile, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp, pile->order);

	if (page) {
		*(void **)page_address(page) = pile->first;
		pile->first = page_address(page);
	}
	return page;
}

static void pile_free_first(struct pile *pile)
{
	void *block = pile->first;

	if (block) {
		pile->first = *(void **)block;
		free_pages((unsigned long)block, pile->order);
	}
}

static void pile_free(struct pile *pile)
{
	while (pile->first)
		pile_free_first(pile);
}

static long sum(long (*of)(struct zone *zone))
{
	long pages = 0;
	int node, i;

	for_each_online_node(node)
		for (i = 0; i <= EXHAUST_HIGHEST_ZONE; i++)
			pages += of(&NODE_DATA(node)->node_zones[i]);
	return pages;
}

static long zone_free(struct zone *zone)
{
	return populated_zone(zone) ?
		       zone_page_state_snapshot(zone, NR_FREE_PAGES) :
		       0;
}

/* Take a block. After a large batch, keep the next one small. */
static bool pile_take(struct pile *pile)
{
	long before = sum(zone_free);
	unsigned long page;

	if (!pile_add(pile, EXHAUST_GFP))
		return false;
	if (!pile->order && before - sum(zone_free) > EXHAUST_BATCH) {
		page = __get_free_page(EXHAUST_GFP);
		if (page)
			free_page(page);
	}
	return true;
}

/* Pages over the mark of order 0, by a count that knows no other limit. */
static long zone_spare(struct zone *zone)
{
	long pages;

	if (!populated_zone(zone))
		return 0;
	pages = (long)zone_page_state(zone, NR_FREE_PAGES) -
		(long)zone->_watermark[WMARK_MIN] * 3 / 8 -
		zone->lowmem_reserve[EXHAUST_HIGHEST_ZONE];
	return max(pages, 0L);
}

static long zone_boost(struct zone *zone)
{
	return zone->watermark_boost;
}

static long zone_reserved(struct zone *zone)
{
	return zone->nr_reserved_highatomic;
}

static long zone_highatomic(struct zone *zone)
{
	struct list_head *entry;
	unsigned long flags;
	long pages = 0;
	unsigned int i;

	if (!populated_zone(zone))
		return 0;
	spin_lock_irqsave(&zone->lock, flags);
	for (i = 0; i < ARRAY_SIZE(zone->free_area); i++)
		list_for_each(entry,
			      &zone->free_area[i].free_list[MIGRATE_HIGHATOMIC])
			pages += 1L << i;
	spin_unlock_irqrestore(&zone->lock, flags);
	return pages;
}

/*
 * Free pages until @pages are spare: groups of @group, a power of two, between
 * which as many stay allocated.
 */
static void pile_free_islands(struct pile *pile, unsigned int group, long pages)
{
	void **link = &pile->first;

	while (*link && sum(zone_spare) < pages) {
		void *block = *link;

		if (page_to_pfn(virt_to_page(block)) & group) {
			link = block;
			continue;
		}
		*link = *(void **)block;
		free_page((unsigned long)block);
	}
}

/*
 * Use up memory until @pages are spare. Movable pages take most of it; what is
 * freed of them lies in pieces of @group pages.
 */
static void use_fragmented(struct pile *movable, unsigned int group, long pages)
{
	while (sum(zone_spare) > pages / 2)
		if (!pile_add(movable, EXHAUST_GFP | __GFP_MOVABLE))
			break;
	pile_free_islands(movable, group, pages);
}

/* Take pages until one falls back to a movable block: that boosts. */
static void use_boosted(struct pile *rest)
{
	while (!sum(zone_boost) && pile_take(rest))
		;
}

static void use_up(struct pile *rest, long pages)
{
	while (sum(zone_spare) > pages && pile_take(rest))
		;
}

/*
 * Have the allocator reserve a block as highatomic: newer kernels do so only
 * below the low watermark. @kept then becomes free.
 */
static void make_reserve(struct pile *kept)
{
	struct pile blocks = { .order = EXHAUST_RESERVE_ORDER };
	unsigned int i;

	pile_free_first(kept);
	for (i = 0; i < 16 && pile_add(&blocks, EXHAUST_GFP); i++)
		;
	pile_free(&blocks);
	pile_free(kept);
}

/* Pages of two zones: to free them brings the batches back to the smallest. */
static void settle_prepare(struct pile *settle)
{
	unsigned int i;

	for (i = 0; i < EXHAUST_SETTLE; i++) {
		pile_add(settle, GFP_KERNEL);
		pile_add(settle, GFP_KERNEL | __GFP_DMA);
	}
}

static void exhaust(struct pile *pile)
{
	long free;

	ballast_headroom_sample();
	boost = sum(zone_boost);
	reserved = sum(zone_reserved);
	highatomic = sum(zone_highatomic);
	headroom = ballast_headroom(order);
	free = sum(zone_free);
	while (pile_take(pile))
		got += 1L << order;
	taken = free - sum(zone_free);
}

static int __init exhaust_init(void)
{
	struct pile movable = {}, rest = {}, settle = {};
	struct pile kept = { .order = EXHAUST_KEPT_ORDER };
	struct pile pile = { .order = order };
	long pages = reserve ? EXHAUST_RESERVE_AT : left;
	unsigned int i;

	for (i = 0; reserve && i < EXHAUST_KEPT; i++)
		if (!pile_add(&kept, GFP_KERNEL | __GFP_NOWARN))
			goto free;
	settle_prepare(&settle);
	local_bh_disable();
	if (fall_back) {
		use_fragmented(&movable, 16, pages + EXHAUST_FALLBACK);
		use_boosted(&rest);
	} else if (fragment) {
		use_fragmented(&movable, 1, pages);
	}
	use_up(&rest, pages);
	if (reserve) {
		make_reserve(&kept);
		use_up(&rest, left);
	}
	pile_free(&settle);
	exhaust(&pile);
	pile_free(&pile);
	pile_free(&rest);
	pile_free(&movable);
	local_bh_enable();
	/* It depends on where the kernel's own pages are. */
	return (fall_back && !boost) || (reserve && !highatomic) ? -EAGAIN : 0;

free:
	pile_free(&kept);
	return -ENOMEM;
}

static void __exit exhaust_exit(void)
{
}

module_init(exhaust_init);
module_exit(exhaust_exit);
MODULE_DESCRIPTION("Allocates GFP_ATOMIC until it fails");
MODULE_LICENSE("GPL");
