// SPDX-License-Identifier: GPL-2.0
/*
 * The attach string: server= and export=.
 */
#include "unit_options.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("options: server and export", tests, NULL, NULL);
}
