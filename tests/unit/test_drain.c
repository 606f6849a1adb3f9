// SPDX-License-Identifier: GPL-2.0
/*
 * Reading an old connection: which of its requests the server has answered.
 * The bytes are those of the protocol's text; only cookies are our own.
 */
#include "unit.h"

#include "drain.h"

#define READ 0
#define WRITE 1
#define FLUSH 3
#define TRIM 4

#define DONE 1
#define NONE 0
#define OFFSET_DATA 1
#define OFFSET_HOLE 2
#define ERROR 0x8001

/* What the server sends. */
static u8 stream[16384];
static size_t stream_len;
static u32 stream_generation;

static void put(u64 value, unsigned int bytes)
{
	while (bytes--)
		stream[stream_len++] = value >> 8 * bytes & 0xff;
}

static void put_data(size_t len)
{
	memset(stream + stream_len, 0xda, len);
	stream_len += len;
}

static u64 cookie_of(u16 type, u32 length)
{
	return ballast_wire_cookie(stream_generation++, 65535, type, length);
}

static void put_simple(u64 cookie, u32 error)
{
	put(0x67446698, 4);
	put(error, 4);
	put(cookie, 8);
}

static void put_chunk(u64 cookie, u16 flags, u16 type, u32 length)
{
	put(0x668e33ef, 4);
	put(flags, 2);
	put(type, 2);
	put(cookie, 8);
	put(length, 4);
}

static void put_error(u64 cookie, u16 flags, u16 text)
{
	put_chunk(cookie, flags, ERROR, 6 + text);
	put(5, 4);
	put(text, 2);
	put_data(text);
}

static void check_state(const struct ballast_drain *drain)
{
	if (drain->broken)
		return;
	assert_true(drain->have + drain->want <= WIRE_REPLY_MAX_LEN);
	assert_true(!drain->skip != !drain->want);
}

/* As fence_actor() does it, @step bytes at a time. */
static void feed(struct ballast_drain *drain, const u8 *bytes, size_t len,
		 size_t step)
{
	size_t left, n;

	for (; len; bytes += left, len -= left) {
		size_t used = 0;

		left = min(len, step);
		while (used < left) {
			n = ballast_drain_skip(drain, left - used);
			used += n;
			if (n)
				continue;
			n = min_t(size_t, left - used, drain->want);
			assert_true(n);
			memcpy(drain->buf + drain->have, bytes + used, n);
			drain->have += n;
			drain->want -= n;
			used += n;
			if (!drain->want)
				ballast_drain_header(drain);
			check_state(drain);
		}
	}
}

static const size_t steps[] = { 1, 2, 3, 7, 15, 16, 17, 19, 20, 21, 64, 16384 };

/* The stream, however it is cut, leaves @left of @pending unanswered. */
static void check_stream(bool structured, unsigned int pending,
			 unsigned int left, bool broken)
{
	struct ballast_drain drain;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		memset(&drain, 0x55, sizeof(drain));
		ballast_drain_begin(&drain, structured, pending);
		assert_int_equal(drain.pending, pending);
		feed(&drain, stream, stream_len, steps[i]);
		assert_int_equal(drain.pending, left);
		assert_true(drain.broken == broken);
		if (!broken) {
			assert_int_equal(drain.have, 0);
			assert_int_equal(drain.want, 16);
			assert_int_equal(drain.skip, 0);
		}
	}
}

static int setup(void **state)
{
	stream_len = 0;
	stream_generation = 0xfffffff0; /* and wraps */
	return 0;
}

static void test_simple(void **state)
{
	put_simple(cookie_of(WRITE, 4096), 0);
	check_stream(false, 1, 0, false);
	check_stream(true, 1, 0, false);
	check_stream(false, 3, 2, false);
	put_simple(cookie_of(TRIM, 1 << 30), 0);
	check_stream(false, 2, 0, false);
}

/* A write that failed will not be executed later either. */
static void test_simple_error(void **state)
{
	put_simple(cookie_of(WRITE, 4096), 28);
	put_simple(cookie_of(WRITE, 4096), 108);
	check_stream(false, 3, 1, false);
}

/* Their answers do not count, and the data of a read are skipped. */
static void test_reads_and_flushes(void **state)
{
	put_simple(cookie_of(READ, 512), 0);
	put_data(512);
	put_simple(cookie_of(FLUSH, 0), 0);
	put_simple(cookie_of(READ, 4096), 5);
	put_simple(cookie_of(READ, 4096), 0);
	put_data(4096);
	check_stream(false, 2, 2, false);
	put_simple(cookie_of(WRITE, 512), 0);
	check_stream(false, 2, 1, false);
}

/* What was read may look like answers. */
static void test_data_that_look_like_replies(void **state)
{
	unsigned int i;

	put_simple(cookie_of(READ, 512), 0);
	for (i = 0; i < 512 / 16; i++)
		put_simple(cookie_of(WRITE, 512), 0);
	put_simple(cookie_of(WRITE, 512), 0);
	check_stream(false, 40, 39, false);
}

static void test_longest_read(void **state)
{
	struct ballast_drain drain;

	put_simple(cookie_of(READ, 32 << 20), 0);
	ballast_drain_begin(&drain, false, 1);
	feed(&drain, stream, stream_len, 16);
	assert_int_equal(drain.skip, 32 << 20);
	assert_int_equal(ballast_drain_skip(&drain, 1), 1);
	assert_int_equal(ballast_drain_skip(&drain, 0), 0);
	assert_int_equal(ballast_drain_skip(&drain, ~(size_t)0),
			 (32 << 20) - 1);
	assert_int_equal(ballast_drain_skip(&drain, ~(size_t)0), 0);
	assert_int_equal(drain.want, 16);
	assert_int_equal(drain.pending, 1);
}

static void test_structured(void **state)
{
	u64 cookie = cookie_of(READ, 1024);

	put_chunk(cookie, 0, OFFSET_DATA, 8 + 512);
	put_data(8 + 512);
	put_chunk(cookie, 0, OFFSET_HOLE, 12);
	put_data(12);
	put_chunk(cookie, DONE, NONE, 0);
	put_chunk(cookie_of(WRITE, 4096), DONE, NONE, 0);
	put_chunk(cookie_of(FLUSH, 0), DONE, NONE, 0);
	put_simple(cookie_of(WRITE, 4096), 0);
	check_stream(true, 3, 1, false);
}

/* Only the last chunk is an answer, and with all of its payload. */
static void test_structured_once(void **state)
{
	u64 cookie = cookie_of(WRITE, 4096);
	struct ballast_drain drain;

	put_error(cookie, 0, 0);
	check_stream(true, 1, 1, false);
	put_error(cookie, 0, 9);
	check_stream(true, 1, 1, false);
	put_error(cookie, DONE, 200);
	check_stream(true, 2, 1, false);
	ballast_drain_begin(&drain, true, 2);
	feed(&drain, stream, stream_len - 1, 16384);
	assert_int_equal(drain.pending, 2);
	assert_int_equal(drain.skip, 1);
	assert_int_equal(ballast_drain_skip(&drain, 1), 1);
	assert_int_equal(drain.pending, 1);
}

static void test_more_answers_than_requests(void **state)
{
	put_simple(cookie_of(WRITE, 512), 0);
	put_simple(cookie_of(WRITE, 512), 0);
	check_stream(false, 1, 0, false);
	check_stream(false, 0, 0, false);
}

/* The last bytes of what is put here were not read when the link failed. */
static void check_resume(bool structured, size_t from, size_t have)
{
	struct ballast_drain drain;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		memset(&drain, 0x55, sizeof(drain));
		ballast_drain_begin(&drain, structured, 5);
		ballast_drain_resume(&drain, unit_copy(stream + from, have),
				     have);
		check_state(&drain);
		feed(&drain, stream + from + have, stream_len - from - have,
		     steps[i]);
		assert_int_equal(drain.pending, 3);
		assert_false(drain.broken);
		assert_int_equal(drain.want, 16);
	}
	unit_free(NULL);
}

static void test_resume_in_a_simple_header(void **state)
{
	size_t have;

	put_simple(cookie_of(WRITE, 512), 0);
	put_simple(cookie_of(READ, 512), 0);
	put_data(512);
	put_simple(cookie_of(WRITE, 512), 0);
	for (have = 0; have <= 16; have++) {
		check_resume(false, 0, have);
		check_resume(true, 0, have);
	}
}

static void test_resume_in_a_read_header(void **state)
{
	size_t have;

	put_simple(cookie_of(READ, 1024), 0);
	put_data(1024);
	put_simple(cookie_of(WRITE, 512), 0);
	put_simple(cookie_of(WRITE, 512), 0);
	for (have = 0; have <= 16; have++)
		check_resume(false, 0, have);
}

static void test_resume_in_a_chunk_header(void **state)
{
	size_t have;

	put_error(cookie_of(WRITE, 512), DONE, 3);
	put_chunk(cookie_of(WRITE, 512), DONE, NONE, 0);
	for (have = 0; have <= 20; have++)
		check_resume(true, 0, have);
}

/* Within data, a chunk's fixed part or an error's text; all is payload. */
static void check_payload(u64 cookie, bool done, u32 left, unsigned int after)
{
	const struct wire_reply reply = {
		.structured = true,
		.done = done,
		.type = ERROR,
		.length = 4711,
		.cookie = cookie,
	};
	struct ballast_drain drain;
	unsigned int i;

	setup(NULL);
	put_data(left);
	put_simple(cookie_of(WRITE, 512), 0);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ballast_drain_begin(&drain, true, 5);
		ballast_drain_resume_payload(&drain, &reply, left);
		check_state(&drain);
		assert_int_equal(drain.pending, left ? 5 : after + 1);
		feed(&drain, stream, stream_len, steps[i]);
		assert_int_equal(drain.pending, after);
		assert_false(drain.broken);
	}
}

static void test_resume_in_a_payload(void **state)
{
	static const u32 lengths[] = { 0, 1, 5, 15, 16, 17, 512, 4096 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		check_payload(cookie_of(WRITE, 512), true, lengths[i], 3);
		check_payload(cookie_of(WRITE, 512), false, lengths[i], 4);
		check_payload(cookie_of(READ, 4096), true, lengths[i], 4);
		check_payload(cookie_of(READ, 4096), false, lengths[i], 4);
	}
}

/* From the first byte that makes no sense on, nothing counts any more. */
static void test_broken(void **state)
{
	put_simple(cookie_of(WRITE, 512), 0);
	put(0x25609513, 4); /* a request's magic */
	put_data(12);
	put_simple(cookie_of(WRITE, 512), 0);
	put_simple(cookie_of(WRITE, 512), 0);
	check_stream(false, 3, 2, true);
	check_stream(true, 3, 2, true);
}

static void test_structured_not_negotiated(void **state)
{
	put_chunk(cookie_of(WRITE, 512), DONE, NONE, 0);
	put_simple(cookie_of(WRITE, 512), 0);
	check_stream(false, 2, 2, true);
	check_stream(true, 2, 0, false);
}

/* The reply that broke the protocol is handed over, and is no answer. */
static void test_broken_before(void **state)
{
	struct ballast_drain drain;

	put_simple(cookie_of(WRITE, 512), 0);
	ballast_drain_begin(&drain, false, 1);
	drain.broken = true;
	ballast_drain_resume(&drain, stream, WIRE_SIMPLE_REPLY_LEN);
	assert_int_equal(drain.pending, 1);
}

static void test_broken_takes_all(void **state)
{
	struct ballast_drain drain;

	put_data(16);
	ballast_drain_begin(&drain, true, 1);
	feed(&drain, stream, stream_len, 16);
	assert_true(drain.broken);
	assert_int_equal(ballast_drain_skip(&drain, 0), 0);
	assert_int_equal(ballast_drain_skip(&drain, 1), 1);
	assert_int_equal(ballast_drain_skip(&drain, 0xffffffff), 0xffffffff);
	assert_true(ballast_drain_skip(&drain, ~(size_t)0) > 0);
	assert_int_equal(drain.pending, 1);
}

/* A length that no chunk may have: it is skipped as if it were true. */
static void test_garbage_lengths(void **state)
{
	static const u32 lengths[] = { 1, 7, 0x7fffffff, 0x80000000,
				       0xffffffff };
	struct ballast_drain drain;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		setup(NULL);
		put_chunk(cookie_of(WRITE, 512), DONE, 0x7fff, lengths[i]);
		ballast_drain_begin(&drain, true, 1);
		feed(&drain, stream, stream_len, 20);
		assert_int_equal(drain.pending, 1);
		assert_int_equal(ballast_drain_skip(&drain, lengths[i] - 1),
				 lengths[i] - 1);
		assert_int_equal(drain.pending, 1);
		assert_int_equal(ballast_drain_skip(&drain, 100), 1);
		assert_int_equal(drain.pending, 0);
		assert_int_equal(drain.want, 16);
	}
}

#define DRAIN_TEST(test) cmocka_unit_test_setup_teardown(test, setup, unit_free)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DRAIN_TEST(test_simple),
		DRAIN_TEST(test_simple_error),
		DRAIN_TEST(test_reads_and_flushes),
		DRAIN_TEST(test_data_that_look_like_replies),
		DRAIN_TEST(test_longest_read),
		DRAIN_TEST(test_structured),
		DRAIN_TEST(test_structured_once),
		DRAIN_TEST(test_more_answers_than_requests),
		DRAIN_TEST(test_resume_in_a_simple_header),
		DRAIN_TEST(test_resume_in_a_read_header),
		DRAIN_TEST(test_resume_in_a_chunk_header),
		DRAIN_TEST(test_resume_in_a_payload),
		DRAIN_TEST(test_broken),
		DRAIN_TEST(test_broken_before),
		DRAIN_TEST(test_structured_not_negotiated),
		DRAIN_TEST(test_broken_takes_all),
		DRAIN_TEST(test_garbage_lengths),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
