// SPDX-License-Identifier: GPL-2.0
/*
 * The attach string as a whole, and the options that are no numbers.
 */
#include "unit_options.h"

#include <netinet/in.h>

static void test_defaults(void **state)
{
	assert_taken(SERVER);
	assert_string_equal(opts.host, "192.0.2.1");
	assert_int_equal(opts.port, 10809);
	assert_string_equal(opts.export, "");
	assert_int_equal(opts.export_len, 0);
	assert_int_equal(opts.index, -1);
	assert_int_equal(opts.connections, 1);
	assert_int_equal(opts.queue_depth, 128);
	assert_int_equal(opts.timeout, 0);
	assert_int_equal(opts.deadline, 0);
	assert_int_equal(opts.fence, 60);
	assert_int_equal(opts.connect_timeout, 10);
	assert_false(opts.readonly);
}

static void check_everything(void)
{
	assert_string_equal(opts.host, "2001:db8::1");
	assert_int_equal(opts.port, 7);
	assert_string_equal(opts.export, "disk");
	assert_int_equal(opts.export_len, 4);
	assert_int_equal(opts.index, 3);
	assert_int_equal(opts.connections, 4);
	assert_int_equal(opts.queue_depth, 5);
	assert_int_equal(opts.fence, 6);
	assert_int_equal(opts.connect_timeout, 8);
	assert_true(opts.readonly);
}

static void test_everything(void **state)
{
	assert_taken("server=[2001:db8::1]:7 export=disk index=3 "
		     "connections=4 queue_depth=5 fence=6 "
		     "connect_timeout=8 readonly");
	check_everything();
	assert_taken("readonly connect_timeout=8 fence=6 queue_depth=5 "
		     "connections=4 index=3 export=disk "
		     "server=[2001:db8::1]:7");
	check_everything();
}

static void test_spaces(void **state)
{
	assert_taken("  \t server=[2001:db8::1]:7   export=disk\tindex=3\t \t"
		     "connections=4\nqueue_depth=5\r\nfence=6\v"
		     "connect_timeout=8\freadonly \v\f\n");
	check_everything();
}

/* The usage has @number in the line of @option. */
static void check_usage_number(const char *option, unsigned int number)
{
	char start[32], line[128];
	const char *from;
	char *at;

	scnprintf(start, sizeof(start), "\n  %s=", option);
	from = strstr(ballast_options_usage, start);
	assert_non_null(from);
	scnprintf(line, sizeof(line), "%.*s", (int)strcspn(from + 1, "\n"),
		  from + 1);
	at = line;
	while ((at = strpbrk(at, "0123456789")))
		if (strtoul(at, &at, 10) == number)
			return;
	print_error("%s does not name %u\n", line, number);
	fail();
}

/* The usage, which is what one starts from, tells the truth. */
static void test_usage(void **state)
{
	static const char *const names[] = {
		BALLAST_OPT_SERVER "=", BALLAST_OPT_EXPORT "=",
		BALLAST_OPT_INDEX "=", BALLAST_OPT_CONNECTIONS "=",
		BALLAST_OPT_QUEUE_DEPTH "=", BALLAST_OPT_TIMEOUT "=",
		BALLAST_OPT_DEADLINE "=", BALLAST_OPT_FENCE "=",
		BALLAST_OPT_CONNECT_TIMEOUT "=", BALLAST_OPT_READONLY,
		BALLAST_OPT_RESERVE "=", BALLAST_OPT_FILTER "=",
		BALLAST_OPT_ALLOW "=",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char line[32];

		scnprintf(line, sizeof(line), "\n  %s", names[i]);
		assert_non_null(strstr(ballast_options_usage, line));
	}
	check_usage_number(BALLAST_OPT_CONNECTIONS, BALLAST_MAX_CONNECTIONS);
	check_usage_number(BALLAST_OPT_CONNECTIONS,
			   BALLAST_DEFAULT_CONNECTIONS);
	check_usage_number(BALLAST_OPT_QUEUE_DEPTH, BALLAST_MAX_QUEUE_DEPTH);
	check_usage_number(BALLAST_OPT_QUEUE_DEPTH,
			   BALLAST_DEFAULT_QUEUE_DEPTH);
	check_usage_number(BALLAST_OPT_ALLOW, BALLAST_MAX_ALLOW);
	check_usage_number(BALLAST_OPT_SERVER, BALLAST_DEFAULT_PORT);
	assert_taken("server=192.0.2.10:10809");
	assert_taken("server=[2001:db8::1]:10809");
	i = strlen(ballast_options_usage);
	assert_int_not_equal(ballast_options_usage[i - 1], '\n');
	assert_true(i < 4096);
}

static void test_end_of_string(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} table[] = {
		{ SERVER, 16 },
		{ SERVER "\n", 17 },
		{ SERVER "\0", 17 },
		{ SERVER "\n\0", 18 },
		{ SERVER " ", 17 },
		{ SERVER " \n", 18 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(parse_bytes(table[i].bytes, table[i].len), 0);
		assert_string_equal(opts.host, "192.0.2.1");
		assert_int_equal(opts.port, 10809);
	}
}

static void test_nul_in_the_middle(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} table[] = {
		{ SERVER "\0\0", 18 },
		{ SERVER "\0\n", 18 },
		{ SERVER "\0readonly", 25 },
		{ "\0" SERVER, 17 },
		{ "\0\0", 2 },
		{ "server=\0" "192.0.2.1", 17 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(parse_bytes(table[i].bytes, table[i].len),
				 -EINVAL);
		assert_string_equal(why, "attach string: has a NUL in the middle");
	}
}

static void test_longest_string(void **state)
{
	static const char head[] = SERVER " readonly export=";
	size_t len = 4095 - strlen(head);
	char *string;

	string = repeat(head, 'x', len, "");
	assert_int_equal(strlen(string), 4095);
	assert_taken(string);
	assert_int_equal(opts.export_len, len);
	assert_int_equal(strlen(opts.export), len);
	assert_int_equal(strspn(opts.export, "x"), len);
	assert_true(opts.readonly);

	assert_taken(repeat(SERVER, ' ', 4095 - strlen(SERVER), ""));
	assert_refused(repeat("", ' ', 4095, ""), EINVAL, missing);
	assert_refused(repeat("", '"', 4095, ""), EINVAL,
		       "attach string: a quotation mark is not closed");
	assert_taken(repeat(SERVER, '"', 4000, ""));
}

static void test_readonly(void **state)
{
	assert_taken(SERVER " readonly\n");
	assert_true(opts.readonly);
	assert_taken("\"readonly\" " SERVER);
	assert_true(opts.readonly);
	assert_refused(SERVER " readonly=1", EINVAL,
		       "readonly=1: the option takes no value");
	assert_refused(SERVER " readonly=", EINVAL,
		       "readonly=: the option takes no value");
}

/* What may be written to the guard file, and to a disk's move file. */
static void test_guard_and_move(void **state)
{
	static const struct {
		const char *string;
		int guard, move;
	} table[] = {
		{ "", 0, -EINVAL },
		{ "allow=tcp:22 reserve=9", 0, -EINVAL },
		{ "reserve=auto", 0, -EINVAL },
		{ "server=192.0.2.1:1", -EINVAL, 0 },
		{ "server=192.0.2.1 export=\"a b\"", -EINVAL, 0 },
		{ "export=x", -EINVAL, -EINVAL },
		{ "index=1", -EINVAL, -EINVAL },
		{ "filter=off", -EINVAL, -EINVAL },
	};
	char text[BALLAST_WHY_LEN], string[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		strcpy(string, table[i].string);
		assert_int_equal(ballast_options_parse_guard(string,
							     strlen(string),
							     &opts, text),
				 table[i].guard);
		strcpy(string, table[i].string);
		assert_int_equal(ballast_options_parse_move(string,
							    strlen(string),
							    &opts, text),
				 table[i].move);
	}
	strcpy(string, "server=192.0.2.1");
	assert_int_equal(ballast_options_parse_move(string, strlen(string),
						    &opts, text),
			 0);
	assert_null(opts.export);
	strcpy(string, "server=192.0.2.1 export=");
	assert_int_equal(ballast_options_parse_move(string, strlen(string),
						    &opts, text),
			 0);
	assert_string_equal(opts.export, "");
}

static void test_twice(void **state)
{
	assert_refused(SERVER " " SERVER, EINVAL,
		       "server=192.0.2.1: the option is given twice");
	assert_refused(SERVER " export=a export=b", EINVAL,
		       "export=b: the option is given twice");
	assert_refused(SERVER " export= export=", EINVAL,
		       "export=: the option is given twice");
	assert_refused(SERVER " index=1 index=1", EINVAL,
		       "index=1: the option is given twice");
	assert_refused(SERVER " connections=1 readonly connections=2", EINVAL,
		       "connections=2: the option is given twice");
	assert_refused(SERVER " queue_depth=1 queue_depth", EINVAL,
		       "queue_depth: the option is given twice");
	assert_refused("readonly readonly " SERVER, EINVAL,
		       "readonly: the option is given twice");
	assert_refused("readonly readonly=1 " SERVER, EINVAL,
		       "readonly=1: the option is given twice");
}

static void test_unknown(void **state)
{
	static const char *const words[] = {
		"time", "time=5", "Server=192.0.2.1", "serve=1",
		"servers=1", "read-only", "ro", "export.name=x", "=", "=x",
		"192.0.2.1", "\x80",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		char string[128], text[128];

		scnprintf(string, sizeof(string), "%s " SERVER, words[i]);
		scnprintf(text, sizeof(text), "%s: unknown option", words[i]);
		assert_refused(string, EINVAL, text);
	}
	/* The blank makes a word of its own out of the value. */
	assert_refused(SERVER " index =5", EINVAL,
		       "index: the option needs a value");
	assert_refused(SERVER " export= disk", EINVAL, "disk: unknown option");
}

/* The first complaint is the one that is made. */
static void test_first_complaint(void **state)
{
	assert_refused("foo bar=1 export=\"x", EINVAL, "foo: unknown option");
	assert_refused("index=x connections=x", EINVAL,
		       "index=x: is not a number from 0 to 1048575");
}

static void test_verify(void **state)
{
	assert_taken(SERVER);
	assert_true(opts.verify);
	assert_taken(SERVER " verify=off");
	assert_false(opts.verify);
	assert_true(opts.filter);
	assert_taken(SERVER " verify=on readonly");
	assert_true(opts.verify);
	check_value("verify", "yes", "is neither on nor off");
	check_value("verify", "ON", "is neither on nor off");
	check_value("verify", "on,off", "is neither on nor off");
	check_value("verify", "", "is neither on nor off");
	assert_refused(SERVER " verify", EINVAL,
		       "verify: the option needs a value");
	assert_refused(SERVER " verify=on verify=on", EINVAL,
		       "verify=on: the option is given twice");
}

static void test_filter(void **state)
{
	assert_taken(SERVER);
	assert_true(opts.filter);
	assert_taken(SERVER " filter=off");
	assert_false(opts.filter);
	assert_taken(SERVER " filter=on");
	assert_true(opts.filter);
	check_value("filter", "yes", "is neither on nor off");
	check_value("filter", "", "is neither on nor off");
}

static void test_reserve(void **state)
{
	assert_taken(SERVER);
	assert_int_equal(opts.reserve, BALLAST_RESERVE_AUTO);
	assert_taken(SERVER " reserve=auto");
	assert_int_equal(opts.reserve, BALLAST_RESERVE_AUTO);
	assert_taken(SERVER " reserve=0");
	assert_int_equal(opts.reserve, 0);
	assert_taken(SERVER " reserve=268435456");
	assert_int_equal(opts.reserve, BALLAST_MAX_RESERVE);
	check_value("reserve", "268435457",
		    "is not a number from 0 to 268435456");
	check_value("reserve", "-1", "is not a number from 0 to 268435456");
	check_value("reserve", "8M", "is not a number from 0 to 268435456");
}

static void test_allow(void **state)
{
	static const char bad_form[] = "is not of the form tcp:22 or udp:123";

	assert_taken(SERVER);
	assert_int_equal(opts.nr_allow, 0);
	assert_taken(SERVER " allow=tcp:22,udp:123,tcp:65535");
	assert_int_equal(opts.nr_allow, 3);
	assert_int_equal(opts.allow[0].protocol, IPPROTO_TCP);
	assert_int_equal(opts.allow[0].port, 22);
	assert_int_equal(opts.allow[1].protocol, IPPROTO_UDP);
	assert_int_equal(opts.allow[1].port, 123);
	assert_int_equal(opts.allow[2].port, 65535);
	assert_true(ballast_options_any_address(&opts.allow[2]));

	check_value("allow", "22", bad_form);
	check_value("allow", "", bad_form);
	check_value("allow", "sctp:22", bad_form);
	assert_refused(SERVER " allow=tcp:22,", EINVAL,
		       "allow=: is not of the form tcp:22 or udp:123");
	assert_refused(SERVER " allow=tcp:22,,udp:1", EINVAL,
		       "allow=: is not of the form tcp:22 or udp:123");
	assert_refused(SERVER " allow=tcp:0", EINVAL,
		       "allow port=0: is not a number from 1 to 65535");
	assert_refused(SERVER " allow=udp:65536", EINVAL,
		       "allow port=65536: is not a number from 1 to 65535");
	assert_refused(SERVER " allow=udp:", EINVAL,
		       "allow port=: is not a number from 1 to 65535");
	assert_taken(SERVER " allow=tcp:1,tcp:2,tcp:3,tcp:4,tcp:5,tcp:6,tcp:7,"
		     "tcp:8,tcp:9,tcp:10,tcp:11,tcp:12,tcp:13,tcp:14,tcp:15,"
		     "tcp:16");
	assert_int_equal(opts.nr_allow, BALLAST_MAX_ALLOW);
	assert_refused(SERVER " allow=tcp:1,tcp:2,tcp:3,tcp:4,tcp:5,tcp:6,"
		       "tcp:7,tcp:8,tcp:9,tcp:10,tcp:11,tcp:12,tcp:13,tcp:14,"
		       "tcp:15,tcp:16,tcp:17", EINVAL,
		       "allow=tcp:17: exceeds the limit of 16 entries");
}

static void test_allow_address(void **state)
{
	static const u8 ip4[BALLAST_ADDRESS_LEN] = { [10] = 0xff, 0xff, 192,
						     0,		  2,	5 };
	static const u8 ip6[BALLAST_ADDRESS_LEN] = { 0x20, 0x01, 0x0d,
						     0xb8, [15] = 5 };
	static const char *const bad[] = {
		"",
		"nfs",
		"192.0.2",
		"192.0.2.256",
		"0.0.0.0",
		"[::]",
		"2001:db8::5",
		"[2001:db8::5",
		"[]",
		"[192.0.2.5]",
		"192.0.2.5:1",
		"[2001:db8::5]1",
		"[fe80::1%eth0]",
		"192.0.2.5@192.0.2.5",
	};
	char string[128], error[160];
	unsigned int i;

	assert_taken(SERVER " allow=tcp:22,tcp:2049@192.0.2.5,"
			    "udp:111@[2001:db8::5]");
	assert_int_equal(opts.nr_allow, 3);
	assert_true(ballast_options_any_address(&opts.allow[0]));
	assert_int_equal(opts.allow[1].protocol, IPPROTO_TCP);
	assert_int_equal(opts.allow[1].port, 2049);
	assert_memory_equal(opts.allow[1].address, ip4, sizeof(ip4));
	assert_int_equal(opts.allow[2].protocol, IPPROTO_UDP);
	assert_int_equal(opts.allow[2].port, 111);
	assert_memory_equal(opts.allow[2].address, ip6, sizeof(ip6));
	assert_refused(SERVER " allow=tcp:0@192.0.2.5", EINVAL,
		       "allow port=0: is not a number from 1 to 65535");

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(string, sizeof(string), SERVER " allow=tcp:1@%s",
			 bad[i]);
		snprintf(error, sizeof(error),
			 "allow=tcp:1@%s: needs an address behind the @: 192.0.2.5 or [2001:db8::5]",
			 bad[i]);
		assert_refused(string, EINVAL, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_defaults),
		UNIT_TEST(test_everything),
		UNIT_TEST(test_spaces),
		UNIT_TEST(test_usage),
		UNIT_TEST(test_end_of_string),
		UNIT_TEST(test_nul_in_the_middle),
		UNIT_TEST(test_longest_string),
		UNIT_TEST(test_readonly),
		UNIT_TEST(test_filter),
		UNIT_TEST(test_verify),
		UNIT_TEST(test_reserve),
		UNIT_TEST(test_allow),
		UNIT_TEST(test_allow_address),
		UNIT_TEST(test_guard_and_move),
		UNIT_TEST(test_twice),
		UNIT_TEST(test_unknown),
		UNIT_TEST(test_first_complaint),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
