// SPDX-License-Identifier: GPL-2.0
/*
 * The page blocks of a reserve: a mempool; see blocks.h.
 *
 * The pool's min_nr is the number of blocks that the reserve owns, curr_nr
 * the number that it holds. The difference is lent: those pages are with the
 * page allocator, like any free page.
 *
 * Functions that take a possibly empty set accept NULL for a reserve of size
 * 0. The caller keeps the set alive: it holds the lock that the set is
 * replaced under. The mempool's own lock orders changes of the counters.
 */
#include "blocks.h"

#include <linux/gfp.h>
#include <linux/mempool.h>
#include <linux/minmax.h>
#include <linux/slab.h>

/*
 * Blocks are allocated without reclaim, and without access to what
 * PF_MEMALLOC may use: a reserve must not be filled from memory that
 * reclaim itself needs.
 */
#define BLOCKS_GFP	(__GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN)

/**
 * struct ballast_blocks - a set of page blocks
 * @pool: the blocks
 * @order: of each block; a block is 1 << @order pages
 * @node: memory node that blocks are allocated from
 */
struct ballast_blocks {
	mempool_t pool;
	unsigned int order;
	int node;
};

/*
 * mempool_init_node() and mempool_resize() fill the pool with GFP_KERNEL.
 * mempool_alloc() tries this function before it takes an element from the
 * pool; ballast_blocks_lend() needs an element of the pool, so an allocation
 * that cannot block fails here.
 */
static void *blocks_alloc(gfp_t gfp, void *data)
{
	struct ballast_blocks *blocks = data;

	if (!gfpflags_allow_blocking(gfp))
		return NULL;
	return alloc_pages_node(blocks->node,
				BLOCKS_GFP | __GFP_KSWAPD_RECLAIM,
				blocks->order);
}

static void blocks_free(void *element, void *data)
{
	struct ballast_blocks *blocks = data;

	__free_pages(element, blocks->order);
}

/**
 * ballast_blocks_make - make a set of blocks
 * @nr: number of blocks, 1 to BALLAST_BLOCKS_MAX
 * @order: of each block
 * @node: memory node to allocate from, or NUMA_NO_NODE
 *
 * Blocks that cannot be allocated without reclaim are missing at first, and
 * count as lent.
 *
 * Context: Process context. Allocates the mempool's arrays with GFP_KERNEL.
 * Return: the set; NULL: no memory for one block or for the arrays
 */
struct ballast_blocks *ballast_blocks_make(unsigned int nr, unsigned int order,
					   int node)
{
	struct ballast_blocks *blocks = kzalloc(sizeof(*blocks), GFP_KERNEL);

	if (!blocks)
		return NULL;
	blocks->order = order;
	blocks->node = node;
	if (mempool_init_node(&blocks->pool, 1, blocks_alloc, blocks_free,
			      blocks, GFP_KERNEL, node))
		goto free;
	if (mempool_resize(&blocks->pool, nr))
		goto exit;
	return blocks;

exit:
	mempool_exit(&blocks->pool);
free:
	kfree(blocks);
	return NULL;
}

/**
 * ballast_blocks_end - free a set of blocks
 * @blocks: the set, no longer reachable; or NULL
 *
 * Lent blocks stay with the page allocator.
 *
 * Context: Process context.
 */
void ballast_blocks_end(struct ballast_blocks *blocks)
{
	if (!blocks)
		return;
	mempool_exit(&blocks->pool);
	kfree(blocks);
}

/**
 * ballast_blocks_resize - change the number of blocks
 * @blocks: the set
 * @nr: the new number, 1 to BALLAST_BLOCKS_MAX
 *
 * Further blocks that cannot be allocated without reclaim count as lent.
 *
 * Context: Process context, without a spinlock; one caller at a time. Others
 * may lend and refill meanwhile.
 * Return: 0; -ENOMEM: no memory for the mempool's array, size unchanged
 */
int ballast_blocks_resize(struct ballast_blocks *blocks, unsigned int nr)
{
	return mempool_resize(&blocks->pool, nr);
}

/**
 * ballast_blocks_lend - free blocks to the page allocator
 * @blocks: the set, or NULL
 * @nr: number of blocks; as many as there are if that is less
 *
 * Context: Any but hard interrupt.
 * Return: the number of blocks lent
 */
unsigned int ballast_blocks_lend(struct ballast_blocks *blocks, unsigned int nr)
{
	unsigned int done;
	struct page *page;

	for (done = 0; done < nr && ballast_blocks_available(blocks); done++) {
		/* Takes from the pool only: see blocks_alloc(). */
		page = mempool_alloc(&blocks->pool, GFP_NOWAIT);
		if (!page)
			break;
		__free_pages(page, blocks->order);
	}
	return done;
}

/**
 * ballast_blocks_refill - take lent blocks back from the page allocator
 * @blocks: the set, or NULL
 * @nr: number of blocks; as many as are lent if that is less
 * @wake: __GFP_KSWAPD_RECLAIM to wake kswapd when memory is low, else 0
 *
 * Does not reclaim.
 *
 * Context: Any but hard interrupt.
 * Return: the number of blocks taken back; less than asked for when the page
 * allocator has no more
 */
unsigned int ballast_blocks_refill(struct ballast_blocks *blocks,
				   unsigned int nr, gfp_t wake)
{
	unsigned int done;
	struct page *page;

	nr = min(nr, ballast_blocks_lent(blocks));
	for (done = 0; done < nr; done++) {
		page = alloc_pages_node(blocks->node, BLOCKS_GFP | wake,
					blocks->order);
		if (!page)
			break;
		mempool_free(page, &blocks->pool);
	}
	return done;
}

/* Blocks that the set owns, lent ones included. */
unsigned int ballast_blocks_size(const struct ballast_blocks *blocks)
{
	return blocks ? READ_ONCE(blocks->pool.min_nr) : 0;
}

/* Blocks that the set holds, which can be lent. */
unsigned int ballast_blocks_available(const struct ballast_blocks *blocks)
{
	return blocks ? READ_ONCE(blocks->pool.curr_nr) : 0;
}

/* Blocks that are lent to the page allocator. */
unsigned int ballast_blocks_lent(const struct ballast_blocks *blocks)
{
	unsigned int size = ballast_blocks_size(blocks);
	unsigned int available = ballast_blocks_available(blocks);

	/* A resize may come between the two. */
	return size > available ? size - available : 0;
}

/* The order of each block; @blocks is not NULL. */
unsigned int ballast_blocks_order(const struct ballast_blocks *blocks)
{
	return blocks->order;
}
