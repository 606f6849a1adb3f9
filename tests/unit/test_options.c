// SPDX-License-Identifier: GPL-2.0
/*
 * The attach string. Each complaint is compared in full, since the line in
 * the log is all that an administrator gets.
 */
#include "unit.h"

#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <netinet/in.h>

#include "options.h"

#define SERVER	"server=192.0.2.1"

static const char form[] =
	"is not of the form 192.0.2.10:10809 or [2001:db8::1]:10809";
static const char name_text[] =
	"is no address; names are resolved by ballastctl, not by the kernel";
static const char brackets_text[] =
	"an IPv6 address stands in brackets: [2001:db8::1]:10809";
static const char missing[] =
	"server: the option is missing; reading this file prints the usage";

/* What came of the last attach string. */
static struct ballast_options opts;
static char *why;

/* As attach_store() does it: a copy with a NUL behind it, and no more. */
static int parse_bytes(const char *bytes, size_t len)
{
	char *string = unit_alloc(len + 1);
	int err;

	memcpy(string, bytes, len);
	string[len] = '\0';
	why = unit_alloc(BALLAST_WHY_LEN);
	memset(why, 0x55, BALLAST_WHY_LEN);
	memset(&opts, 0x55, sizeof(opts));
	err = ballast_options_parse(string, len, &opts, why);
	if (err)
		assert_in_range(strnlen(why, BALLAST_WHY_LEN), 1,
				BALLAST_WHY_LEN - 1);
	return err;
}

static int parse(const char *string)
{
	return parse_bytes(string, strlen(string));
}

#define assert_taken(string)                                              \
	do {                                                              \
		int taken_err = parse(string);                            \
									  \
		if (taken_err)                                            \
			print_error("%s\n", why);                         \
		assert_int_equal(taken_err, 0);                           \
	} while (0)

#define assert_refused(string, errno_, text)                              \
	do {                                                              \
		assert_int_equal(parse(string), -(errno_));               \
		assert_string_equal(why, text);                           \
	} while (0)

/* The complaint about @option=@value, which is the only one besides SERVER. */
static void check_value(const char *option, const char *value,
			const char *what)
{
	char string[256], text[256];

	scnprintf(string, sizeof(string), SERVER " %s=%s", option, value);
	scnprintf(text, sizeof(text), "%s=%s: %s", option, value, what);
	assert_refused(string, EINVAL, text);
}

static char *repeat(const char *before, char c, size_t n, const char *after)
{
	size_t len = strlen(before);
	char *string = unit_alloc(len + n + strlen(after) + 1);

	memcpy(string, before, len);
	memset(string + len, c, n);
	strcpy(string + len + n, after);
	return string;
}

/*
 * Our stand-ins for the kernel, as far as what follows depends on them
 */

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

/*
 * What is taken
 */

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
	assert_true(opts.readonly);
}

static void test_everything(void **state)
{
	assert_taken("server=[2001:db8::1]:7 export=disk index=3 "
		     "connections=4 queue_depth=5 readonly");
	check_everything();
	assert_taken("readonly queue_depth=5 connections=4 index=3 "
		     "export=disk server=[2001:db8::1]:7");
	check_everything();
}

static void test_spaces(void **state)
{
	assert_taken("  \t server=[2001:db8::1]:7   export=disk\tindex=3\t \t"
		     "connections=4\nqueue_depth=5\r\nreadonly \v\f\n");
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
		BALLAST_OPT_DEADLINE "=", BALLAST_OPT_READONLY,
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
	assert_int_equal(ballast_options_usage[i - 1], '\n');
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

/*
 * server
 */

static void test_server_missing(void **state)
{
	assert_refused("", EINVAL, missing);
	assert_refused("\n", EINVAL, missing);
	assert_refused(" \t ", EINVAL, missing);
	assert_refused("export=disk readonly\n", EINVAL, missing);
	assert_int_equal(parse_bytes("\0", 1), -EINVAL);
	assert_string_equal(why, missing);
}

static void test_server_without_value(void **state)
{
	assert_refused("server", EINVAL, "server: the option needs a value");
	assert_refused("server=", EINVAL,
		       "server=: is not of the form 192.0.2.10:10809 or [2001:db8::1]:10809");
	assert_refused("server=\"\"", EINVAL,
		       "server=: is not of the form 192.0.2.10:10809 or [2001:db8::1]:10809");
}

static void test_server_good(void **state)
{
	static const struct {
		const char *value;
		const char *host;
		unsigned int port;
	} table[] = {
		{ "1", "1", 10809 },
		{ "192.0.2.1", "192.0.2.1", 10809 },
		{ "192.0.2.1:1", "192.0.2.1", 1 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "192.0.2.1:00080", "192.0.2.1", 80 },
		{ "[::]", "::", 10809 },
		{ "[2001:db8::1]", "2001:db8::1", 10809 },
		{ "[2001:db8::1]:1", "2001:db8::1", 1 },
		{ "[2001:db8::1]:65535", "2001:db8::1", 65535 },
		{ "[fe80::1%eth0]:10809", "fe80::1%eth0", 10809 },
		{ "[::ffff:192.0.2.1]:10809", "::ffff:192.0.2.1", 10809 },
		{ "\"192.0.2.1:80\"", "192.0.2.1", 80 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		char string[128];

		scnprintf(string, sizeof(string), "server=%s", table[i].value);
		assert_taken(string);
		assert_string_equal(opts.host, table[i].host);
		assert_int_equal(opts.port, table[i].port);
	}
}

static void check_server(const char *value, const char *what)
{
	char string[256], text[256];

	scnprintf(string, sizeof(string), "server=%s", value);
	scnprintf(text, sizeof(text), "server=%.60s: %s", value, what);
	assert_refused(string, EINVAL, text);
}

static void test_server_form(void **state)
{
	static const char *const values[] = {
		":", ":10809", "[", "[]", "[]:10809", "[::1", "[::1:10809",
		"[::1]10809", "[::1]]", "[192.0.2.1]", "[192.0.2.1]:10809",
		"[localhost]",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		check_server(values[i], form);
}

static void test_server_name(void **state)
{
	static const char *const values[] = {
		"localhost", "nbd.example.org", "nbd.example.org:10809",
		"n", "4you.example", "0x7f000001", "d\xc3\xa9p\xc3\xb4t",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		check_server(values[i], name_text);
}

static void test_server_without_brackets(void **state)
{
	static const char *const values[] = {
		"::", "::1", "2001:db8::1", "2001:db8::1:10809",
		"192.0.2.1:10809:", "192.0.2.1::10809",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		check_server(values[i], brackets_text);
}

static void test_server_too_long(void **state)
{
	char text[256];

	/* 63 bytes and a NUL fit. Whether it is an address is told later. */
	assert_taken(repeat("server=", '1', 63, ""));
	assert_int_equal(strlen(opts.host), 63);
	assert_taken(repeat("server=[:", '1', 62, "]:80"));
	assert_int_equal(strlen(opts.host), 63);
	assert_int_equal(opts.port, 80);

	scnprintf(text, sizeof(text), "server=%s: %s", repeat("", '1', 60, ""),
		  form);
	assert_refused(repeat("server=", '1', 64, ""), EINVAL, text);
	scnprintf(text, sizeof(text), "server=[:%s: %s",
		  repeat("", '1', 58, ""), form);
	assert_refused(repeat("server=[:", '1', 63, "]:80"), EINVAL, text);
}

static void test_server_port(void **state)
{
	static const char *const values[] = {
		"0", "65536", "", "-1", "+1", "0x50", "80x", "x", "nbd",
		"4294967297", "18446744073709551617", "8.0", "\"8 0\"",
		"\" 80\"",
	};
	static const char *const hosts[] = { "192.0.2.1", "[2001:db8::1]" };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		for (j = 0; j < ARRAY_SIZE(hosts); j++) {
			char string[128], text[128], seen[32] = "";
			const char *c;

			/* Quotation marks are gone when it is complained. */
			for (c = values[i]; *c; c++)
				if (*c != '"')
					strncat(seen, c, 1);
			scnprintf(string, sizeof(string), "server=%s:%s",
				  hosts[j], values[i]);
			scnprintf(text, sizeof(text),
				  "server port=%s: is not a number from 1 to 65535",
				  seen);
			assert_refused(string, EINVAL, text);
		}
	}
}

/*
 * export
 */

static void check_export(const char *word, const char *name)
{
	char string[256];

	scnprintf(string, sizeof(string), "%s " SERVER, word);
	assert_taken(string);
	assert_string_equal(opts.export, name);
	assert_int_equal(opts.export_len, strlen(name));
	/* And as the last word, with nothing behind it. */
	scnprintf(string, sizeof(string), SERVER " %s", word);
	assert_taken(string);
	assert_string_equal(opts.export, name);
	assert_int_equal(opts.export_len, strlen(name));
}

static void test_export(void **state)
{
	check_export("export=disk", "disk");
	check_export("export=", "");
	check_export("export=a=b", "a=b");
	check_export("export==", "=");
	check_export("export=/dev/vg/lv:0,ro", "/dev/vg/lv:0,ro");
	check_export("export=sch\xc3\xb6n", "sch\xc3\xb6n");
}

static void test_export_quoted(void **state)
{
	check_export("export=\"my disk\"", "my disk");
	check_export("export=\"  two  spaces  \"", "  two  spaces  ");
	check_export("export=\"tab\there\"", "tab\there");
	check_export("export=\"\"", "");
	check_export("export=\"plain\"", "plain");
	check_export("export=my\" \"disk", "my disk");
	check_export("export=\"my\"\" \"\"disk\"", "my disk");
	check_export("\"export=my disk\"", "my disk");
	check_export("export=\"readonly index=5\"", "readonly index=5");
	assert_int_equal(opts.index, -1);
	assert_false(opts.readonly);
}

/*
 * The kernel calls byte 0xa0 a space. In UTF-8, which a name is in, it is
 * the end of a letter: a with a grave accent, the Cyrillic Er.
 */
static void test_export_utf8(void **state)
{
	check_export("export=\"voil\xc3\xa0\"", "voil\xc3\xa0");
	check_export("export=voil\xc3\xa0", "voil\xc3\xa0");
	check_export("export=\xd0\xa0\xd1\x83\xd1\x81\xd1\x8c",
		     "\xd0\xa0\xd1\x83\xd1\x81\xd1\x8c");
}

static void test_quotes_not_closed(void **state)
{
	static const char *const strings[] = {
		SERVER " export=\"my disk",
		SERVER " export=\"my disk\n",
		SERVER " export=my\" disk",
		SERVER " export=\"my disk\"\"",
		SERVER " \"",
		SERVER " readonly\"",
		"\"" SERVER,
		"\"",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(strings); i++)
		assert_refused(strings[i], EINVAL,
			       "attach string: a quotation mark is not closed");
}

static void test_export_without_value(void **state)
{
	assert_refused(SERVER " export", EINVAL,
		       "export: the option needs a value");
}

static void test_export_too_long(void **state)
{
	char text[256];

	scnprintf(text, sizeof(text),
		  "export=%s: is longer than the 4096 bytes that NBD allows",
		  repeat("", 'x', 60, ""));
	assert_taken(repeat(SERVER " export=", 'x', 4096, ""));
	assert_int_equal(opts.export_len, 4096);
	assert_refused(repeat(SERVER " export=", 'x', 4097, ""), ENAMETOOLONG,
		       text);
	assert_taken(repeat(SERVER " export=\"", ' ', 4096, "\""));
	assert_int_equal(opts.export_len, 4096);
	assert_refused(repeat(SERVER " export=", 'x', 60000, " readonly"),
		       ENAMETOOLONG, text);
}

/*
 * The numbers
 */

static const struct {
	const char *option;
	unsigned int min, max;
} numbers[] = {
	{ BALLAST_OPT_INDEX, 0, BALLAST_MAX_INDEX },
	{ BALLAST_OPT_CONNECTIONS, 1, BALLAST_MAX_CONNECTIONS },
	{ BALLAST_OPT_QUEUE_DEPTH, 1, BALLAST_MAX_QUEUE_DEPTH },
	{ BALLAST_OPT_TIMEOUT, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_DEADLINE, 0, BALLAST_MAX_SECONDS },
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
}

static void test_numbers_without_value(void **state)
{
	assert_refused(SERVER " index", EINVAL,
		       "index: the option needs a value");
	assert_refused(SERVER " connections", EINVAL,
		       "connections: the option needs a value");
	assert_refused(SERVER " queue_depth\n", EINVAL,
		       "queue_depth: the option needs a value");
}

/*
 * readonly, and options at large
 */

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
		       "allow=tcp:17: is one more than the 16 entries there can be");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT_TEST(test_kstrtouint),
		UNIT_TEST(test_ctype),
		UNIT_TEST(test_defaults),
		UNIT_TEST(test_everything),
		UNIT_TEST(test_spaces),
		UNIT_TEST(test_usage),
		UNIT_TEST(test_end_of_string),
		UNIT_TEST(test_nul_in_the_middle),
		UNIT_TEST(test_longest_string),
		UNIT_TEST(test_server_missing),
		UNIT_TEST(test_server_without_value),
		UNIT_TEST(test_server_good),
		UNIT_TEST(test_server_form),
		UNIT_TEST(test_server_name),
		UNIT_TEST(test_server_without_brackets),
		UNIT_TEST(test_server_too_long),
		UNIT_TEST(test_server_port),
		UNIT_TEST(test_export),
		UNIT_TEST(test_export_quoted),
		UNIT_TEST(test_export_utf8),
		UNIT_TEST(test_quotes_not_closed),
		UNIT_TEST(test_export_without_value),
		UNIT_TEST(test_export_too_long),
		UNIT_TEST(test_numbers_good),
		UNIT_TEST(test_numbers_bad),
		UNIT_TEST(test_numbers_text),
		UNIT_TEST(test_numbers_without_value),
		UNIT_TEST(test_readonly),
		UNIT_TEST(test_filter),
		UNIT_TEST(test_reserve),
		UNIT_TEST(test_allow),
		UNIT_TEST(test_twice),
		UNIT_TEST(test_unknown),
		UNIT_TEST(test_first_complaint),
		UNIT_TEST(test_why_value),
		UNIT_TEST(test_why_name),
		UNIT_TEST(test_every_byte),
		UNIT_TEST(test_every_length),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
