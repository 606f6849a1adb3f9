// SPDX-License-Identifier: GPL-2.0
/*
 * The NBD wire format: requests and replies.
 */
#include "unit_wire.h"

static void test_put_request(void **state)
{
	u8 *buf = unit_alloc(28);

	ballast_wire_put_request(buf, 0, 0, 0, 0, 0);
	assert_memory_equal(buf,
			    "\x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\0"
			    "\0\0\0\0\0\0\0\0\0\0\0\0",
			    28);
	/* A write of 4 KiB at 6 GiB, with FUA. */
	ballast_wire_put_request(buf, 1, 1, 0x1122334455667788ULL, 6ULL << 30, 4096);
	assert_memory_equal(buf,
			    "\x25\x60\x95\x13\0\1\0\1"
			    "\x11\x22\x33\x44\x55\x66\x77\x88"
			    "\0\0\0\1\x80\0\0\0\0\0\x10\0",
			    28);
	ballast_wire_put_request(buf, 0xa1b2, 0xc3d4, ~0ULL, 0x0102030405060708ULL,
			 0xfffefdfc);
	assert_memory_equal(buf,
			    "\x25\x60\x95\x13\xa1\xb2\xc3\xd4"
			    "\xff\xff\xff\xff\xff\xff\xff\xff"
			    "\1\2\3\4\5\6\7\x08\xff\xfe\xfd\xfc",
			    28);
}

/* An EINVAL */
static const u8 simple[] = { 0x67, 0x44, 0x66, 0x98, 0,	   0,	 0,    22,
			     0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
/* 13 bytes of OFFSET_DATA, not the last */
static const u8 chunk[] = { 0x66, 0x8e, 0x33, 0xef, 0,	  0,	0,
			    1,	  0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
			    0x77, 0x88, 0,    0,    0,	  13 };

static int get_reply(const u8 *bytes, size_t have, bool structured,
		     struct wire_reply *reply)
{
	memset(reply, 0x55, sizeof(*reply));
	return ballast_wire_get_reply(unit_copy(bytes, have), have, structured, reply,
			      &why);
}

static void test_simple_reply(void **state)
{
	struct wire_reply reply;
	size_t have;
	int i;

	for (i = 0; i < 2; i++) {
		why = NULL;
		for (have = 0; have < 16; have++)
			assert_int_equal(get_reply(simple, have, i, &reply),
					 16);
		assert_null(why);

		assert_wire_ok(get_reply(simple, 16, i, &reply));
		assert_false(reply.structured);
		assert_true(reply.done);
		assert_int_equal(reply.type, 0);
		assert_int_equal(reply.error, 22);
		assert_int_equal(reply.length, 0);
		assert_true(reply.cookie == 0x1122334455667788ULL);
	}
}

static void test_chunk(void **state)
{
	struct wire_reply reply;
	size_t have;

	why = NULL;
	for (have = 0; have < 20; have++)
		assert_int_equal(get_reply(chunk, have, true, &reply),
				 have < 4 ? 16 : 20);
	assert_null(why);

	assert_wire_ok(get_reply(chunk, 20, true, &reply));
	assert_true(reply.structured);
	assert_false(reply.done);
	assert_int_equal(reply.type, 1);
	assert_int_equal(reply.error, 0);
	assert_int_equal(reply.length, 13);
	assert_true(reply.cookie == 0x1122334455667788ULL);
}

/* A client has to ignore flags that it does not know. */
static void test_chunk_flags(void **state)
{
	static const struct {
		u16 flags;
		bool done;
	} table[] = { { 0, false }, { 1, true }, { 0xfffe, false },
		      { 0x0100, false }, { 0xffff, true }, { 3, true } };
	struct wire_reply reply;
	unsigned int i;
	u8 buf[20];

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		memcpy(buf, chunk, 20);
		buf[4] = table[i].flags >> 8;
		buf[5] = table[i].flags & 0xff;
		assert_wire_ok(get_reply(buf, 20, true, &reply));
		assert_true(reply.done == table[i].done);
	}
}

static void test_chunk_wide(void **state)
{
	static const u8 wide[] = { 0x66, 0x8e, 0x33, 0xef, 0,	 1,    0x80,
				   0x02, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa,
				   0xf9, 0xf8, 0xff, 0xee, 0xdd, 0xcc };
	struct wire_reply reply;

	assert_wire_ok(get_reply(wide, 20, true, &reply));
	assert_int_equal(reply.type, 0x8002);
	assert_int_equal(reply.length, 0xffeeddcc);
	assert_true(reply.cookie == 0xfffefdfcfbfaf9f8ULL);
}

/* Known by its magic, so before the rest of it has come. */
static void test_chunk_not_agreed_on(void **state)
{
	struct wire_reply reply;
	size_t have;

	for (have = 4; have <= 20; have++)
		assert_wire_error(get_reply(chunk, have, false, &reply), EPROTO,
				  "structured reply, which was not negotiated");
}

static void test_reply_magic(void **state)
{
	struct wire_reply reply;
	u8 buf[20] = { 0x25, 0x60, 0x95, 0x13 };
	size_t have;
	int i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(get_reply(buf, 3, i, &reply), 16);
		for (have = 4; have <= 20; have++)
			assert_wire_error(get_reply(buf, have, i, &reply),
					  EPROTO, "wrong magic in a reply");
	}
	for (i = 0; i < 32; i++) {
		memcpy(buf, simple, 16);
		buf[i / 8] ^= 1 << i % 8;
		assert_wire_error(get_reply(buf, 16, true, &reply), EPROTO,
				  "wrong magic in a reply");
	}
}

#define LENGTH	"chunk of a wrong length"
#define TYPE	"chunk of a type that was not negotiated"

/*
 * @fixed is the length that is right, or -EPROTO with @text. What a chunk of
 * BLOCK_STATUS is, was not negotiated.
 */
static const struct {
	u16 type;
	bool done;
	u32 length;
	int fixed;
	const char *text;
} chunks[] = {
	/* NONE */
	{ 0, true, 0, 0, NULL },
	{ 0, false, 0, -EPROTO, LENGTH },
	{ 0, true, 1, -EPROTO, LENGTH },
	{ 0, false, 1, -EPROTO, LENGTH },
	{ 0, true, 0xffffffff, -EPROTO, LENGTH },
	/* OFFSET_DATA */
	{ 1, true, 0, -EPROTO, LENGTH },
	{ 1, true, 7, -EPROTO, LENGTH },
	{ 1, true, 8, -EPROTO, LENGTH },
	{ 1, true, 9, 8, NULL },
	{ 1, false, 9, 8, NULL },
	{ 1, false, 4104, 8, NULL },
	{ 1, false, 0xffffffff, 8, NULL },
	/* OFFSET_HOLE */
	{ 2, true, 0, -EPROTO, LENGTH },
	{ 2, true, 11, -EPROTO, LENGTH },
	{ 2, true, 12, 12, NULL },
	{ 2, false, 12, 12, NULL },
	{ 2, true, 13, -EPROTO, LENGTH },
	{ 2, true, 0xffffffff, -EPROTO, LENGTH },
	/* Not agreed on, BLOCK_STATUS among them */
	{ 3, true, 12, -EPROTO, TYPE },
	{ 4, true, 12, -EPROTO, TYPE },
	{ 5, true, 12, -EPROTO, TYPE },
	{ 6, true, 12, -EPROTO, TYPE },
	{ 0x0100, true, 0, -EPROTO, TYPE },
	{ 0x7fff, true, 12, -EPROTO, TYPE },
	/* ERROR */
	{ 0x8001, true, 0, -EPROTO, LENGTH },
	{ 0x8001, true, 5, -EPROTO, LENGTH },
	{ 0x8001, true, 6, 6, NULL },
	{ 0x8001, false, 6, 6, NULL },
	{ 0x8001, true, 6 + 4096, 6, NULL },
	{ 0x8001, true, 4111, -EPROTO, LENGTH },
	{ 0x8001, true, 0xffffffff, -EPROTO, LENGTH },
	/* ERROR_OFFSET */
	{ 0x8002, true, 0, -EPROTO, LENGTH },
	{ 0x8002, true, 5, -EPROTO, LENGTH },
	{ 0x8002, true, 14, 6, NULL },
	{ 0x8002, false, 14, 6, NULL },
	{ 0x8002, true, 14 + 4096, 6, NULL },
	{ 0x8002, true, 14 + 4096 + 1, -EPROTO, LENGTH },
	/* Error types that are not defined yet are errors too. */
	{ 0x8000, true, 6, 6, NULL },
	{ 0x8003, true, 6, 6, NULL },
	{ 0x8003, true, 20, 6, NULL },
	{ 0x8003, true, 5, -EPROTO, LENGTH },
	{ 0xffff, true, 4110, 6, NULL },
	{ 0xffff, true, 4111, -EPROTO, LENGTH },
};

static void test_chunk_fixed_len(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		struct wire_reply reply = {
			.structured = true,
			.done = chunks[i].done,
			.type = chunks[i].type,
			.length = chunks[i].length,
		};
		int fixed;

		why = NULL;
		fixed = ballast_wire_chunk_fixed_len(&reply, &why);
		if (fixed != chunks[i].fixed)
			print_error("type 0x%x, length %u\n", chunks[i].type,
				    chunks[i].length);
		assert_int_equal(fixed, chunks[i].fixed);
		if (fixed < 0)
			assert_string_equal(why, chunks[i].text);
		else
			assert_null(why);
	}
}

/* The error, the message's length and the offset are there in any case. */
static void test_chunk_error_offset_length(void **state)
{
	u32 length;

	for (length = 6; length < 14; length++) {
		struct wire_reply reply = {
			.structured = true,
			.type = 0x8002,
			.length = length,
		};

		assert_wire_error(ballast_wire_chunk_fixed_len(&reply, &why), EPROTO,
				  LENGTH);
	}
}

#define TOP	(~0ULL)

static const struct {
	u64 offset; /* of the read */
	u32 length;
	u64 at; /* of the chunk */
	u32 n;
	bool within;
} ranges[] = {
	/* Whole, first, middle, last */
	{ 4096, 8192, 4096, 8192, true },
	{ 4096, 8192, 4096, 1, true },
	{ 4096, 8192, 6000, 100, true },
	{ 4096, 8192, 12287, 1, true },
	{ 0, 1, 0, 1, true },
	/* Before it */
	{ 4096, 8192, 0, 4096, false },
	{ 4096, 8192, 0, 1, false },
	{ 4096, 8192, 4095, 1, false },
	/* Behind it */
	{ 4096, 8192, 12288, 1, false },
	{ 4096, 8192, 12289, 1, false },
	{ 4096, 8192, TOP, 1, false },
	{ 0, 512, 1ULL << 32, 512, false },
	{ 0, 512, 1ULL << 63, 512, false },
	/* Across an edge, or both */
	{ 4096, 8192, 4095, 2, false },
	{ 4096, 8192, 4095, 8193, false },
	{ 4096, 8192, 4095, 8194, false },
	{ 4096, 8192, 12287, 2, false },
	{ 4096, 8192, 4096, 8193, false },
	{ 4096, 8192, 4097, 8192, false },
	{ 4096, 8192, 0, 65536, false },
	/* Nothing at all */
	{ 4096, 8192, 4096, 0, false },
	{ 4096, 8192, 6000, 0, false },
	{ 4096, 8192, 12288, 0, false },
	/* Where start and length wrap around in 32 bits */
	{ 4096, 8192, 6000, 0xfffffff7, false },
	{ 0, 0xfffff000, 4096, 0xffffeff7, false },
	{ 0, 0xfffff000, 0, 0xfffff000, true },
	{ 0, 0xffffffff, 0xfffffffe, 1, true },
	{ 0, 0xffffffff, 0xfffffffe, 2, false },
	{ 0, 0xffffffff, 0xffffffff, 1, false },
	{ 0, 8192, 1, 0xffffffff, false },
	/* Likewise in 64 */
	{ TOP - 8191, 8191, TOP - 8191, 8191, true },
	{ TOP - 8191, 8191, TOP - 1, 1, true },
	{ TOP - 8191, 8191, TOP - 1, 2, false },
	{ TOP - 8191, 8191, TOP, 1, false },
	{ TOP - 8191, 8191, TOP - 4095, 4096, false },
	{ TOP - 8191, 8191, 0, 1, false },
	{ 4096, 8192, TOP - 4095, 8193, false },
	{ 4096, 8192, TOP, 4098, false },
	/* Beyond 4 GiB */
	{ 1ULL << 40, 8192, (1ULL << 40) + 4096, 4096, true },
	{ 1ULL << 40, 8192, 4096, 4096, false },
	{ 1ULL << 40, 8192, (1ULL << 41) + 4096, 4096, false },
	{ (1ULL << 63) - 1024, 1024, (1ULL << 63) - 512, 512, true },
};

static void put_be(u8 *to, u64 value, unsigned int bytes)
{
	while (bytes--) {
		to[bytes] = value & 0xff;
		value >>= 8;
	}
}

static void check_range(unsigned int i, bool hole)
{
	struct wire_reply reply = {
		.structured = true,
		.type = hole ? 2 : 1,
		.length = hole ? 12 : ranges[i].n + 8,
	};
	u8 *fixed = unit_alloc(hole ? 12 : 8);
	u32 start = 0x55555555, len = 0x55555555;
	int err;

	put_be(fixed, ranges[i].at, 8);
	if (hole)
		put_be(fixed + 8, ranges[i].n, 4);
	why = NULL;
	err = ballast_wire_get_chunk_range(&reply, fixed, ranges[i].offset,
				   ranges[i].length, &start, &len, &why);
	if (err != (ranges[i].within ? 0 : -EPROTO))
		print_error("entry %u of the table\n", i);
	if (!ranges[i].within) {
		assert_int_equal(err, -EPROTO);
		assert_string_equal(why,
				    "chunk outside of the range that was read");
		return;
	}
	assert_int_equal(err, 0);
	assert_null(why);
	assert_int_equal(start, ranges[i].at - ranges[i].offset);
	assert_int_equal(len, ranges[i].n);
}

/* The longest hole is longer than data can be. */
static void test_range_of_data(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].n != 0xffffffff)
			check_range(i, false);
}

static void test_range_of_hole(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		check_range(i, true);
}

static const struct {
	u16 type;
	u32 length; /* of the chunk */
	const char fixed[7];
	int err;
	u32 error;
} error_chunks[] = {
	{ 0x8001, 6, "\0\0\0\x1c\0\0", 0, 28 },
	{ 0x8001, 11, "\0\0\0\x1c\0\5", 0, 28 },
	{ 0x8001, 12, "\0\0\0\x1c\0\5", 0, 28 },
	{ 0x8001, 10, "\0\0\0\x1c\0\5", -EPROTO, 0 },
	{ 0x8001, 6, "\0\0\0\5\xff\xff", -EPROTO, 0 },
	{ 0x8001, 6, "\xfe\xdc\xba\x98\0\0", 0, 0xfedcba98 },
	{ 0x8002, 14, "\0\0\0\5\0\0", 0, 5 },
	{ 0x8002, 14, "\0\0\0\5\0\1", -EPROTO, 0 },
	{ 0x8002, 19, "\0\0\0\5\0\5", 0, 5 },
	{ 0x8002, 18, "\0\0\0\5\0\5", -EPROTO, 0 },
	{ 0xffff, 106, "\0\0\0\1\0\x64", 0, 1 },
};

static void test_chunk_error(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(error_chunks); i++) {
		struct wire_reply reply = {
			.structured = true,
			.type = error_chunks[i].type,
			.length = error_chunks[i].length,
		};
		u32 error = 4711;

		why = NULL;
		assert_int_equal(ballast_wire_get_chunk_error(
					 &reply,
					 unit_copy(error_chunks[i].fixed, 6),
					 &error, &why),
				 error_chunks[i].err);
		if (error_chunks[i].err)
			assert_string_equal(why, "an error's text is longer than its chunk");
		else
			assert_int_equal(error, error_chunks[i].error);
	}
}

static void test_errno(void **state)
{
	static const struct {
		u32 error;
		int err;
	} table[] = {
		{ 0, 0 },	       { 1, EPERM },  { 5, EIO },
		{ 12, ENOMEM },	       { 22, EINVAL }, { 28, ENOSPC },
		{ 75, EOVERFLOW },     { 95, EOPNOTSUPP },
		{ 108, ESHUTDOWN },
	};
	static const u32 far[] = { 4095, 4096, 0x7fffffff, 0x80000000,
				   0xffffffff, 0xffffff84 };
	u32 error;
	unsigned int i, known = 0;

	for (error = 0; error < 200; error++) {
		int err = EIO;

		for (i = 0; i < ARRAY_SIZE(table); i++) {
			if (table[i].error != error)
				continue;
			err = table[i].err;
			known++;
		}
		assert_int_equal(ballast_wire_errno(error), -err);
	}
	assert_int_equal(known, ARRAY_SIZE(table));
	for (i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(ballast_wire_errno(far[i]), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_put_request),
		UNIT_TEST(test_simple_reply),
		UNIT_TEST(test_chunk),
		UNIT_TEST(test_chunk_flags),
		UNIT_TEST(test_chunk_wide),
		UNIT_TEST(test_chunk_not_agreed_on),
		UNIT_TEST(test_reply_magic),
		UNIT_TEST(test_chunk_fixed_len),
		UNIT_TEST(test_chunk_error_offset_length),
		UNIT_TEST(test_range_of_data),
		UNIT_TEST(test_range_of_hole),
		UNIT_TEST(test_chunk_error),
		UNIT_TEST(test_errno),
	};

	return cmocka_run_group_tests_name("wire: transmission", tests, NULL, NULL);
}
