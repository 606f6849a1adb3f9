// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory packets take, for the layout of Linux 6.1 on x86-64.
 */
#include "unit.h"

#include "estimate.h"

static const struct ballast_skb_layout layout = {
	.page = 4096,
	.align = 64,
	.head = 256,
	.shared = 320,
	.room = 64,
};

/* The sizes that kmalloc has. */
static void test_buffer(void **state)
{
	static const struct {
		u32 size, buffer;
	} table[] = {
		{ 0, 512 },	/* 64 + 320 */
		{ 64, 512 },
		{ 128, 512 },	/* 192 + 320: just fits */
		{ 129, 1024 },
		{ 640, 1024 },
		{ 641, 2048 },
		{ 1514, 2048 },	/* an Ethernet frame */
		{ 1664, 2048 },
		{ 1665, 4096 },
		{ 3712, 4096 },
		{ 3713, 8192 },
		{ 9014, 16384 },	/* a jumbo frame */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(ballast_estimate_buffer(&layout, table[i].size),
				 table[i].buffer);
}

static void test_order(void **state)
{
	assert_int_equal(ballast_estimate_order(&layout, 64), 0);
	assert_int_equal(ballast_estimate_order(&layout, 1514), 0);
	assert_int_equal(ballast_estimate_order(&layout, 3712), 0);
	assert_int_equal(ballast_estimate_order(&layout, 3713), 1);
	assert_int_equal(ballast_estimate_order(&layout, 9014), 2);
	assert_int_equal(ballast_estimate_order(&layout, 65536), 5);
}

/* An MTU that no packet has, such as WireGuard's largest, counts as 64 KiB. */
static void test_large_mtu(void **state)
{
	static const u32 sizes[] = { 65550, 1 << 30, 2147483552, 2147483648,
				     4294967295 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(ballast_estimate_buffer(&layout, sizes[i]),
				 131072);
		assert_int_equal(ballast_estimate_order(&layout, sizes[i]), 5);
		assert_int_equal(ballast_estimate_ring(&layout, 256, sizes[i]),
				 256 * 32);
		assert_int_equal(ballast_estimate_pages(&layout, 50, sizes[i]),
				 ballast_estimate_pages(&layout, 50, 65536));
	}
}

static void test_pages(void **state)
{
	assert_int_equal(ballast_estimate_pages(&layout, 0, 1514), 0);
	/* A page of buffer, of headers, of struct sk_buff: nothing is shared. */
	assert_int_equal(ballast_estimate_pages(&layout, 1, 1514), 3);
	assert_int_equal(ballast_estimate_pages(&layout, 2, 1514), 3);
	assert_int_equal(ballast_estimate_pages(&layout, 3, 1514), 4);
	/* One connection of depth 128: 384, 96 and 48, and a sixteenth. */
	assert_int_equal(ballast_estimate_pages(&layout, 768, 1514), 528 + 33);
	assert_int_equal(ballast_estimate_pages(&layout, 50, 64), 7 + 7 + 4 + 1);
	assert_int_equal(ballast_estimate_pages(&layout, 256, 9014),
			 256 * 4 + 32 + 16 + 67);
}

/* A page of 4 KiB for each packet, or part of a larger page. */
static void test_ring(void **state)
{
	static const struct {
		u32 page, packets, size, pages;
	} table[] = {
		{ 4096, 256, 64, 256 }, /* a page for each packet */
		{ 4096, 256, 1514, 256 },
		{ 4096, 256, 3713, 512 },
		{ 4096, 256, 9014, 1024 }, /* order 2 */
		{ 4096, 0, 1514, 0 },
		{ 16384, 256, 1514, 64 }, /* a quarter of a page */
		{ 16384, 256, 9014, 256 },
		{ 65536, 256, 1514, 16 }, /* a sixteenth */
		{ 65536, 257, 1514, 17 },
		{ 65536, 1024, 9014, 256 },
		{ 65536, 16, 65536, 32 }, /* order 1 */
	};
	struct ballast_skb_layout paged = layout;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		paged.page = table[i].page;
		assert_int_equal(ballast_estimate_ring(&paged, table[i].packets,
						       table[i].size),
				 table[i].pages);
	}
}

static void test_linear(void **state)
{
	assert_int_equal(ballast_estimate_linear(&layout), 512);
}

/* More packets, or larger ones, never take less. */
static void test_monotonic(void **state)
{
	u32 size, packets, last = 0;

	for (size = 0; size <= 9216; size++) {
		u32 pages = ballast_estimate_pages(&layout, 100, size);

		assert_true(pages >= last);
		last = pages;
	}
	last = 0;
	for (packets = 0; packets < 5000; packets++) {
		u32 pages = ballast_estimate_pages(&layout, packets, 1514);

		assert_true(pages >= last);
		last = pages;
	}
}

int main(void)
{
	/* clang-format off */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_large_mtu),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_ring),
	};
	/* clang-format on */

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}
