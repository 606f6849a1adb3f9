// SPDX-License-Identifier: GPL-2.0
/*
 * Exports: whether one can be a disk, and whether it can replace another.
 */
#include "unit_wire.h"

#include "export.h"

#define PAGE	4096

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
		err = ballast_export_check(&export, PAGE, &why);
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
		err = ballast_export_check(&export, PAGE, &why);
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

	assert_wire_ok(ballast_export_check(&export, 65536, &why));
	assert_int_equal(export.min_block, 65536);
	assert_int_equal(export.preferred_block, 65536);
	export.min_block = 1 << 17;
	assert_wire_error(ballast_export_check(&export, 65536, &why), EINVAL,
			  over_page);
	export.min_block = 512;
	export.max_payload = 65535;
	assert_wire_error(ballast_export_check(&export, 65536, &why), EINVAL,
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

		assert_wire_ok(ballast_export_check(&export, PAGE, &why));
		assert_int_equal(export.flags, flags[i].made);
	}
}

/* What an export is like when a disk was attached to it. */
static const struct wire_export attached = {
	.size = SIZE_1G,
	.flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA |
		 NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES |
		 NBD_FLAG_CAN_MULTI_CONN,
	.min_block = 512,
	.preferred_block = 4096,
	.max_payload = MAX_PAYLOAD,
};

static void test_same(void **state)
{
	struct wire_export is = attached;

	assert_null(ballast_export_differs(&attached, &is, true, false));
	/* More is as good. */
	is.size += 4096;
	is.flags |= NBD_FLAG_ROTATIONAL;
	is.max_payload += 512;
	is.min_block = 1;
	is.preferred_block = 512;
	assert_null(ballast_export_differs(&attached, &is, true, false));
}

static void test_differs(void **state)
{
	static const struct {
		u16 lost;
		const char *why;
	} flags[] = {
		{ NBD_FLAG_SEND_FLUSH, "the export no longer supports flush" },
		{ NBD_FLAG_SEND_FUA, "the export no longer supports FUA" },
		{ NBD_FLAG_SEND_TRIM, "the export no longer supports trim" },
		{ NBD_FLAG_SEND_WRITE_ZEROES,
		  "the export no longer supports write zeroes" },
		{ NBD_FLAG_CAN_MULTI_CONN,
		  "the export no longer allows several connections" },
	};
	struct wire_export is;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		is = attached;
		is.flags &= ~flags[i].lost;
		assert_string_equal(ballast_export_differs(&attached, &is,
							   true, false),
				    flags[i].why);
		/* What the disk never had it does not miss. */
		assert_null(ballast_export_differs(&is, &is, true, false));
	}

	is = attached;
	is.size--;
	assert_string_equal(ballast_export_differs(&attached, &is, true, false),
			    "the export is smaller now");
	is = attached;
	is.min_block = 1024;
	assert_string_equal(ballast_export_differs(&attached, &is, true, false),
			    "the export has a larger block size now");
	is = attached;
	is.max_payload -= 512;
	assert_string_equal(ballast_export_differs(&attached, &is, true, false),
			    "the export has a lower limit on the length of requests now");
}

static void test_differs_by_use(void **state)
{
	struct wire_export is = attached;

	is.flags &= ~NBD_FLAG_CAN_MULTI_CONN;
	assert_null(ballast_export_differs(&attached, &is, false, false));
	is = attached;
	is.flags |= NBD_FLAG_READ_ONLY;
	assert_string_equal(ballast_export_differs(&attached, &is, true, false),
			    "the export is read-only now");
	assert_null(ballast_export_differs(&attached, &is, true, true));
	/* It was read-only from the first. */
	assert_null(ballast_export_differs(&is, &is, true, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_check_export),
		UNIT_TEST(test_check_export_refused),
		UNIT_TEST(test_check_export_page_size),
		UNIT_TEST(test_check_export_flags),
		UNIT_TEST(test_same),
		UNIT_TEST(test_differs),
		UNIT_TEST(test_differs_by_use),
	};

	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
