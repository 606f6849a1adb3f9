// SPDX-License-Identifier: GPL-2.0
/*
 * The attach string: options with a number.
 */
#include "unit_options.h"

static const struct {
	const char *option;
	unsigned int min, max;
} numbers[] = {
	{ BALLAST_OPT_INDEX, 0, BALLAST_MAX_INDEX },
	{ BALLAST_OPT_CONNECTIONS, 1, BALLAST_MAX_CONNECTIONS },
	{ BALLAST_OPT_QUEUE_DEPTH, 1, BALLAST_MAX_QUEUE_DEPTH },
	{ BALLAST_OPT_TIMEOUT, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_DEADLINE, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_FENCE, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_CONNECT_TIMEOUT, 1, BALLAST_MAX_SECONDS },
};

static void test_numbers_good(void **state)
{
	static const char *const form[] = { "%s=%u", "%s=0%u", "%s=\"%u\"" };
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		const unsigned int value[] = { numbers[i].min,
					       numbers[i].min + 1,
					       numbers[i].max - 1,
					       numbers[i].max };

		for (j = 0; j < ARRAY_SIZE(value); j++) {
			for (k = 0; k < ARRAY_SIZE(form); k++) {
				char word[64], string[128];

				snprintf(word, sizeof(word), form[k],
					 numbers[i].option, value[j]);
				scnprintf(string, sizeof(string),
					  SERVER " %s", word);
				assert_taken(string);
				assert_int_equal(opts.index,
						 i == 0 ? (int)value[j] : -1);
				assert_int_equal(opts.connections,
						 i == 1 ? value[j] : 1);
				assert_int_equal(opts.queue_depth,
						 i == 2 ? value[j] : 128);
				assert_int_equal(opts.timeout,
						 i == 3 ? value[j] : 0);
				assert_int_equal(opts.deadline,
						 i == 4 ? value[j] : 0);
				assert_int_equal(opts.fence,
						 i == 5 ? value[j] : 60);
				assert_int_equal(opts.connect_timeout,
						 i == 6 ? value[j] : 10);
			}
		}
	}
}

static void test_numbers_bad(void **state)
{
	static const char *const values[] = {
		"", "-1", "-0", "+1", "0x1", "1x", "x", "1.5", "1,2", "ten",
		"4294967296", "4294967297", "18446744073709551617",
		"99999999999999999999999999999999",
	};
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		char text[64], value[32];

		scnprintf(text, sizeof(text), "is not a number from %u to %u",
			  numbers[i].min, numbers[i].max);
		for (j = 0; j < ARRAY_SIZE(values); j++)
			check_value(numbers[i].option, values[j], text);
		scnprintf(value, sizeof(value), "%u", numbers[i].max + 1);
		check_value(numbers[i].option, value, text);
		check_value(numbers[i].option, "4294967295", text);
		if (numbers[i].min)
			check_value(numbers[i].option, "0", text);
	}
}

/* Once more, in the words that an administrator reads. */
static void test_numbers_text(void **state)
{
	assert_refused(SERVER " index=1048576", EINVAL,
		       "index=1048576: is not a number from 0 to 1048575");
	assert_refused(SERVER " connections=0", EINVAL,
		       "connections=0: is not a number from 1 to 64");
	assert_refused(SERVER " connections=65", EINVAL,
		       "connections=65: is not a number from 1 to 64");
	assert_refused(SERVER " queue_depth=0", EINVAL,
		       "queue_depth=0: is not a number from 1 to 1024");
	assert_refused(SERVER " queue_depth=1025", EINVAL,
		       "queue_depth=1025: is not a number from 1 to 1024");
	assert_refused(SERVER " fence=86401", EINVAL,
		       "fence=86401: is not a number from 0 to 86400");
	assert_refused(SERVER " fence=1m", EINVAL,
		       "fence=1m: is not a number from 0 to 86400");
	assert_refused(SERVER " connect_timeout=0", EINVAL,
		       "connect_timeout=0: is not a number from 1 to 86400");
	assert_refused(SERVER " connect_timeout=86401", EINVAL,
		       "connect_timeout=86401: is not a number from 1 to 86400");
}

static void test_numbers_without_value(void **state)
{
	assert_refused(SERVER " index", EINVAL,
		       "index: the option needs a value");
	assert_refused(SERVER " connections", EINVAL,
		       "connections: the option needs a value");
	assert_refused(SERVER " queue_depth\n", EINVAL,
		       "queue_depth: the option needs a value");
	assert_refused(SERVER " fence", EINVAL,
		       "fence: the option needs a value");
	assert_refused(SERVER " connect_timeout=", EINVAL,
		       "connect_timeout=: is not a number from 1 to 86400");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_numbers_good),
		UNIT_TEST(test_numbers_bad),
		UNIT_TEST(test_numbers_text),
		UNIT_TEST(test_numbers_without_value),
	};

	return cmocka_run_group_tests_name("options: numbers", tests, NULL, NULL);
}
