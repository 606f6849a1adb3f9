// SPDX-License-Identifier: GPL-2.0
/*
 * Checks the attach options first, so that a wrong one loads no module and
 * opens no connection. The kernel checks them again.
 */
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sysfs.h"

struct kind {
	const char *name;
	/* NULL, or what is wrong with the value; @why is a buffer for it. */
	const char *(*check)(const struct kind *kind, const char *value,
			     char *why, size_t size);
	long min, max;
};

static bool is_number(const char *text, long min, long max, long *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*number = strtol(text, &end, 10);
	return !errno && !*end && *number >= min && *number <= max;
}

int option_number(const char *option, const char *text, long min, long max,
		  long *number)
{
	if (!text)
		return usage_error("%s: the number is missing", option);
	if (!is_number(text, min, max, number))
		return usage_error("%s: %.200s is not a number from %ld to %ld",
				   option, text, min, max);
	return FINE;
}

static const char *check_number(const struct kind *kind, const char *value,
				char *why, size_t size)
{
	long number;

	if (is_number(value, kind->min, kind->max, &number))
		return NULL;
	snprintf(why, size, "is not a number from %ld to %ld", kind->min,
		 kind->max);
	return why;
}

static const char *check_reserve(const struct kind *kind, const char *value,
				 char *why, size_t size)
{
	long number;

	if (!strcmp(value, "auto") ||
	    is_number(value, kind->min, kind->max, &number))
		return NULL;
	snprintf(why, size, "is neither auto nor a number of pages from %ld to %ld",
		 kind->min, kind->max);
	return why;
}

static const char *check_switch(const struct kind *kind, const char *value,
				char *why, size_t size)
{
	(void)kind, (void)why, (void)size;
	return !strcmp(value, "on") || !strcmp(value, "off") ?
		       NULL : "is neither on nor off";
}

/* "192.0.2.5" or "[2001:db8::5]", but not 0.0.0.0 or [::] */
static bool is_allow_address(char *text)
{
	static const struct in6_addr any;
	size_t len = strlen(text);
	struct in6_addr ip6;
	struct in_addr ip4;

	if (*text != '[')
		return inet_pton(AF_INET, text, &ip4) == 1 && ip4.s_addr;
	if (len < 2 || text[len - 1] != ']')
		return false;
	text[len - 1] = '\0';
	return inet_pton(AF_INET6, text + 1, &ip6) == 1 &&
	       memcmp(&ip6, &any, sizeof(any));
}

static const char *check_allow(const struct kind *kind, const char *value,
			       char *why, size_t size)
{
	char list[1024], *rest = list, *entry, *at;
	long port, entries = 0;

	(void)why, (void)size;
	if (strlen(value) >= sizeof(list))
		return "is too long";
	strcpy(list, value);
	while ((entry = strsep(&rest, ","))) {
		at = strchr(entry, '@');
		if (at && !is_allow_address(at + 1))
			return "needs an address behind the @: 192.0.2.5 or [2001:db8::5]";
		if (at)
			*at = '\0';
		if ((strncmp(entry, "tcp:", 4) && strncmp(entry, "udp:", 4)) ||
		    !is_number(entry + 4, kind->min, kind->max, &port))
			return "is not of the form tcp:22,udp:123 or tcp:2049@192.0.2.5";
		if (++entries > BALLAST_MAX_ALLOW)
			return "has more than " LIMIT_TEXT(BALLAST_MAX_ALLOW) " entries";
	}
	return NULL;
}

static const struct kind kinds[] = {
	{ BALLAST_OPT_INDEX, check_number, 0, BALLAST_MAX_INDEX },
	{ BALLAST_OPT_CONNECTIONS, check_number, 1, BALLAST_MAX_CONNECTIONS },
	{ BALLAST_OPT_QUEUE_DEPTH, check_number, 1, BALLAST_MAX_QUEUE_DEPTH },
	{ BALLAST_OPT_TIMEOUT, check_number, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_DEADLINE, check_number, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_FENCE, check_number, 0, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_CONNECT_TIMEOUT, check_number, 1, BALLAST_MAX_SECONDS },
	{ BALLAST_OPT_READONLY, NULL, 0, 0 },	/* takes no value */
	{ BALLAST_OPT_RESERVE, check_reserve, 0, BALLAST_MAX_RESERVE },
	{ BALLAST_OPT_FILTER, check_switch, 0, 0 },
	{ BALLAST_OPT_VERIFY, check_switch, 0, 0 },
	{ BALLAST_OPT_ALLOW, check_allow, 1, 65535 },	/* ports */
};

static bool is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(name, word, len);
}

static const struct kind *find(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (is_word(word, len, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static int refuse_unknown(const char *word, size_t len)
{
	if (is_word(word, len, BALLAST_OPT_SERVER) ||
	    is_word(word, len, BALLAST_OPT_EXPORT))
		return usage_error("%.200s: the URI has to name this", word);
	return usage_error("%.200s: no such option; see ballastctl attach --help",
			   word);
}

int options_add(struct options *options, const char *word)
{
	const char *value = strchrnul(word, '='), *problem;
	const struct kind *kind = find(word, value - word);
	size_t used = strlen(options->words);
	char why[80];
	int len;

	if (!kind)
		return refuse_unknown(word, value - word);
	if (options->seen & 1UL << (kind - kinds))
		return usage_error("%.200s: the option is given twice", word);
	options->seen |= 1UL << (kind - kinds);
	if (!kind->check && *value)
		return usage_error("%.200s: the option takes no value", word);
	if (kind->check && !*value)
		return usage_error("%.200s: the option needs a value", word);
	if (kind->check) {
		problem = kind->check(kind, ++value, why, sizeof(why));
		if (problem)
			return usage_error("%.200s: %s", word, problem);
	} else {
		options->readonly = true;
	}
	if (!strcmp(kind->name, BALLAST_OPT_INDEX)) {
		options->has_index = true;
		options->index = atol(value);
		return FINE;
	}
	len = snprintf(options->words + used, sizeof(options->words) - used,
		       " %s", word);
	if (len < 0 || (size_t)len >= sizeof(options->words) - used)
		return usage_error("%.200s: is too long", word);
	return FINE;
}
