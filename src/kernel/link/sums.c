// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checksums; see sums.h.
 */
#include "sums.h"

#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/string.h>

/*
 * A checksum covers 32 bytes of each sector of 512 bytes. All work for a write
 * of one page then takes about 390 instructions, 2.0 % of the write. crc32c()
 * of the whole page alone takes 770, and it reads all cache lines of a page
 * that otherwise only the NIC reads. Every sector is covered, to detect a write
 * that the server has kept in part. The block selects the 32 bytes: pages that
 * differ only in one place, the same in each, differ in the sums of some
 * blocks.
 */
#define SUMS_SECTOR		512
#define SUMS_PIECE		32
#define SUMS_PLACE_SHIFT	4	/* 16 pieces in a sector */

#define SUMS_AT_MASK		(~0U >> 1)

/**
 * ballast_sums_of - the checksum of a block
 * @block: its offset, in SUMS_BLOCK
 * @data: SUMS_BLOCK bytes, aligned to 8
 *
 * Context: any
 * Return: the checksum; 0 for zeros
 */
u32 ballast_sums_of(u64 block, const void *data)
{
	const u64 *word = data + hash_64(block, SUMS_PLACE_SHIFT) * SUMS_PIECE;
	u64 a = 0, b = 0, c = 0, d = 0;
	unsigned int i;

	/* Four sums, so that multiplications don't wait for each other. */
	for (i = 0; i < SUMS_BLOCK / SUMS_SECTOR; i++) {
		a = a * GOLDEN_RATIO_64 + word[0];
		b = b * GOLDEN_RATIO_64 + word[1];
		c = c * GOLDEN_RATIO_64 + word[2];
		d = d * GOLDEN_RATIO_64 + word[3];
		word += SUMS_SECTOR / sizeof(*word);
	}
	a = ((a * GOLDEN_RATIO_64 + b) * GOLDEN_RATIO_64 + c) * GOLDEN_RATIO_64;
	return hash_64(a + d, 32);
}

static struct sums_shard *sums_shard(struct ballast_sums *sums, u64 block)
{
	return &sums->shard[hash_64(block >> SUMS_SLOT_SHIFT, SUMS_SHARD_SHIFT)];
}

static struct sums_slot *sums_slot(struct sums_shard *shard, u64 block)
{
	return &shard->slot[block % SUMS_SLOTS];
}

static struct ballast_sum *sums_old(struct sums_shard *shard, u64 block)
{
	return &shard->old[block % SUMS_OLD];
}

static struct ballast_sum *sums_zeros(struct sums_shard *shard, u64 block)
{
	return &shard->zeros[block % SUMS_ZEROS];
}

/* Entry @i of a shard, of all. */
static struct ballast_sum *sums_entry(struct sums_shard *shard, unsigned int i)
{
	if (i < SUMS_SLOTS)
		return &shard->slot[i].entry;
	i -= SUMS_SLOTS;
	return i < SUMS_OLD ? &shard->old[i] : &shard->zeros[i - SUMS_OLD];
}

/**
 * ballast_sums_init - initialize an empty table
 * @sums: the table
 *
 * Context: any
 */
void ballast_sums_init(struct ballast_sums *sums)
{
	struct sums_shard *shard;
	unsigned int i;

	memset(sums, 0, sizeof(*sums));
	for (shard = sums->shard; shard < sums->shard + SUMS_SHARDS; shard++) {
		spin_lock_init(&shard->lock);
		for (i = 0; i < SUMS_ENTRIES; i++)
			sums_entry(shard, i)->block = SUMS_NO_BLOCK;
	}
}

/* The last block of the group of @block, or @last if that is before it. */
static u64 sums_group_end(u64 block, u64 last)
{
	return min(block | (SUMS_SLOTS - 1), last);
}

/* Spans all shards: handled by shard, so that its length does not matter. */
static bool sums_is_wide(u64 first, u64 last)
{
	return (last >> SUMS_SLOT_SHIFT) - (first >> SUMS_SLOT_SHIFT) >=
	       SUMS_SHARDS;
}

static void sums_begin_wide(struct sums_shard *shard, u64 first, u64 last)
{
	unsigned int i;
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	shard->wide++;
	for (i = 0; i < SUMS_SLOTS; i++)
		if (shard->slot[i].inflight)
			shard->slot[i].mixed = true;
	for (i = 0; i < SUMS_ENTRIES; i++) {
		struct ballast_sum *entry = sums_entry(shard, i);

		if (entry->block >= first && entry->block <= last)
			entry->block = SUMS_NO_BLOCK;
	}
	spin_unlock_irqrestore(&shard->lock, flags);
}

static void sums_begin_slot(struct sums_shard *shard, u64 block)
{
	struct sums_slot *slot = sums_slot(shard, block);
	struct ballast_sum *old = sums_old(shard, block);
	struct ballast_sum *zeros = sums_zeros(shard, block);

	if (slot->inflight++ || shard->wide)
		slot->mixed = true;
	if (slot->entry.block == block)
		slot->entry.block = SUMS_NO_BLOCK;
	if (old->block == block)
		old->block = SUMS_NO_BLOCK;
	if (zeros->block == block)
		zeros->block = SUMS_NO_BLOCK;
}

static void sums_begin_group(struct sums_shard *shard, u64 block, u64 last)
{
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	for (; block <= last; block++)
		sums_begin_slot(shard, block);
	spin_unlock_irqrestore(&shard->lock, flags);
}

/**
 * ballast_sums_begin - a write, trim or write of zeros is about to be sent
 * @sums: the table
 * @offset: bytes
 * @length: bytes, not 0
 *
 * Drops the checksums of the blocks that it covers.
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_sums_begin(struct ballast_sums *sums, u64 offset, u32 length)
{
	u64 block = offset >> SUMS_BLOCK_SHIFT;
	u64 last = (offset + length - 1) >> SUMS_BLOCK_SHIFT;
	unsigned int i;

	if (sums_is_wide(block, last)) {
		for (i = 0; i < SUMS_SHARDS; i++)
			sums_begin_wide(&sums->shard[i], block, last);
		return;
	}
	while (block <= last) {
		u64 end = sums_group_end(block, last);

		sums_begin_group(sums_shard(sums, block), block, end);
		block = end + 1;
	}
}

static void sums_end_slot(struct sums_slot *slot)
{
	if (!--slot->inflight)
		slot->mixed = false;
}

static void sums_end_group(struct sums_shard *shard, u64 block, u64 last)
{
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	for (; block <= last; block++)
		sums_end_slot(sums_slot(shard, block));
	spin_unlock_irqrestore(&shard->lock, flags);
}

/**
 * ballast_sums_begin_block - the same for a write of one block
 * @sums: the table
 * @block: offset in SUMS_BLOCK
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_sums_begin_block(struct ballast_sums *sums, u64 block)
{
	struct sums_shard *shard = sums_shard(sums, block);
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	sums_begin_slot(shard, block);
	spin_unlock_irqrestore(&shard->lock, flags);
}

/**
 * ballast_sums_end - the request has ended, with success or without
 * @sums: the table
 * @offset: as for ballast_sums_begin()
 * @length: likewise
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_sums_end(struct ballast_sums *sums, u64 offset, u32 length)
{
	u64 block = offset >> SUMS_BLOCK_SHIFT;
	u64 last = (offset + length - 1) >> SUMS_BLOCK_SHIFT;
	struct sums_shard *shard;
	unsigned long flags;

	if (sums_is_wide(block, last)) {
		for (shard = sums->shard; shard < sums->shard + SUMS_SHARDS;
		     shard++) {
			spin_lock_irqsave(&shard->lock, flags);
			shard->wide--;
			spin_unlock_irqrestore(&shard->lock, flags);
		}
		return;
	}
	while (block <= last) {
		u64 end = sums_group_end(block, last);

		sums_end_group(sums_shard(sums, block), block, end);
		block = end + 1;
	}
}

static void sums_record(struct sums_shard *shard, u64 block, const void *data,
			u32 now)
{
	struct sums_slot *slot = sums_slot(shard, block);
	struct ballast_sum *entry = &slot->entry;
	u32 sum;

	lockdep_assert_held(&shard->lock);
	if (slot->mixed)
		return;
	sum = ballast_sums_of(block, data);
	if (!sum)
		entry = sums_zeros(shard, block);
	else if (!hash_32(shard->records++, SUMS_OLD_SHIFT))
		entry = sums_old(shard, block);
	*entry = (struct ballast_sum){
		.block = block,
		.sum = sum,
		.at = now & SUMS_AT_MASK,
	};
}

/**
 * ballast_sums_record - record a block of a write that was acknowledged
 * @sums: the table
 * @block: offset in SUMS_BLOCK; ballast_sums_end() follows for its write
 * @data: the written data, SUMS_BLOCK bytes, aligned to 8
 * @now: an increasing time, which may wrap
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_sums_record(struct ballast_sums *sums, u64 block, const void *data,
			 u32 now)
{
	struct sums_shard *shard = sums_shard(sums, block);
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	sums_record(shard, block, data, now);
	spin_unlock_irqrestore(&shard->lock, flags);
}

/* ballast_sums_record() and ballast_sums_end() of a write of one block. */
void ballast_sums_end_block(struct ballast_sums *sums, u64 block,
			    const void *data, u32 now)
{
	struct sums_shard *shard = sums_shard(sums, block);
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	sums_record(shard, block, data, now);
	sums_end_slot(sums_slot(shard, block));
	spin_unlock_irqrestore(&shard->lock, flags);
}

/* Entry @i of the table, if it is valid and was not picked; @zeros: also zeros */
static bool sums_take(struct ballast_sums *sums, unsigned int i, bool zeros,
		      struct ballast_sum *picked)
{
	struct sums_shard *shard = &sums->shard[i / SUMS_ENTRIES];
	struct ballast_sum *entry = sums_entry(shard, i % SUMS_ENTRIES);
	bool take;
	unsigned long flags;

	spin_lock_irqsave(&shard->lock, flags);
	take = entry->block != SUMS_NO_BLOCK && !entry->picked &&
	       (zeros || entry->sum);
	if (take) {
		entry->picked = true;
		*picked = *entry;
	}
	spin_unlock_irqrestore(&shard->lock, flags);
	return take;
}

static bool sums_take_newest(struct ballast_sums *sums, u32 now,
			     struct ballast_sum *picked)
{
	unsigned int i, newest = 0;
	u32 least = ~0U;
	unsigned long flags;

	for (i = 0; i < SUMS_SHARDS * SUMS_ENTRIES; i++) {
		struct sums_shard *shard = &sums->shard[i / SUMS_ENTRIES];
		struct ballast_sum *entry = sums_entry(shard, i % SUMS_ENTRIES);
		u32 age;

		spin_lock_irqsave(&shard->lock, flags);
		age = (now - entry->at) & SUMS_AT_MASK;
		if (entry->block != SUMS_NO_BLOCK && !entry->picked &&
		    age < least) {
			least = age;
			newest = i;
		}
		spin_unlock_irqrestore(&shard->lock, flags);
	}
	return least != ~0U && sums_take(sums, newest, true, picked);
}

static bool sums_take_any(struct ballast_sums *sums, u32 random,
			  struct ballast_sum *picked)
{
	const unsigned int nr = SUMS_SHARDS * SUMS_ENTRIES;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (sums_take(sums, (random % nr + i) % nr, false, picked))
			return true;
	return false;
}

/**
 * ballast_sums_pick - choose blocks to read back
 * @sums: the table
 * @now: as for ballast_sums_record()
 * @random: any number
 * @picked: set to the blocks that were chosen
 * @most: their largest number
 *
 * Half are the newest, which a server that crashed loses first. The others are
 * random, without blocks of zeros: these do not reveal a blank export.
 *
 * Context: process; one caller at a time
 * Return: their number
 */
unsigned int ballast_sums_pick(struct ballast_sums *sums, u32 now, u32 random,
			       struct ballast_sum *picked, unsigned int most)
{
	unsigned int i, nr = 0;
	unsigned long flags;

	for (i = 0; i < SUMS_SHARDS * SUMS_ENTRIES; i++) {
		struct sums_shard *shard = &sums->shard[i / SUMS_ENTRIES];

		spin_lock_irqsave(&shard->lock, flags);
		sums_entry(shard, i % SUMS_ENTRIES)->picked = false;
		spin_unlock_irqrestore(&shard->lock, flags);
	}
	while (nr < most / 2 && sums_take_newest(sums, now, &picked[nr]))
		nr++;
	while (nr < most && sums_take_any(sums, random, &picked[nr])) {
		random = hash_32(random + nr, 32);
		nr++;
	}
	return nr;
}

/**
 * ballast_sums_differ - compare the server's data with a checksum
 * @sums: the table
 * @picked: from ballast_sums_pick()
 * @data: the server's answer to a read sent after that, aligned to 8
 *
 * Context: any but hard interrupt; does not sleep
 * Return: true: the data were not written. A block that was written again
 * meanwhile, over another connection, may differ.
 */
bool ballast_sums_differ(struct ballast_sums *sums,
			 const struct ballast_sum *picked, const void *data)
{
	struct sums_shard *shard = sums_shard(sums, picked->block);
	const struct ballast_sum *entry =
		&sums_slot(shard, picked->block)->entry;
	const struct ballast_sum *old = sums_old(shard, picked->block);
	const struct ballast_sum *zeros = sums_zeros(shard, picked->block);
	bool same;
	unsigned long flags;

	if (ballast_sums_of(picked->block, data) == picked->sum)
		return false;
	spin_lock_irqsave(&shard->lock, flags);
	same = (entry->block == picked->block && entry->picked) ||
	       (old->block == picked->block && old->picked) ||
	       (zeros->block == picked->block && zeros->picked);
	spin_unlock_irqrestore(&shard->lock, flags);
	return same;
}
