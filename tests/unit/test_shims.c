// SPDX-License-Identifier: GPL-2.0
/*
 * The stand-ins for the kernel in include/, as far as the tests depend on them.
 */
#include "unit.h"

#include <linux/ctype.h>
#include <linux/kstrtox.h>

static void test_kstrtouint(void **state)
{
	static const struct {
		const char *string;
		int err;
		unsigned int number;
	} table[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "+7", 0, 7 },
		{ "7\n", 0, 7 },
		{ "4294967295", 0, 4294967295U },
		{ "4294967296", ERANGE, 0 },
		{ "18446744073709551615", ERANGE, 0 },
		{ "18446744073709551616", ERANGE, 0 },
		{ "99999999999999999999x", ERANGE, 0 },
		{ "4294967296x", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ "+", EINVAL, 0 },
		{ "++7", EINVAL, 0 },
		{ "-7", EINVAL, 0 },
		{ " 7", EINVAL, 0 },
		{ "7 ", EINVAL, 0 },
		{ "7\n\n", EINVAL, 0 },
		{ "\n", EINVAL, 0 },
		{ "0x7", EINVAL, 0 },
		{ "7a", EINVAL, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned int number = 0x55555555;

		assert_int_equal(kstrtouint(table[i].string, 10, &number),
				 -table[i].err);
		assert_int_equal(number, table[i].err ? 0x55555555 :
							table[i].number);
	}
}

static void test_ctype(void **state)
{
	unsigned int c, spaces = 0, letters = 0, digits = 0;

	/* As a char too, where most of them are negative. */
	for (c = 0; c < 256; c++) {
		assert_int_equal(!!isspace((char)c), !!isspace(c));
		assert_int_equal(!!isalpha((char)c), !!isalpha(c));
		spaces += !!isspace(c);
		letters += !!isalpha(c);
		digits += !!isdigit(c);
	}
	assert_int_equal(spaces, 7);
	assert_int_equal(letters, 2 * 26 + 62);
	assert_int_equal(digits, 10);
	assert_true(isspace('\xa0'));
	assert_false(isspace('\x85'));
	assert_true(isalpha('\xc3'));
	assert_false(isalpha('\xb5'));
	assert_false(isalpha('\xd7'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_kstrtouint),
		UNIT_TEST(test_ctype),
	};

	return cmocka_run_group_tests_name("shims", tests, NULL, NULL);
}
