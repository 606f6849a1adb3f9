/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page blocks of a reserve. They are in a mempool that only blocks.c
 * knows.
 */
#ifndef BALLAST_BLOCKS_H
#define BALLAST_BLOCKS_H

#include <linux/slab.h>
#include <linux/types.h>

/*
 * Blocks of a set, at most: mempool allocates an array of pointers to them in
 * one piece.
 */
#define BALLAST_BLOCKS_MAX (KMALLOC_MAX_SIZE / sizeof(void *))

struct ballast_blocks;

struct ballast_blocks *ballast_blocks_make(unsigned int nr, unsigned int order,
					   int node);
void ballast_blocks_end(struct ballast_blocks *blocks);
int ballast_blocks_resize(struct ballast_blocks *blocks, unsigned int nr);
unsigned int ballast_blocks_lend(struct ballast_blocks *blocks,
				 unsigned int nr);
unsigned int ballast_blocks_refill(struct ballast_blocks *blocks,
				   unsigned int nr, gfp_t wake);

unsigned int ballast_blocks_size(const struct ballast_blocks *blocks);
unsigned int ballast_blocks_available(const struct ballast_blocks *blocks);
unsigned int ballast_blocks_lent(const struct ballast_blocks *blocks);
unsigned int ballast_blocks_order(const struct ballast_blocks *blocks);

#endif /* BALLAST_BLOCKS_H */
