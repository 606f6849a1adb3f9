// SPDX-License-Identifier: GPL-2.0
/*
 * The attach string: complaints of any length, and input of any kind.
 */
#include "unit_options.h"

/*
 * With any option and any length of its value and its name the complaint
 * fits, and still says what is wrong.
 */
static void test_why_value(void **state)
{
	static const struct {
		const char *before, *what;
	} table[] = {
		{ "index=", "is not a number from 0 to 1048575" },
		{ "connections=", "is not a number from 1 to 64" },
		{ "queue_depth=", "is not a number from 1 to 1024" },
		{ "server=192.0.2.1:", "is not a number from 1 to 65535" },
		{ "server=[::1]:", "is not a number from 1 to 65535" },
		{ "server=", form },
		{ "server=:", form },
		{ "server=[", form },
		{ "server=a:b:", brackets_text },
		{ "server=n:", name_text },
		{ "readonly=", "the option takes no value" },
		{ "readonly readonly=", "the option is given twice" },
		{ "x=", "unknown option" },
		{ "", "unknown option" },
	};
	static const size_t lengths[] = { 59,  60,  61,	 100, 140, 150, 158,
					  159, 160, 161, 200, 4000 };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		for (j = 0; j < ARRAY_SIZE(lengths); j++) {
			const char *what = table[i].what, *end;

			/* As a host it is short enough, and no name. */
			if (!strcmp(table[i].before, "server=") &&
			    lengths[j] < 64)
				continue;
			assert_int_equal(parse(repeat(table[i].before, '9',
						      lengths[j], "")),
					 -EINVAL);
			end = strstr(why, what);
			if (!end)
				print_error("%s\n", why);
			assert_non_null(end);
			assert_string_equal(end, what);
			unit_free(NULL);
		}
	}
}

static void test_why_name(void **state)
{
	static const size_t lengths[] = { 59,  60,  61,	 100, 140, 141, 142,
					  143, 144, 145, 158, 159, 160, 4000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		const char *end;

		assert_int_equal(parse(repeat(SERVER " ", 'x', lengths[i],
					      "=1")),
				 -EINVAL);
		end = strstr(why, ": unknown option");
		if (!end)
			print_error("%zu bytes: %s\n", lengths[i], why);
		assert_non_null(end);
		unit_free(NULL);
	}
}

/* No complaint at all about any of these, but no byte beyond either. */
static void test_every_byte(void **state)
{
	unsigned int c;

	for (c = 1; c < 256; c++) {
		char string[] = "server=192.0.2.1 ?=? export=?";

		string[17] = string[19] = string[28] = c;
		assert_in_range(-parse(string), 0, EINVAL);
		string[0] = c;
		assert_in_range(-parse(string), 0, EINVAL);
		unit_free(NULL);
	}
}

/* Cut off anywhere it is read without a look behind its end. */
static void test_every_length(void **state)
{
	static const char whole[] =
		" server=[2001:db8::1%eth0]:10809 export=\"my disk\"\t"
		"index=1 connections=64  queue_depth=1024 readonly \n";
	size_t len;

	for (len = 0; len < sizeof(whole); len++) {
		int err = parse_bytes(whole, len);

		assert_true(!err || err == -EINVAL);
		unit_free(NULL);
	}
	assert_taken(whole);
	assert_string_equal(opts.host, "2001:db8::1%eth0");
	assert_string_equal(opts.export, "my disk");
	assert_int_equal(opts.queue_depth, 1024);
	assert_true(opts.readonly);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_why_value),
		UNIT_TEST(test_why_name),
		UNIT_TEST(test_every_byte),
		UNIT_TEST(test_every_length),
	};

	return cmocka_run_group_tests_name("options: complaints", tests, NULL, NULL);
}
