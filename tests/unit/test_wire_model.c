// SPDX-License-Identifier: GPL-2.0
/*
 * ballast_wire_cover_add() against a model: a bit for each byte of a short read. The
 * model predicts the result for each piece, -E2BIG included, and the ranges
 * that remain.
 */
#include "unit.h"

#include <inttypes.h>

#include "wire.h"

#define COVER_MAX	4 /* pieces that are kept track of */
#define MODEL_ROUNDS	20000
#define MODEL_SEED	0x62616c6c617374ULL
#define MODEL_BITS	64

static u64 model_random;

static u32 model_pick(u32 from, u32 below)
{
	/* splitmix64 */
	u64 z = (model_random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return from + z % (below - from);
}

static u64 model_bits(u32 start, u32 length)
{
	u64 bits = length == 64 ? ~0ULL : (1ULL << length) - 1;

	return bits << start;
}

/* Bits that are set where the one below is not. */
static unsigned int model_ranges(u64 bits)
{
	return __builtin_popcountll(bits & ~(bits << 1));
}

/* The next bit that is clear; there is one, behind @from or before it. */
static u32 model_free(u64 bits, u32 from)
{
	while (bits >> from & 1)
		from = (from + 1) % MODEL_BITS;
	return from;
}

static void model_check(const struct wire_cover *cover, u64 bits, u32 base)
{
	unsigned int i;
	u64 seen = 0;

	assert_int_equal(cover->nr, model_ranges(bits));
	for (i = 0; i < cover->nr; i++) {
		u32 start = cover->range[i].start - base;
		u32 end = cover->range[i].end - base;

		assert_true(start < end && end <= MODEL_BITS);
		if (i)
			assert_true(cover->range[i].start >
				    cover->range[i - 1].end);
		seen |= model_bits(start, end - start);
	}
	assert_true(seen == bits);
	assert_true(ballast_wire_cover_whole(cover, MODEL_BITS) ==
		    (!base && bits == ~0ULL));
}

static struct {
	unsigned int whole, twice, many, joined;
} seen;

/* What ballast_wire_cover_add() has to return for @piece. */
static int model_result(u64 bits, u64 piece)
{
	if (bits & piece)
		return -EPROTO;
	return model_ranges(bits | piece) > COVER_MAX ? -E2BIG : 0;
}

/* Add one piece to @cover and to the model; returns the model's bits. */
static u64 model_step(struct wire_cover *cover, u64 bits, u32 base,
		      u32 longest)
{
	u32 start = model_pick(0, MODEL_BITS);
	u32 length = model_pick(1, longest);
	struct wire_cover before = *cover;
	u64 piece;
	int err;

	/* Usually right behind another piece, as servers send them. */
	if (model_pick(0, 4))
		start = model_free(bits, start);
	if (length > MODEL_BITS - start)
		length = MODEL_BITS - start;
	piece = model_bits(start, length);

	err = ballast_wire_cover_add(cover, base + start, length);
	if (err != model_result(bits, piece))
		print_error("0x%016" PRIx64 " and %u bytes at %u\n",
			    (uint64_t)bits, length, start);
	assert_int_equal(err, model_result(bits, piece));
	seen.twice += err == -EPROTO;
	seen.many += err == -E2BIG;
	if (err) {
		/* The driver gives up then; this test goes on. */
		*cover = before;
		return bits;
	}
	seen.joined += model_ranges(bits | piece) < model_ranges(bits);
	model_check(cover, bits | piece, base);
	return bits | piece;
}

static void test_cover_model(void **state)
{
	unsigned int round;

	print_message("%u rounds, seed 0x%" PRIx64 "\n", MODEL_ROUNDS,
		      (uint64_t)MODEL_SEED);
	model_random = MODEL_SEED;

	for (round = 0; round < MODEL_ROUNDS; round++) {
		/* The last such read ends where 32 bits do. */
		u32 base = round % 4 ? 0 : 0xffffffff - MODEL_BITS;
		u32 longest = model_pick(2, MODEL_BITS + 1);
		unsigned int tries = 200;
		struct wire_cover cover;
		u64 bits = 0;

		ballast_wire_cover_init(&cover);
		while (bits != ~0ULL && tries--)
			bits = model_step(&cover, bits, base, longest);
		seen.whole += bits == ~0ULL;
	}

	print_message("%u whole, %u joined, %u twice, %u too many\n",
		      seen.whole, seen.joined, seen.twice, seen.many);
	/* With fewer of one kind the model would have tested little. */
	assert_true(seen.whole > MODEL_ROUNDS / 4);
	assert_true(seen.joined > MODEL_ROUNDS);
	assert_true(seen.twice > MODEL_ROUNDS);
	assert_true(seen.many > MODEL_ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_cover_model),
	};

	return cmocka_run_group_tests_name("wire: model", tests, NULL, NULL);
}
