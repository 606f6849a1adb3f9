// SPDX-License-Identifier: GPL-2.0
/*
 * The NBD wire format. What is right is said by the protocol's text, so the
 * bytes here are written out and not made of the names in wire.h.
 */
#include "unit.h"

#include <inttypes.h>

#include "wire.h"

/* That a function fails, sets *why and says just that. */
#define assert_wire_error(call, errno_, text)                             \
	do {                                                              \
		why = NULL;                                               \
		assert_int_equal(call, -(errno_));                        \
		assert_non_null(why);                                     \
		assert_string_equal(why, text);                           \
	} while (0)

#define assert_wire_ok(call)                                              \
	do {                                                              \
		why = NULL;                                               \
		assert_int_equal(call, 0);                                \
		assert_null(why);                                         \
	} while (0)

#define PAGE	4096

static const char *why;

/*
 * Negotiation
 */

static void test_magic(void **state)
{
	const char *text = "this is no NBD server (wrong magic)";
	unsigned int i;

	assert_wire_ok(wire_check_magic(unit_copy("NBDMAGIC", 8), &why));
	assert_wire_error(wire_check_magic(unit_copy("SSH-2.0-", 8), &why),
			  EPROTO, text);
	for (i = 0; i < 8; i++) {
		u8 *buf = unit_copy("NBDMAGIC", 8);

		buf[i] ^= 0x20;
		assert_wire_error(wire_check_magic(buf, &why), EPROTO, text);
	}
}

static void test_greeting_newstyle(void **state)
{
	static const u16 given[] = { 0, 1, 2, 3, 0x0100, 0xffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(given); i++) {
		u8 *buf = unit_copy("NBDMAGICIHAVEOPT\0\0", 18);
		u16 flags = 0x5555;

		buf[16] = given[i] >> 8;
		buf[17] = given[i] & 0xff;
		assert_wire_ok(wire_get_greeting(buf, &flags, &why));
		assert_int_equal(flags, given[i]);
	}
}

static void test_greeting_oldstyle(void **state)
{
	u8 *buf = unit_copy("NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53\0\0", 18);
	u16 flags;

	assert_wire_error(wire_get_greeting(buf, &flags, &why), EPROTO,
			  "the server speaks the oldstyle negotiation only");
}

static void test_greeting_neither(void **state)
{
	unsigned int i;
	u16 flags;

	for (i = 8; i < 16; i++) {
		u8 *buf = unit_copy("NBDMAGICIHAVEOPT\0\0", 18);

		buf[i] ^= 0x01;
		assert_wire_error(wire_get_greeting(buf, &flags, &why), EPROTO,
				  "this is no NBD server (wrong option magic)");
	}
}

static void test_put_option(void **state)
{
	u8 *buf = unit_alloc(16);

	wire_put_option(buf, 8, 0);
	assert_memory_equal(buf, "IHAVEOPT\0\0\0\x08\0\0\0\0", 16);
	wire_put_option(buf, 0x01020304, 0xfffefdfc);
	assert_memory_equal(buf, "IHAVEOPT\1\2\3\4\xff\xfe\xfd\xfc", 16);
}

/* Of a reply to NBD_OPT_GO, of type NBD_REP_INFO. */
static u8 *option_reply(u32 length)
{
	u8 *buf = unit_copy(BYTES(0x00, 0x03, 0xe8, 0x89, 0x04, 0x55, 0x65,
				  0xa9, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0),
			    20);

	buf[16] = length >> 24;
	buf[17] = length >> 16;
	buf[18] = length >> 8;
	buf[19] = length;
	return buf;
}

static void test_option_reply(void **state)
{
	struct wire_option_reply reply = {};
	u8 *buf = option_reply(12);

	assert_wire_ok(wire_get_option_reply(buf, 7, &reply, &why));
	assert_int_equal(reply.option, 7);
	assert_int_equal(reply.type, 3);
	assert_int_equal(reply.length, 12);

	memcpy(buf + 12, BYTES(0x80, 0, 0, 6), 4);
	assert_wire_ok(wire_get_option_reply(buf, 7, &reply, &why));
	assert_int_equal(reply.type, 0x80000006);
}

static void test_option_reply_magic(void **state)
{
	struct wire_option_reply reply;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u8 *buf = option_reply(0);

		buf[i] ^= 0x80;
		assert_wire_error(wire_get_option_reply(buf, 7, &reply, &why),
				  EPROTO,
				  "wrong magic in a reply to an option");
	}
}

static void test_option_reply_to_another(void **state)
{
	struct wire_option_reply reply;
	unsigned int i;

	for (i = 8; i < 12; i++) {
		u8 *buf = option_reply(0);

		buf[i] ^= 0x01;
		assert_wire_error(wire_get_option_reply(buf, 7, &reply, &why),
				  EPROTO,
				  "reply to an option that was not sent");
	}
}

static void test_option_reply_length(void **state)
{
	static const u32 good[] = { 0, 2, 14, 4096, 4098, 8192 };
	static const u32 bad[] = { 8193, 0x10000, 0x7fffffff, 0x80000000,
				   0xffffffff };
	struct wire_option_reply reply;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_wire_ok(wire_get_option_reply(option_reply(good[i]), 7,
						     &reply, &why));
		assert_int_equal(reply.length, good[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_wire_error(
			wire_get_option_reply(option_reply(bad[i]), 7, &reply,
					      &why),
			EPROTO,
			"reply to an option is longer than the protocol allows");
}

static void test_rep_errno(void **state)
{
	static const struct {
		u32 type;
		int err;
		const char *text;
	} table[] = {
		{ 0x80000001, EOPNOTSUPP, "the server does not support it" },
		{ 0x80000002, EACCES, "the server's policy forbids it" },
		{ 0x80000003, EINVAL,
		  "the server calls the request for the export invalid" },
		{ 0x80000004, EOPNOTSUPP, "the server does not support it" },
		{ 0x80000005, EOPNOTSUPP,
		  "the server demands TLS, which ballast does not speak" },
		{ 0x80000006, ENOENT, "the server has no such export" },
		{ 0x80000007, ECONNREFUSED, "the server is shutting down" },
		{ 0x80000008, EPROTO,
		  "the server demands block sizes that it did not tell" },
		{ 0x80000009, EINVAL,
		  "the server calls the request for the export invalid" },
	};
	/* The first is of an extension that is not asked for. */
	static const u32 other[] = { 0x8000000a, 0x80000000, 0xffffffff, 0, 2,
				     6 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		assert_wire_error(wire_rep_errno(table[i].type, &why),
				  table[i].err, table[i].text);
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		why = NULL;
		assert_int_equal(wire_rep_errno(other[i], &why), -EPROTO);
		assert_non_null(why);
	}
}

static void test_put_go(void **state)
{
	u8 *head = unit_alloc(20), *tail = unit_alloc(6);

	wire_put_go(head, tail, 0);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\0\x0a\0\0\0\0", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);

	wire_put_go(head, tail, 5);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\0\x0f\0\0\0\5", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);

	wire_put_go(head, tail, 4096);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\x10\x0a\0\0\x10\0", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);
}

static void test_info_export(void **state)
{
	u8 *buf = unit_copy("\0\0\x01\x23\x45\x67\x89\xab\xcd\xef\x05\x6d", 12);
	struct wire_export export = { .min_block = 1, .preferred_block = 2,
				      .max_payload = 3, .structured = true };
	u16 type = 0x5555;

	assert_wire_ok(wire_get_info(buf, 12, &export, &type, &why));
	assert_int_equal(type, 0);
	assert_true(export.size == 0x0123456789abcdefULL);
	assert_int_equal(export.flags, 0x056d);
	assert_int_equal(export.min_block, 1);
	assert_int_equal(export.preferred_block, 2);
	assert_int_equal(export.max_payload, 3);
	assert_true(export.structured);
}

static void test_info_block_size(void **state)
{
	u8 *buf = unit_copy("\0\3\0\0\2\0\0\1\x10\0\xff\xff\xff\xff", 14);
	struct wire_export export = { .size = 4, .flags = 5 };
	u16 type = 0x5555;

	assert_wire_ok(wire_get_info(buf, 14, &export, &type, &why));
	assert_int_equal(type, 3);
	assert_int_equal(export.min_block, 0x200);
	assert_int_equal(export.preferred_block, 0x11000);
	assert_int_equal(export.max_payload, 0xffffffff);
	assert_true(export.size == 4);
	assert_int_equal(export.flags, 5);
	assert_false(export.structured);
}

static void test_info_min_block_0(void **state)
{
	u8 *buf = unit_copy("\0\3\0\0\0\0\0\0\x10\0\2\0\0\0", 14);
	struct wire_export export = {};
	u16 type;

	assert_wire_error(wire_get_info(buf, 14, &export, &type, &why), EPROTO,
			  "minimum block size is 0");
}

/* A name, a description, one yet to come: at any length. */
static void test_info_passed_over(void **state)
{
	static const u16 types[] = { 1, 2, 4, 0x0100, 0x0300, 0xffff };
	static const u32 lengths[] = { 2, 3, 12, 14, 15, 4098, 0xffffffff };
	const struct wire_export none = {};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			u8 *buf = unit_alloc(min_t(u32, lengths[j], 14));
			struct wire_export export = none;
			u16 type = 0x5555;

			memset(buf, 'x', min_t(u32, lengths[j], 14));
			buf[0] = types[i] >> 8;
			buf[1] = types[i] & 0xff;
			assert_wire_ok(wire_get_info(buf, lengths[j], &export,
						     &type, &why));
			assert_int_equal(type, types[i]);
			assert_memory_equal(&export, &none, sizeof(none));
		}
	}
}

static void test_info_too_short(void **state)
{
	struct wire_export export = {};
	u32 length;
	u16 type;

	for (length = 0; length < 2; length++)
		assert_wire_error(wire_get_info(unit_copy("\0\0", length),
						length, &export, &type, &why),
				  EPROTO,
				  "information on the export is too short");
}

static void test_info_wrong_length(void **state)
{
	static const u32 lengths[] = { 2, 3, 10, 11, 12, 13, 14, 15, 4098,
				       0xffffffff };
	struct wire_export export = {};
	unsigned int i;
	u16 type;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		u32 length = lengths[i], have = min_t(u32, length, 14);
		const void *size = "\0\0aaaaaaaaaaaa", *block = "\0\3bbbbbbbbbbbb";

		if (length != 12)
			assert_wire_error(
				wire_get_info(unit_copy(size, have), length,
					      &export, &type, &why),
				EPROTO,
				"information on the export's size has a wrong length");
		if (length != 14)
			assert_wire_error(
				wire_get_info(unit_copy(block, have), length,
					      &export, &type, &why),
				EPROTO,
				"information on block sizes has a wrong length");
	}
}

static void test_export_name_reply(void **state)
{
	u8 *buf = unit_copy("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x03", 10);
	struct wire_export export = { .min_block = 1, .structured = true };

	wire_get_export_name_reply(buf, &export);
	assert_true(export.size == 0x0123456789abcdefULL);
	assert_int_equal(export.flags, 0x0103);
	assert_int_equal(export.min_block, 1);
	assert_true(export.structured);
}

/*
 * Whether an export can be a disk
 */

#define SIZE_1G		(1ULL << 30)
#define MAX_PAYLOAD	(32U << 20)

static const char not_power[] = "block size is not a power of two";
static const char over_page[] = "block size is larger than a page";
static const char not_preferred[] = "preferred block size is not a power of two";
static const char short_payload[] = "longest request is shorter than a page";
static const char size_0[] = "export size is 0";
static const char size_over[] = "export size is over 2^63 - 1 bytes";
static const char not_multiple[] =
	"export size is not a multiple of its block size";

/* What the server tells: size, minimum, preferred, longest; 0 is nothing */
struct told {
	u64 size;
	u32 min_block, preferred_block, max_payload;
};

static const struct {
	struct told told;
	u32 min_block, preferred_block, max_payload;
} exports[] = {
	{ { SIZE_1G, 0, 0, 0 }, 512, 512, MAX_PAYLOAD },

	/* Sizes */
	{ { 512, 1, 1, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G + 512, 512, 512, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G + 4096, 4096, 4096, 0 }, 4096, 4096, MAX_PAYLOAD },
	{ { (1ULL << 63) - 512, 0, 0, 0 }, 512, 512, MAX_PAYLOAD },
	{ { (1ULL << 63) - 4096, 4096, 0, 0 }, 4096, 4096, MAX_PAYLOAD },

	/* Block sizes */
	{ { SIZE_1G, 1, 0, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G, 256, 0, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G, 512, 0, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G, 1024, 0, 0 }, 1024, 1024, MAX_PAYLOAD },
	{ { SIZE_1G, 4096, 0, 0 }, 4096, 4096, MAX_PAYLOAD },

	/* Preferred block sizes */
	{ { SIZE_1G, 1, 1, 0 }, 512, 512, MAX_PAYLOAD },
	{ { SIZE_1G, 4096, 512, 0 }, 4096, 4096, MAX_PAYLOAD },
	{ { SIZE_1G, 512, 4096, 0 }, 512, 4096, MAX_PAYLOAD },
	{ { SIZE_1G, 0, 65536, 0 }, 512, 65536, MAX_PAYLOAD },
	{ { 512, 1, 1 << 20, 0 }, 512, 1 << 20, MAX_PAYLOAD },
	{ { SIZE_1G, 512, 1U << 31, 0 }, 512, 1U << 31, MAX_PAYLOAD },

	/* Longest requests */
	{ { SIZE_1G, 1, 4096, 0xffffffff }, 512, 4096, MAX_PAYLOAD },
	{ { SIZE_1G, 1, 4096, MAX_PAYLOAD + 1 }, 512, 4096, MAX_PAYLOAD },
	{ { SIZE_1G, 1, 4096, MAX_PAYLOAD }, 512, 4096, MAX_PAYLOAD },
	{ { SIZE_1G, 1, 4096, MAX_PAYLOAD - 1 }, 512, 4096, MAX_PAYLOAD - 512 },
	{ { SIZE_1G, 4096, 4096, MAX_PAYLOAD - 1 }, 4096, 4096,
	  MAX_PAYLOAD - 4096 },
	{ { SIZE_1G, 1, 512, 5000 }, 512, 512, 4608 },
	{ { SIZE_1G, 1, 512, 4096 }, 512, 512, 4096 },
};

static const struct {
	struct told told;
	int err;
	const char *text;
} no_exports[] = {
	/* Sizes */
	{ { 0, 0, 0, 0 }, EINVAL, size_0 },
	{ { 1, 0, 0, 0 }, EINVAL, not_multiple },
	{ { 511, 1, 1, 0 }, EINVAL, not_multiple },
	{ { 513, 1, 1, 0 }, EINVAL, not_multiple },
	{ { SIZE_1G + 512, 4096, 4096, 0 }, EINVAL, not_multiple },
	{ { (1ULL << 63) - 512, 4096, 0, 0 }, EINVAL, not_multiple },
	{ { (1ULL << 63) - 1, 0, 0, 0 }, EINVAL, not_multiple },
	{ { 1ULL << 63, 0, 0, 0 }, EFBIG, size_over },
	{ { -512ULL, 0, 0, 0 }, EFBIG, size_over },
	{ { ~0ULL, 0, 0, 0 }, EFBIG, size_over },

	/* Block sizes */
	{ { SIZE_1G, 3, 0, 0 }, EINVAL, not_power },
	{ { SIZE_1G, 513, 0, 0 }, EINVAL, not_power },
	{ { SIZE_1G, 0xffffffff, 0, 0 }, EINVAL, not_power },
	{ { SIZE_1G, 8192, 0, 0 }, EINVAL, over_page },
	{ { SIZE_1G, 65536, 65536, 0 }, EINVAL, over_page },
	{ { SIZE_1G, 1 << 20, 1 << 20, 0 }, EINVAL, over_page },
	{ { SIZE_1G, 1U << 31, 1U << 31, 0 }, EINVAL, over_page },

	/* Preferred block sizes */
	{ { SIZE_1G, 512, 3, 0 }, EINVAL, not_preferred },
	{ { SIZE_1G, 512, 4097, 0 }, EINVAL, not_preferred },
	{ { SIZE_1G, 512, 0xffffffff, 0 }, EINVAL, not_preferred },

	/* Longest requests */
	{ { SIZE_1G, 1, 512, 4095 }, EINVAL, short_payload },
	{ { SIZE_1G, 1, 512, 512 }, EINVAL, short_payload },
	{ { SIZE_1G, 1, 512, 1 }, EINVAL, short_payload },
};

static struct wire_export export_of(const struct told *told)
{
	return (struct wire_export) {
		.size = told->size,
		.flags = 0x056d,
		.min_block = told->min_block,
		.preferred_block = told->preferred_block,
		.max_payload = told->max_payload,
		.structured = true,
	};
}

static void test_check_export(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(exports); i++) {
		struct wire_export export = export_of(&exports[i].told);
		int err;

		why = NULL;
		err = wire_check_export(&export, PAGE, &why);
		if (err)
			print_error("exports[%u]: %s\n", i, why);
		assert_int_equal(err, 0);
		assert_null(why);
		assert_true(export.size == exports[i].told.size);
		assert_int_equal(export.flags, 0x056d);
		assert_true(export.structured);
		assert_int_equal(export.min_block, exports[i].min_block);
		assert_int_equal(export.preferred_block,
				 exports[i].preferred_block);
		assert_int_equal(export.max_payload, exports[i].max_payload);
	}
}

static void test_check_export_refused(void **state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(no_exports); i++) {
		struct wire_export export = export_of(&no_exports[i].told);
		int err;

		why = NULL;
		err = wire_check_export(&export, PAGE, &why);
		if (err != -no_exports[i].err)
			print_error("no_exports[%u]\n", i);
		assert_int_equal(err, -no_exports[i].err);
		assert_string_equal(why, no_exports[i].text);
	}
}

/* What is too large for one machine's pages is not for another's. */
static void test_check_export_page_size(void **state)
{
	struct wire_export export = { .size = SIZE_1G, .min_block = 65536 };

	assert_wire_ok(wire_check_export(&export, 65536, &why));
	assert_int_equal(export.min_block, 65536);
	assert_int_equal(export.preferred_block, 65536);
	export.min_block = 1 << 17;
	assert_wire_error(wire_check_export(&export, 65536, &why), EINVAL,
			  over_page);
	export.min_block = 512;
	export.max_payload = 65535;
	assert_wire_error(wire_check_export(&export, 65536, &why), EINVAL,
			  short_payload);
}

static void test_check_export_flags(void **state)
{
	static const struct {
		u16 told, made;
	} flags[] = {
		{ 0, 0 },
		{ 0xfffe, 0 }, /* bit 0 says that the others mean something */
		{ 1, 1 },
		{ 0x056d, 0x056d },
		{ 0xffff, 0xffff },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct wire_export export = { .size = SIZE_1G,
					      .flags = flags[i].told };

		assert_wire_ok(wire_check_export(&export, PAGE, &why));
		assert_int_equal(export.flags, flags[i].made);
	}
}

/*
 * Transmission
 */

static void test_put_request(void **state)
{
	u8 *buf = unit_alloc(28);

	wire_put_request(buf, 0, 0, 0, 0, 0);
	assert_memory_equal(buf,
			    "\x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\0"
			    "\0\0\0\0\0\0\0\0\0\0\0\0",
			    28);
	/* A write of 4 KiB at 6 GiB, with FUA. */
	wire_put_request(buf, 1, 1, 0x1122334455667788ULL, 6ULL << 30, 4096);
	assert_memory_equal(buf,
			    "\x25\x60\x95\x13\0\1\0\1"
			    "\x11\x22\x33\x44\x55\x66\x77\x88"
			    "\0\0\0\1\x80\0\0\0\0\0\x10\0",
			    28);
	wire_put_request(buf, 0xa1b2, 0xc3d4, ~0ULL, 0x0102030405060708ULL,
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
	return wire_get_reply(unit_copy(bytes, have), have, structured, reply,
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
				  "structured reply, which was not agreed on");
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
#define TYPE	"chunk of a type that was not agreed on"

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
	/* Errors that nobody knows yet are errors. */
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
		fixed = wire_chunk_fixed_len(&reply, &why);
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

		assert_wire_error(wire_chunk_fixed_len(&reply, &why), EPROTO,
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
	err = wire_get_chunk_range(&reply, fixed, ranges[i].offset,
				   ranges[i].length, &start, &len, &why);
	if (err != (ranges[i].within ? 0 : -EPROTO))
		print_error("entry %u of the table\n", i);
	if (!ranges[i].within) {
		assert_int_equal(err, -EPROTO);
		assert_string_equal(why,
				    "chunk outside of what was asked for");
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
		assert_int_equal(wire_get_chunk_error(
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
		assert_int_equal(wire_errno(error), -err);
	}
	assert_int_equal(known, ARRAY_SIZE(table));
	for (i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(wire_errno(far[i]), -EIO);
}

/*
 * What of a read has arrived
 */

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
	wire_cover_init(&cover);
	for (; piece->length; piece++)
		assert_int_equal(wire_cover_add(&cover, piece->start,
						piece->length),
				 0);
	return cover;
}

static void test_cover_nothing(void **state)
{
	struct wire_cover cover;

	memset(&cover, 0x55, sizeof(cover));
	wire_cover_init(&cover);
	assert_int_equal(cover.nr, 0);
	assert_false(wire_cover_whole(&cover, 0));
	assert_false(wire_cover_whole(&cover, 512));
}

static void test_cover_at_once(void **state)
{
	struct wire_cover cover = cover_of(PIECES({ 0, 4096 }));

	assert_true(wire_cover_whole(&cover, 4096));
	assert_false(wire_cover_whole(&cover, 4095));
	assert_false(wire_cover_whole(&cover, 4097));
	assert_false(wire_cover_whole(&cover, 0));

	cover = cover_of(PIECES({ 0, 0xffffffff }));
	assert_true(wire_cover_whole(&cover, 0xffffffff));
}

static void test_cover_not_whole(void **state)
{
	struct wire_cover cover = cover_of(PIECES({ 1, 4095 }));

	assert_false(wire_cover_whole(&cover, 4096));
	cover = cover_of(PIECES({ 0, 4095 }));
	assert_false(wire_cover_whole(&cover, 4096));
	cover = cover_of(PIECES({ 0, 2047 }, { 2048, 2048 }));
	assert_false(wire_cover_whole(&cover, 4096));
}

static void test_cover_in_order(void **state)
{
	struct wire_cover cover;
	unsigned int i;

	wire_cover_init(&cover);
	for (i = 0; i < 100; i++) {
		assert_false(wire_cover_whole(&cover, 51200));
		assert_int_equal(wire_cover_add(&cover, i * 512, 512), 0);
		assert_int_equal(cover.nr, 1);
	}
	assert_true(wire_cover_whole(&cover, 51200));
}

static void test_cover_in_reverse(void **state)
{
	struct wire_cover cover;
	unsigned int i;

	wire_cover_init(&cover);
	for (i = 100; i; i--) {
		assert_false(wire_cover_whole(&cover, 51200));
		assert_int_equal(wire_cover_add(&cover, (i - 1) * 512, 512), 0);
		assert_int_equal(cover.nr, 1);
	}
	assert_true(wire_cover_whole(&cover, 51200));
}

/* Two become one, with others before and behind them and without. */
static void test_cover_joins(void **state)
{
	struct wire_cover cover;

	cover = cover_of(PIECES({ 0, 10 }, { 20, 10 }, { 10, 10 }));
	assert_true(wire_cover_whole(&cover, 30));

	cover = cover_of(PIECES({ 0, 10 }, { 20, 10 }, { 40, 10 }, { 60, 10 },
				{ 10, 10 }));
	assert_int_equal(cover.nr, 3);
	assert_int_equal(wire_cover_add(&cover, 50, 10), 0);
	assert_int_equal(cover.nr, 2);
	assert_false(wire_cover_whole(&cover, 70));
	assert_int_equal(wire_cover_add(&cover, 30, 10), 0);
	assert_true(wire_cover_whole(&cover, 70));
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

		assert_int_equal(wire_cover_add(&cover, between[i], 3),
				 -E2BIG);
		/* Not when it is next to one of them, at either end. */
		assert_int_equal(wire_cover_add(&cover, 40, 3), 0);
		assert_int_equal(wire_cover_add(&cover, 47, 3), 0);
		/* Once two are one there is room again. */
		assert_int_equal(wire_cover_add(&cover, 43, 4), 0);
		assert_int_equal(cover.nr, 3);
		assert_int_equal(wire_cover_add(&cover, between[i] == 45 ?
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

			assert_int_equal(wire_cover_add(&cover, again[j].start,
							again[j].length),
					 -EPROTO);
		}
	}
	/* Right behind one and into the next, which is another branch. */
	for (i = 0; i + 1 < COVER_MAX; i++) {
		for (at = 11; at <= 40; at++) {
			struct wire_cover cover = cover_of(four);

			assert_int_equal(wire_cover_add(&cover,
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
	assert_int_equal(wire_cover_add(&cover, 0xfffffffe, 1), -EPROTO);
	assert_int_equal(wire_cover_add(&cover, 0, 0xffffffff), -EPROTO);
	assert_int_equal(wire_cover_add(&cover, 1, 0xfffffffd), 0);
	assert_true(wire_cover_whole(&cover, 0xffffffff));
}

/*
 * Against a model: a bit for each byte of a short read. It tells what has to
 * come of every piece, -E2BIG included, and which ranges there are then.
 */
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
	assert_true(wire_cover_whole(cover, MODEL_BITS) ==
		    (!base && bits == ~0ULL));
}

static void test_cover_model(void **state)
{
	unsigned int round, whole = 0, twice = 0, many = 0, joined = 0;

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

		wire_cover_init(&cover);
		while (bits != ~0ULL && tries--) {
			u32 start = model_pick(0, MODEL_BITS);
			u32 length = model_pick(1, longest);
			struct wire_cover before = cover;
			u64 piece;
			int err, right = 0;

			/* Mostly right behind something, as servers do. */
			if (model_pick(0, 4))
				start = model_free(bits, start);
			if (length > MODEL_BITS - start)
				length = MODEL_BITS - start;
			piece = model_bits(start, length);
			if (bits & piece)
				right = -EPROTO;
			else if (model_ranges(bits | piece) > COVER_MAX)
				right = -E2BIG;

			err = wire_cover_add(&cover, base + start, length);
			if (err != right)
				print_error("round %u: 0x%016" PRIx64
					    " and %u bytes at %u\n",
					    round, (uint64_t)bits, length,
					    start);
			assert_int_equal(err, right);
			twice += err == -EPROTO;
			many += err == -E2BIG;
			if (err) {
				/* The caller gives up then; we do not. */
				cover = before;
				continue;
			}
			joined += model_ranges(bits | piece) <
				  model_ranges(bits);
			bits |= piece;
			model_check(&cover, bits, base);
		}
		whole += bits == ~0ULL;
	}

	print_message("%u whole, %u joined, %u twice, %u too many\n", whole,
		      joined, twice, many);
	/* Or the model would have tested little. */
	assert_true(whole > MODEL_ROUNDS / 4);
	assert_true(joined > MODEL_ROUNDS);
	assert_true(twice > MODEL_ROUNDS);
	assert_true(many > MODEL_ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_magic),
		UNIT_TEST(test_greeting_newstyle),
		UNIT_TEST(test_greeting_oldstyle),
		UNIT_TEST(test_greeting_neither),
		UNIT_TEST(test_put_option),
		UNIT_TEST(test_option_reply),
		UNIT_TEST(test_option_reply_magic),
		UNIT_TEST(test_option_reply_to_another),
		UNIT_TEST(test_option_reply_length),
		UNIT_TEST(test_rep_errno),
		UNIT_TEST(test_put_go),
		UNIT_TEST(test_info_export),
		UNIT_TEST(test_info_block_size),
		UNIT_TEST(test_info_min_block_0),
		UNIT_TEST(test_info_passed_over),
		UNIT_TEST(test_info_too_short),
		UNIT_TEST(test_info_wrong_length),
		UNIT_TEST(test_export_name_reply),
		UNIT_TEST(test_check_export),
		UNIT_TEST(test_check_export_refused),
		UNIT_TEST(test_check_export_page_size),
		UNIT_TEST(test_check_export_flags),
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
		UNIT_TEST(test_cover_nothing),
		UNIT_TEST(test_cover_at_once),
		UNIT_TEST(test_cover_not_whole),
		UNIT_TEST(test_cover_in_order),
		UNIT_TEST(test_cover_in_reverse),
		UNIT_TEST(test_cover_joins),
		UNIT_TEST(test_cover_in_too_many_pieces),
		UNIT_TEST(test_cover_overlap),
		UNIT_TEST(test_cover_up_to_the_top),
		UNIT_TEST(test_cover_model),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
