// SPDX-License-Identifier: GPL-2.0
/*
 * Cookies: what comes back in a reply tells which request it answers, and what
 * that request was.
 */
#include "unit.h"

#include "wire.h"

/* The highest number of requests: 64 connections of 1024 each. */
#define LAST_INDEX 65535
#define LONGEST_READ 0x2000000 /* 32 MiB */
#define GENERATIONS (1ULL << 29)

enum { READ, WRITE, DISC, FLUSH, TRIM, CACHE, ZEROES };

static const u32 indices[] = { 0,     1,     127,	 128,
			       32767, 32768, LAST_INDEX, (1 << 17) - 1 };
static const u32 generations[] = { 0, 1, 0x0fffffff, GENERATIONS - 1 };

static void check(u32 generation, u32 index, u16 type, u32 length)
{
	u64 cookie = ballast_wire_cookie(generation, index, type, length);
	bool changes = type == WRITE || type == TRIM || type == ZEROES;

	assert_int_equal(ballast_wire_cookie_index(cookie), index);
	assert_true(ballast_wire_cookie_changes_data(cookie) == changes);
	assert_int_equal(ballast_wire_cookie_read_len(cookie),
			 type == READ ? length : 0);
}

static void test_round_trip(void **state)
{
	static const u16 types[] = { READ, WRITE, FLUSH, TRIM, ZEROES };
	static const u32 lengths[] = { 512,	    1024,    4096,
				       65536,	    1 << 24, LONGEST_READ - 512,
				       LONGEST_READ };
	unsigned int i, j, k, l;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (j = 0; j < ARRAY_SIZE(indices); j++)
			for (k = 0; k < ARRAY_SIZE(generations); k++)
				for (l = 0; l < ARRAY_SIZE(lengths); l++)
					check(generations[k], indices[j],
					      types[i], lengths[l]);
}

/* A trim may be longer than any read, and its length is not kept. */
static void test_long_trim(void **state)
{
	check(1, LAST_INDEX, TRIM, 0xfffffe00);
	check(1, LAST_INDEX, ZEROES, 0xfffffe00);
	assert_true(ballast_wire_cookie(1, 2, TRIM, 512) ==
		    ballast_wire_cookie(1, 2, TRIM, 0xfffffe00));
}

/* Each sending has another cookie, and the rest is the same. */
static void test_generations_differ(void **state)
{
	u64 first = ballast_wire_cookie(0, LAST_INDEX, READ, LONGEST_READ);
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(generations); i++)
		for (j = 0; j < i; j++)
			assert_true(ballast_wire_cookie(generations[i], 5,
							WRITE, 4096) !=
				    ballast_wire_cookie(generations[j], 5,
							WRITE, 4096));
	for (i = 1; i < 32; i++)
		assert_true(ballast_wire_cookie(i, LAST_INDEX, READ,
						LONGEST_READ) != first);
}

/* Behind the last generation comes the first; nothing else changes. */
static void test_generation_wraps(void **state)
{
	static const u32 last[] = { GENERATIONS, GENERATIONS + 1, 0x7fffffff,
				    0x80000000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(last); i++) {
		check(last[i], LAST_INDEX, READ, LONGEST_READ);
		check(last[i], 0, WRITE, 512);
		assert_true(ballast_wire_cookie(last[i], 7, WRITE, 512) ==
			    ballast_wire_cookie(last[i] % GENERATIONS, 7, WRITE,
						512));
	}
}

/* Any cookie, as a server may make it up, can be taken apart. */
static void test_any_cookie(void **state)
{
	u64 bit;

	for (bit = 1; bit; bit <<= 1) {
		assert_true(ballast_wire_cookie_index(bit) < 1 << 17);
		assert_true(ballast_wire_cookie_index(~bit) < 1 << 17);
		assert_true(ballast_wire_cookie_read_len(bit) <
			    2 * LONGEST_READ);
		assert_true(ballast_wire_cookie_read_len(~bit) <
			    2 * LONGEST_READ);
	}
	assert_int_equal(ballast_wire_cookie_index(~0ULL), (1 << 17) - 1);
	assert_int_equal(ballast_wire_cookie_read_len(~0ULL),
			 2 * LONGEST_READ - 512);
	assert_true(ballast_wire_cookie_changes_data(~0ULL));
	assert_int_equal(ballast_wire_cookie_index(0), 0);
	assert_int_equal(ballast_wire_cookie_read_len(0), 0);
	assert_false(ballast_wire_cookie_changes_data(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_round_trip),
		UNIT_TEST(test_long_trim),
		UNIT_TEST(test_generations_differ),
		UNIT_TEST(test_generation_wraps),
		UNIT_TEST(test_any_cookie),
	};

	return cmocka_run_group_tests_name("wire: cookies", tests, NULL, NULL);
}
