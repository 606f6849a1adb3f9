// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of a read that have arrived.
 */
#include "unit.h"

#include "wire.h"

#define COVER_MAX	4 /* pieces that are kept track of */

struct piece {
	u32 start;
	u32 length;
};

#define PIECES(...)	((const struct piece[]){ __VA_ARGS__, {} })

/* A cover of these pieces, none of which is refused. */
static struct wire_cover cover_of(const struct piece *piece)
{
	struct wire_cover cover;

	memset(&cover, 0x55, sizeof(cover));
	ballast_wire_cover_init(&cover);
	for (; piece->length; piece++)
		assert_int_equal(ballast_wire_cover_add(&cover, piece->start,
						piece->length),
				 0);
	return cover;
}

static void test_cover_nothing(void **state)
{
	struct wire_cover cover;

	memset(&cover, 0x55, sizeof(cover));
	ballast_wire_cover_init(&cover);
	assert_int_equal(cover.nr, 0);
	assert_false(ballast_wire_cover_whole(&cover, 0));
	assert_false(ballast_wire_cover_whole(&cover, 512));
}

static void test_cover_at_once(void **state)
{
	struct wire_cover cover = cover_of(PIECES({ 0, 4096 }));

	assert_true(ballast_wire_cover_whole(&cover, 4096));
	assert_false(ballast_wire_cover_whole(&cover, 4095));
	assert_false(ballast_wire_cover_whole(&cover, 4097));
	assert_false(ballast_wire_cover_whole(&cover, 0));

	cover = cover_of(PIECES({ 0, 0xffffffff }));
	assert_true(ballast_wire_cover_whole(&cover, 0xffffffff));
}

static void test_cover_not_whole(void **state)
{
	struct wire_cover cover = cover_of(PIECES({ 1, 4095 }));

	assert_false(ballast_wire_cover_whole(&cover, 4096));
	cover = cover_of(PIECES({ 0, 4095 }));
	assert_false(ballast_wire_cover_whole(&cover, 4096));
	cover = cover_of(PIECES({ 0, 2047 }, { 2048, 2048 }));
	assert_false(ballast_wire_cover_whole(&cover, 4096));
}

static void test_cover_in_order(void **state)
{
	struct wire_cover cover;
	unsigned int i;

	ballast_wire_cover_init(&cover);
	for (i = 0; i < 100; i++) {
		assert_false(ballast_wire_cover_whole(&cover, 51200));
		assert_int_equal(ballast_wire_cover_add(&cover, i * 512, 512), 0);
		assert_int_equal(cover.nr, 1);
	}
	assert_true(ballast_wire_cover_whole(&cover, 51200));
}

static void test_cover_in_reverse(void **state)
{
	struct wire_cover cover;
	unsigned int i;

	ballast_wire_cover_init(&cover);
	for (i = 100; i; i--) {
		assert_false(ballast_wire_cover_whole(&cover, 51200));
		assert_int_equal(ballast_wire_cover_add(&cover, (i - 1) * 512, 512), 0);
		assert_int_equal(cover.nr, 1);
	}
	assert_true(ballast_wire_cover_whole(&cover, 51200));
}

/* Two become one, with others before and behind them and without. */
static void test_cover_joins(void **state)
{
	struct wire_cover cover;

	cover = cover_of(PIECES({ 0, 10 }, { 20, 10 }, { 10, 10 }));
	assert_true(ballast_wire_cover_whole(&cover, 30));

	cover = cover_of(PIECES({ 0, 10 }, { 20, 10 }, { 40, 10 }, { 60, 10 },
				{ 10, 10 }));
	assert_int_equal(cover.nr, 3);
	assert_int_equal(ballast_wire_cover_add(&cover, 50, 10), 0);
	assert_int_equal(cover.nr, 2);
	assert_false(ballast_wire_cover_whole(&cover, 70));
	assert_int_equal(ballast_wire_cover_add(&cover, 30, 10), 0);
	assert_true(ballast_wire_cover_whole(&cover, 70));
}

/* Each place where a fifth piece would go, among four of ten bytes. */
static const struct piece four[] = { { 10, 10 }, { 30, 10 }, { 50, 10 },
				     { 70, 10 }, {} };

static void test_cover_in_too_many_pieces(void **state)
{
	static const u32 between[] = { 0, 25, 45, 65, 85 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(between); i++) {
		struct wire_cover cover = cover_of(four);

		assert_int_equal(ballast_wire_cover_add(&cover, between[i], 3),
				 -E2BIG);
		/* Not when it is next to one of them, at either end. */
		assert_int_equal(ballast_wire_cover_add(&cover, 40, 3), 0);
		assert_int_equal(ballast_wire_cover_add(&cover, 47, 3), 0);
		/* Once two are one there is room again. */
		assert_int_equal(ballast_wire_cover_add(&cover, 43, 4), 0);
		assert_int_equal(cover.nr, 3);
		assert_int_equal(ballast_wire_cover_add(&cover, between[i] == 45 ?
							25 : between[i], 3),
				 0);
		assert_int_equal(cover.nr, 4);
	}
}

/*
 * One byte or more of @four again: at either edge, within, around, and
 * across from one to the next.
 */
static void test_cover_overlap(void **state)
{
	unsigned int i;
	u32 at;

	for (i = 0; i < COVER_MAX; i++) {
		const struct piece again[] = {
			{ four[i].start, 10 },	   { four[i].start, 1 },
			{ four[i].start, 11 },	   { four[i].start + 9, 1 },
			{ four[i].start + 9, 2 },  { four[i].start + 9, 11 },
			{ four[i].start + 1, 8 },  { four[i].start - 1, 2 },
			{ four[i].start - 1, 12 }, { four[i].start - 10, 11 },
			{ 0, four[i].start + 1 },  { 0, 0xffffffff },
		};
		unsigned int j;

		for (j = 0; j < ARRAY_SIZE(again); j++) {
			struct wire_cover cover = cover_of(four);

			assert_int_equal(ballast_wire_cover_add(&cover, again[j].start,
							again[j].length),
					 -EPROTO);
		}
	}
	/* Right behind one and into the next, which is another branch. */
	for (i = 0; i + 1 < COVER_MAX; i++) {
		for (at = 11; at <= 40; at++) {
			struct wire_cover cover = cover_of(four);

			assert_int_equal(ballast_wire_cover_add(&cover,
							four[i].start + 10,
							at),
					 -EPROTO);
		}
	}
}

static void test_cover_up_to_the_top(void **state)
{
	struct wire_cover cover;

	cover = cover_of(PIECES({ 0xfffffffe, 1 }, { 0, 1 }));
	assert_int_equal(ballast_wire_cover_add(&cover, 0xfffffffe, 1), -EPROTO);
	assert_int_equal(ballast_wire_cover_add(&cover, 0, 0xffffffff), -EPROTO);
	assert_int_equal(ballast_wire_cover_add(&cover, 1, 0xfffffffd), 0);
	assert_true(ballast_wire_cover_whole(&cover, 0xffffffff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_cover_nothing),
		UNIT_TEST(test_cover_at_once),
		UNIT_TEST(test_cover_not_whole),
		UNIT_TEST(test_cover_in_order),
		UNIT_TEST(test_cover_in_reverse),
		UNIT_TEST(test_cover_joins),
		UNIT_TEST(test_cover_in_too_many_pieces),
		UNIT_TEST(test_cover_overlap),
		UNIT_TEST(test_cover_up_to_the_top),
	};

	return cmocka_run_group_tests_name("wire: cover", tests, NULL, NULL);
}
