/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the attach string share. Each complaint is compared in
 * full, since the line in the log is all that an administrator gets.
 */
#ifndef UNIT_OPTIONS_H
#define UNIT_OPTIONS_H

#include "unit.h"

#include "options.h"

#define SERVER	"server=192.0.2.1"

static const char form[] =
	"is not of the form 192.0.2.10:10809 or [2001:db8::1]:10809";
static const char name_text[] =
	"is not an address; ballastctl resolves names, the kernel does not";
static const char brackets_text[] =
	"an IPv6 address needs brackets: [2001:db8::1]:10809";
static const char missing[] =
	"server: the option is missing; reading this file prints the usage";

/* The results of the last attach string. */
static struct ballast_options opts;
static char *why;

/* As attach_store() does it: a copy with a NUL behind it, and no more. */
static inline int parse_bytes(const char *bytes, size_t len)
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

static inline int parse(const char *string)
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
static inline void check_value(const char *option, const char *value,
			       const char *what)
{
	char string[256], text[256];

	scnprintf(string, sizeof(string), SERVER " %s=%s", option, value);
	scnprintf(text, sizeof(text), "%s=%s: %s", option, value, what);
	assert_refused(string, EINVAL, text);
}

static inline char *repeat(const char *before, char c, size_t n,
			   const char *after)
{
	size_t len = strlen(before);
	char *string = unit_alloc(len + n + strlen(after) + 1);

	memcpy(string, before, len);
	memset(string + len, c, n);
	strcpy(string + len + n, after);
	return string;
}

#endif /* UNIT_OPTIONS_H */
