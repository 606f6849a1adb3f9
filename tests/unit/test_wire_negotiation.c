// SPDX-License-Identifier: GPL-2.0
/*
 * The NBD wire format: negotiation.
 */
#include "unit_wire.h"

static void test_magic(void **state)
{
	const char *text = "not an NBD server (wrong magic)";
	unsigned int i;

	assert_wire_ok(ballast_wire_check_magic(unit_copy("NBDMAGIC", 8), &why));
	assert_wire_error(ballast_wire_check_magic(unit_copy("SSH-2.0-", 8), &why),
			  EPROTO, text);
	for (i = 0; i < 8; i++) {
		u8 *buf = unit_copy("NBDMAGIC", 8);

		buf[i] ^= 0x20;
		assert_wire_error(ballast_wire_check_magic(buf, &why), EPROTO, text);
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
		assert_wire_ok(ballast_wire_get_greeting(buf, &flags, &why));
		assert_int_equal(flags, given[i]);
	}
}

static void test_greeting_oldstyle(void **state)
{
	u8 *buf = unit_copy("NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53\0\0", 18);
	u16 flags;

	assert_wire_error(ballast_wire_get_greeting(buf, &flags, &why), EPROTO,
			  "the server supports only oldstyle negotiation");
}

static void test_greeting_neither(void **state)
{
	unsigned int i;
	u16 flags;

	for (i = 8; i < 16; i++) {
		u8 *buf = unit_copy("NBDMAGICIHAVEOPT\0\0", 18);

		buf[i] ^= 0x01;
		assert_wire_error(ballast_wire_get_greeting(buf, &flags, &why), EPROTO,
				  "not an NBD server (wrong option magic)");
	}
}

static void test_put_option(void **state)
{
	u8 *buf = unit_alloc(16);

	ballast_wire_put_option(buf, 8, 0);
	assert_memory_equal(buf, "IHAVEOPT\0\0\0\x08\0\0\0\0", 16);
	ballast_wire_put_option(buf, 0x01020304, 0xfffefdfc);
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

	assert_wire_ok(ballast_wire_get_option_reply(buf, 7, &reply, &why));
	assert_int_equal(reply.option, 7);
	assert_int_equal(reply.type, 3);
	assert_int_equal(reply.length, 12);

	memcpy(buf + 12, BYTES(0x80, 0, 0, 6), 4);
	assert_wire_ok(ballast_wire_get_option_reply(buf, 7, &reply, &why));
	assert_int_equal(reply.type, 0x80000006);
}

static void test_option_reply_magic(void **state)
{
	struct wire_option_reply reply;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		u8 *buf = option_reply(0);

		buf[i] ^= 0x80;
		assert_wire_error(ballast_wire_get_option_reply(buf, 7, &reply, &why),
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
		assert_wire_error(ballast_wire_get_option_reply(buf, 7, &reply, &why),
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
		assert_wire_ok(ballast_wire_get_option_reply(option_reply(good[i]), 7,
						     &reply, &why));
		assert_int_equal(reply.length, good[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_wire_error(
			ballast_wire_get_option_reply(option_reply(bad[i]), 7, &reply,
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
		  "the server rejects the request for the export as invalid" },
		{ 0x80000004, EOPNOTSUPP, "the server does not support it" },
		{ 0x80000005, EOPNOTSUPP,
		  "the server requires TLS, which ballast does not support" },
		{ 0x80000006, ENOENT, "the server has no such export" },
		{ 0x80000007, ECONNREFUSED, "the server is shutting down" },
		{ 0x80000008, EPROTO,
		  "the server requires block sizes that it did not announce" },
		{ 0x80000009, EINVAL,
		  "the server rejects the request for the export as invalid" },
	};
	/* The first is of an extension that is not asked for. */
	static const u32 other[] = { 0x8000000a, 0x80000000, 0xffffffff, 0, 2,
				     6 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		assert_wire_error(ballast_wire_rep_errno(table[i].type, &why),
				  table[i].err, table[i].text);
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		why = NULL;
		assert_int_equal(ballast_wire_rep_errno(other[i], &why), -EPROTO);
		assert_non_null(why);
	}
}

static void test_put_go(void **state)
{
	u8 *head = unit_alloc(20), *tail = unit_alloc(6);

	ballast_wire_put_go(head, tail, 0);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\0\x0a\0\0\0\0", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);

	ballast_wire_put_go(head, tail, 5);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\0\x0f\0\0\0\5", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);

	ballast_wire_put_go(head, tail, 4096);
	assert_memory_equal(head, "IHAVEOPT\0\0\0\7\0\0\x10\x0a\0\0\x10\0", 20);
	assert_memory_equal(tail, "\0\2\0\1\0\3", 6);
}

static void test_info_export(void **state)
{
	u8 *buf = unit_copy("\0\0\x01\x23\x45\x67\x89\xab\xcd\xef\x05\x6d", 12);
	struct wire_export export = { .min_block = 1, .preferred_block = 2,
				      .max_payload = 3, .structured = true };
	u16 type = 0x5555;

	assert_wire_ok(ballast_wire_get_info(buf, 12, &export, &type, &why));
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

	assert_wire_ok(ballast_wire_get_info(buf, 14, &export, &type, &why));
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

	assert_wire_error(ballast_wire_get_info(buf, 14, &export, &type, &why), EPROTO,
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
			assert_wire_ok(ballast_wire_get_info(buf, lengths[j], &export,
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
		assert_wire_error(ballast_wire_get_info(unit_copy("\0\0", length),
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
				ballast_wire_get_info(unit_copy(size, have), length,
					      &export, &type, &why),
				EPROTO,
				"information on the export's size has a wrong length");
		if (length != 14)
			assert_wire_error(
				ballast_wire_get_info(unit_copy(block, have), length,
					      &export, &type, &why),
				EPROTO,
				"information on block sizes has a wrong length");
	}
}

static void test_export_name_reply(void **state)
{
	u8 *buf = unit_copy("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x03", 10);
	struct wire_export export = { .min_block = 1, .structured = true };

	ballast_wire_get_export_name_reply(buf, &export);
	assert_true(export.size == 0x0123456789abcdefULL);
	assert_int_equal(export.flags, 0x0103);
	assert_int_equal(export.min_block, 1);
	assert_true(export.structured);
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
	};

	return cmocka_run_group_tests_name("wire: negotiation", tests, NULL, NULL);
}
