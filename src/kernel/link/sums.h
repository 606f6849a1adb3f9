/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Checksums of blocks that were last written and acknowledged, to detect that a
 * server has lost them. Builds in user space too.
 *
 * The table is direct-mapped and split into shards, each with its own lock.
 * Blocks are grouped by SUMS_SLOTS; a group's shard is a hash, and a block's
 * slot is its place in the group, so a long write takes few locks.
 *
 * An entry is valid only while no write of its block is in flight: the
 * submission of a write drops it. It is recorded when a write is acknowledged,
 * if no other write was in flight meanwhile that maps to the slot. The order in
 * which the server executed two such writes is not known.
 */
#ifndef BALLAST_SUMS_H
#define BALLAST_SUMS_H

#include <linux/cache.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define SUMS_BLOCK_SHIFT	12
#define SUMS_BLOCK		4096U	/* bytes */

#define SUMS_SHARD_SHIFT	4
#define SUMS_SHARDS		16U
#define SUMS_SLOT_SHIFT		6
#define SUMS_SLOTS		64U
/* One in 64 acknowledged writes goes here, and stays for 16 times as long. */
#define SUMS_OLD		16U
#define SUMS_OLD_SHIFT		6
/* Zeros do not reveal a blank export, so they must not replace other blocks. */
#define SUMS_ZEROS		16U
#define SUMS_ENTRIES		(SUMS_SLOTS + SUMS_OLD + SUMS_ZEROS) /* of a shard */

#define SUMS_NO_BLOCK		(~0ULL)

/**
 * struct ballast_sum - the checksum of one block
 * @block: offset into the export, in SUMS_BLOCK; SUMS_NO_BLOCK: not valid
 * @sum: of what the server has acknowledged
 * @at: when that was recorded, as the caller counts time; may wrap
 * @picked: unchanged since ballast_sums_pick() returned it
 */
struct ballast_sum {
	u64 block;
	u32 sum;
	u32 at : 31;
	u32 picked : 1;
};

/**
 * struct sums_slot - one slot of a shard
 * @entry: the last block recorded here
 * @inflight: number of writes in flight that map here
 * @mixed: while @inflight is not 0: there were two at a time, or a wide one
 */
struct sums_slot {
	struct ballast_sum entry;
	u32 inflight;
	bool mixed;
};

/**
 * struct sums_shard - a part of the table
 * @lock: guards all of it. Taken under a link's lock, which softirqs take;
 *	  switching interrupts off costs less than switching softirqs off
 * @wide: number of writes in flight that are too long to be counted by slot
 * @records: counts entries recorded that are not zeros; chooses those that go
 *	     to @old
 * @slot: by the block's place in its group
 * @old: one in 64 recorded entries, replaced only by such entries
 * @zeros: blocks of zeros
 */
struct sums_shard {
	spinlock_t lock; /* of the shard */
	u32 wide;
	u32 records;
	struct sums_slot slot[SUMS_SLOTS];
	struct ballast_sum old[SUMS_OLD];
	struct ballast_sum zeros[SUMS_ZEROS];
} ____cacheline_aligned_in_smp;

struct ballast_sums {
	struct sums_shard shard[SUMS_SHARDS];
};

void ballast_sums_init(struct ballast_sums *sums);
void ballast_sums_begin(struct ballast_sums *sums, u64 offset, u32 length);
void ballast_sums_begin_block(struct ballast_sums *sums, u64 block);
void ballast_sums_end(struct ballast_sums *sums, u64 offset, u32 length);
void ballast_sums_record(struct ballast_sums *sums, u64 block, const void *data,
			 u32 now);
void ballast_sums_end_block(struct ballast_sums *sums, u64 block,
			    const void *data, u32 now);
unsigned int ballast_sums_pick(struct ballast_sums *sums, u32 now, u32 random,
			       struct ballast_sum *picked, unsigned int most);
bool ballast_sums_differ(struct ballast_sums *sums,
			 const struct ballast_sum *picked, const void *data);
u32 ballast_sums_of(u64 block, const void *data);

#endif /* BALLAST_SUMS_H */
