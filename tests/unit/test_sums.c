// SPDX-License-Identifier: GPL-2.0
/*
 * The table of checksums: what is recorded, what drops it, what is picked.
 */
#include "unit.h"

#include "sums.h"

#define TABLE (SUMS_SHARDS * SUMS_ENTRIES)

static struct ballast_sums sums;
static u64 page[SUMS_BLOCK / 8];

/* Content that differs for each @seed, in every piece that may be sampled. */
static const void *content(u64 seed)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = (seed + 1) * 0x9e3779b97f4a7c15ULL + i;
	return page;
}

static int setup(void **state)
{
	ballast_sums_init(&sums);
	return 0;
}

static void begin(u64 block, u64 blocks)
{
	ballast_sums_begin(&sums, block * SUMS_BLOCK, blocks * SUMS_BLOCK);
}

static void end(u64 block, u64 blocks)
{
	ballast_sums_end(&sums, block * SUMS_BLOCK, blocks * SUMS_BLOCK);
}

/* One acknowledged write of one block. */
static void write_block(u64 block, u64 seed, u32 now)
{
	ballast_sums_begin_block(&sums, block);
	ballast_sums_end_block(&sums, block, content(seed), now);
}

static struct ballast_sum picked[TABLE + 1];

static unsigned int pick(void)
{
	return ballast_sums_pick(&sums, 0, 12345, picked, TABLE + 1);
}

static bool knows(u64 block)
{
	unsigned int i, nr = pick();

	for (i = 0; i < nr; i++)
		if (picked[i].block == block)
			return true;
	return false;
}

/* All counts must be 0 once no request is in flight. */
static void check_idle(void)
{
	unsigned int i, j;

	for (i = 0; i < SUMS_SHARDS; i++) {
		assert_int_equal(sums.shard[i].wide, 0);
		assert_false(sums.shard[i].lock.held);
		for (j = 0; j < SUMS_SLOTS; j++) {
			assert_int_equal(sums.shard[i].slot[j].inflight, 0);
			assert_false(sums.shard[i].slot[j].mixed);
		}
	}
}

static void test_checksum(void **state)
{
	u64 block;
	unsigned int i, sector, seen;
	u8 *bytes = (u8 *)page;

	for (block = 0; block < 64; block++) {
		u32 sum = ballast_sums_of(block, content(7));

		assert_int_not_equal(sum, 0);
		assert_int_not_equal(sum, ballast_sums_of(block, content(8)));
		memset(page, 0, sizeof(page));
		assert_int_equal(ballast_sums_of(block, page), 0);
		/* One byte in each sector is noticed in one piece of 16. */
		for (sector = 0; sector < SUMS_BLOCK; sector += 512) {
			seen = 0;
			for (i = 0; i < 512; i++) {
				bytes[sector + i] = 1;
				seen += !!ballast_sums_of(block, page);
				bytes[sector + i] = 0;
			}
			assert_int_equal(seen, 32);
		}
	}
}

static void test_recorded_at_the_end(void **state)
{
	assert_int_equal(pick(), 0);
	begin(5, 1);
	assert_int_equal(pick(), 0);
	ballast_sums_end_block(&sums, 5, content(1), 1);
	assert_int_equal(pick(), 1);
	assert_int_equal(picked[0].block, 5);
	assert_false(ballast_sums_differ(&sums, &picked[0], content(1)));
	assert_true(ballast_sums_differ(&sums, &picked[0], content(2)));
	memset(page, 0, sizeof(page));
	assert_true(ballast_sums_differ(&sums, &picked[0], page));
	check_idle();
}

/* Zeros tell an older copy, but not a blank export: half must be others. */
static void test_zeros(void **state)
{
	unsigned int i, nr, zeros = 0;

	for (i = 0; i < 100; i++)
		write_block(i, i, i);
	memset(page, 0, sizeof(page));
	for (i = 100; i < 200; i++) {
		begin(i, 1);
		ballast_sums_end_block(&sums, i, page, i);
	}
	nr = ballast_sums_pick(&sums, 200, 99, picked, 16);
	assert_int_equal(nr, 16);
	for (i = 0; i < nr; i++) {
		zeros += !picked[i].sum;
		assert_true(
			ballast_sums_differ(&sums, &picked[i], content(1000)));
	}
	assert_int_equal(zeros, 8);
	/* In the slots of the others. */
	memset(page, 0, sizeof(page));
	for (i = 200; i < 20000; i++) {
		begin(i, 1);
		ballast_sums_end_block(&sums, i, page, i);
	}
	for (i = 0; i < 100; i++)
		assert_true(knows(i));
	check_idle();
}

static void test_any_write_drops(void **state)
{
	static const struct {
		u64 offset;
		u32 length;
		bool drops;
	} writes[] = {
		{ 100 * SUMS_BLOCK, SUMS_BLOCK, true },
		{ 100 * SUMS_BLOCK, 512, true },
		{ 100 * SUMS_BLOCK + 3584, 512, true },
		{ 99 * SUMS_BLOCK + 3584, 1024, true },
		{ 99 * SUMS_BLOCK, SUMS_BLOCK, false },
		{ 101 * SUMS_BLOCK, SUMS_BLOCK, false },
		{ 0, 100 * SUMS_BLOCK, false },
		{ 0, 100 * SUMS_BLOCK + 512, true },
		{ 101 * SUMS_BLOCK, 1 << 30, false },
		{ 0, 0xfffff000, true },
		{ 100 * SUMS_BLOCK, 0xfffff000, true },
		{ 1ULL << 40, 0xfffff000, false },
	};
	unsigned int i;
	u64 n;

	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		/* Some go to the old entries. */
		for (n = 0; n < 64; n++) {
			write_block(100, n, n);
			assert_true(knows(100));
			ballast_sums_begin(&sums, writes[i].offset,
					   writes[i].length);
			assert_int_equal(knows(100), !writes[i].drops);
			ballast_sums_end(&sums, writes[i].offset,
					 writes[i].length);
			assert_int_equal(knows(100), !writes[i].drops);
		}
		check_idle();
	}
}

/* The order in which the server executed two writes is not known. */
static void test_overlapping_writes(void **state)
{
	begin(7, 1);
	begin(7, 1);
	ballast_sums_end_block(&sums, 7, content(1), 1);
	assert_false(knows(7));
	/* It was alone at its end, but not before. */
	ballast_sums_end_block(&sums, 7, content(2), 2);
	assert_false(knows(7));
	write_block(7, 3, 3);
	assert_true(knows(7));
	check_idle();

	/* A trim of everything, before and after. */
	begin(0, 0xfffff);
	begin(7, 1);
	end(0, 0xfffff);
	ballast_sums_end_block(&sums, 7, content(4), 4);
	assert_false(knows(7));
	begin(7, 1);
	begin(0, 0xfffff);
	end(0, 0xfffff);
	ballast_sums_end_block(&sums, 7, content(5), 5);
	assert_false(knows(7));
	begin(0, 0xfffff);
	write_block(7, 6, 6);
	assert_false(knows(7));
	end(0, 0xfffff);
	write_block(7, 7, 7);
	assert_true(knows(7));
	check_idle();
}

static void test_long_write(void **state)
{
	u64 block;

	begin(60, 200);
	for (block = 60; block < 260; block += 25)
		ballast_sums_record(&sums, block, content(block), 1);
	assert_true(knows(60));
	end(60, 200);
	for (block = 60; block < 260; block++)
		assert_int_equal(knows(block), (block - 60) % 25 == 0);
	check_idle();
}

static void test_failed_write(void **state)
{
	write_block(9, 1, 1);
	begin(9, 1);
	end(9, 1);
	assert_false(knows(9));
	check_idle();
}

/* A read back that meets a write over another connection says nothing. */
static void test_written_while_it_is_read(void **state)
{
	struct ballast_sum read;

	write_block(3, 1, 1);
	assert_int_equal(ballast_sums_pick(&sums, 1, 0, &read, 1), 1);
	assert_true(ballast_sums_differ(&sums, &read, content(2)));
	begin(3, 1);
	assert_false(ballast_sums_differ(&sums, &read, content(2)));
	ballast_sums_end_block(&sums, 3, content(1), 2);
	assert_false(ballast_sums_differ(&sums, &read, content(2)));
	assert_int_equal(ballast_sums_pick(&sums, 2, 0, &read, 1), 1);
	assert_true(ballast_sums_differ(&sums, &read, content(2)));
}

static void test_pick_takes_the_newest(void **state)
{
	unsigned int i, nr, j, newest = 0;
	u32 now = ~0U - 500; /* wraps */

	for (i = 0; i < 1000; i++)
		write_block(i, i, now + i);
	for (i = 0; i < 100; i++) {
		nr = ballast_sums_pick(&sums, now + 1000, i * 0x9e3779b9,
				       picked, 16);
		assert_int_equal(nr, 16);
		for (j = 0; j < 8; j++)
			newest += picked[j].block >= 985;
		for (j = 1; j < 16; j++)
			assert_int_not_equal(picked[j].block, picked[0].block);
	}
	assert_int_equal(newest, 800);
	/* Fewer than asked for. */
	ballast_sums_init(&sums);
	write_block(1, 1, 1);
	write_block(2, 2, 2);
	assert_int_equal(ballast_sums_pick(&sums, 3, 99, picked, 16), 2);
}

static void test_old_ones_survive(void **state)
{
	unsigned int i, nr, old = 0;
	u64 block;

	for (block = 0; block < 100000; block++)
		write_block(block, block, block);
	nr = pick();
	assert_true(nr > TABLE / 2);
	for (i = 0; i < nr; i++)
		old += picked[i].block < 100000 - 4096;
	assert_true(old >= 100);
	/* A trim of all that was written leaves none. */
	begin(0, 100000);
	end(0, 100000);
	assert_int_equal(pick(), 0);
	check_idle();
}

/* Random writes against a model of a server that executes them in any order. */
static void test_model(void **state)
{
	enum { BLOCKS = 3000, FLIGHT = 8 };
	static u64 server[BLOCKS];
	struct {
		u64 block, blocks, seed;
	} flight[FLIGHT] = {};
	unsigned int i, j, nr;
	u32 now;

	memset(server, 0, sizeof(server));
	srand(1);
	for (now = 1; now < 200000; now++) {
		unsigned int f = rand() % FLIGHT;

		if (!flight[f].blocks) {
			flight[f].block = rand() % (BLOCKS - 40);
			flight[f].blocks = rand() % 8 ? 1 : 1 + rand() % 40;
			if (!(rand() % 500)) {
				flight[f].block = 0;
				flight[f].blocks = BLOCKS;
			}
			flight[f].seed = now;
			begin(flight[f].block, flight[f].blocks);
		} else if (rand() % 3) {
			/* Executed, maybe more than once. */
			for (j = 0; j < flight[f].blocks; j++)
				server[flight[f].block + j] = flight[f].seed;
		} else {
			for (j = 0; j < flight[f].blocks; j++)
				server[flight[f].block + j] = flight[f].seed;
			if (flight[f].blocks == 1) {
				ballast_sums_end_block(&sums, flight[f].block,
						       content(now ? flight[f].seed :
								     0),
						       now);
			} else {
				content(flight[f].seed);
				ballast_sums_record(&sums, flight[f].block,
						    page, now);
				end(flight[f].block, flight[f].blocks);
			}
			flight[f].blocks = 0;
		}
		if (now % 100)
			continue;
		nr = ballast_sums_pick(&sums, now, now, picked, 16);
		for (i = 0; i < nr; i++)
			assert_false(
				ballast_sums_differ(&sums, &picked[i],
						    content(server[picked[i]
									   .block])));
	}
	nr = pick();
	assert_true(nr > 100);
	for (i = 0; i < FLIGHT; i++)
		if (flight[i].blocks)
			end(flight[i].block, flight[i].blocks);
	check_idle();
}

#define SUMS_TEST(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SUMS_TEST(test_checksum),
		SUMS_TEST(test_recorded_at_the_end),
		SUMS_TEST(test_zeros),
		SUMS_TEST(test_any_write_drops),
		SUMS_TEST(test_overlapping_writes),
		SUMS_TEST(test_long_write),
		SUMS_TEST(test_failed_write),
		SUMS_TEST(test_written_while_it_is_read),
		SUMS_TEST(test_pick_takes_the_newest),
		SUMS_TEST(test_old_ones_survive),
		SUMS_TEST(test_model),
	};

	return cmocka_run_group_tests_name("sums", tests, NULL, NULL);
}
