// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces what identifies machines and people in text, see redact.h.
 */
#include "redact.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ballastctl.h"

enum kind { IPV4, IPV6, MAC, ID, HOST, EXPORT, NR_KINDS };

static const char *const kind_names[NR_KINDS] = {
	"IPV4", "IPV6", "MAC", "ID", "HOST", "EXPORT",
};

/* A replaced text; its number is its position among those of its kind. */
struct thing {
	struct thing *next;
	enum kind kind;
	unsigned int number;
	char text[];
};

static struct thing *things;
static unsigned int numbers[NR_KINDS];

/* Replacing these would hide what a report is about. */
static const char *const common[] = {
	"ballast", "data",    "debian", "default",   "disk",
	"export",  "kernel",  "linux",	"localhost", "memory",
	"none",	   "reserve", "root",	"server",    "swap",
};

static unsigned int number_of(enum kind kind, const char *text, size_t len)
{
	struct thing *thing;

	for (thing = things; thing; thing = thing->next)
		if (thing->kind == kind && strlen(thing->text) == len &&
		    !strncasecmp(thing->text, text, len))
			return thing->number;
	thing = malloc(sizeof(*thing) + len + 1);
	if (!thing)
		return 0; /* hidden even without a number */
	memcpy(thing->text, text, len);
	thing->text[len] = '\0';
	thing->kind = kind;
	thing->number = ++numbers[kind];
	thing->next = things;
	things = thing;
	return thing->number;
}

static void put(enum kind kind, const char *text, size_t len, FILE *to)
{
	fprintf(to, "%s-%u", kind_names[kind], number_of(kind, text, len));
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void add_name(enum kind kind, const char *name)
{
	size_t i;

	if (strlen(name) < 3)
		return;
	for (i = 0; i < ARRAY_SIZE(common); i++)
		if (!strcasecmp(name, common[i]))
			return;
	number_of(kind, name, strlen(name));
}

void redact_host(const char *name)
{
	add_name(HOST, name);
}

void redact_export(const char *name)
{
	add_name(EXPORT, name);
}

static size_t hex_run(const char *at)
{
	return strspn(at, "0123456789abcdefABCDEF");
}

/*
 * Each of these replaces what begins at @at, and returns its length; 0: it is
 * something else.
 */

/* 52:54:00:12:34:56, 52-54-00-12-34-56, and longer ones. */
static size_t replace_mac(const char *at, FILE *to)
{
	char separator = at[0] && at[1] ? at[2] : '\0', plain[64];
	size_t len = 0, pairs = 0;

	if (separator != ':' && separator != '-')
		return 0;
	while (hex_run(at + len) == 2 && 2 * pairs + 2 < sizeof(plain)) {
		memcpy(plain + 2 * pairs++, at + len, 2);
		len += 2;
		if (at[len] != separator ||
		    !isxdigit((unsigned char)at[len + 1]))
			break;
		len++;
	}
	if (pairs < 6 || is_word(at[len]))
		return 0;
	put(MAC, plain, 2 * pairs, to);
	return len;
}

/* enx525400123456: udev names an interface by its MAC. */
static size_t replace_interface(const char *at, FILE *to)
{
	if ((strncmp(at, "enx", 3) && strncmp(at, "wlx", 3)) ||
	    hex_run(at + 3) != 12 || is_word(at[15]))
		return 0;
	fprintf(to, "%.3s", at);
	put(MAC, at + 3, 12, to);
	return 15;
}

/* A UUID, or a machine id, which is one without dashes. */
static size_t replace_id(const char *at, FILE *to)
{
	static const size_t groups[] = { 8, 4, 4, 4, 12 };
	char plain[32];
	size_t i, len = 0, used = 0;

	if (hex_run(at) == sizeof(plain) && !is_word(at[sizeof(plain)])) {
		put(ID, at, sizeof(plain), to);
		return sizeof(plain);
	}
	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		if (i && at[len++] != '-')
			return 0;
		if (hex_run(at + len) != groups[i])
			return 0;
		memcpy(plain + used, at + len, groups[i]);
		used += groups[i];
		len += groups[i];
	}
	put(ID, plain, used, to);
	return len;
}

static bool is_everywhere6(const struct in6_addr *in)
{
	return IN6_IS_ADDR_UNSPECIFIED(in) || IN6_IS_ADDR_LOOPBACK(in);
}

/* The text after it may begin with a colon or a dot. */
static size_t replace_ipv6(const char *at, FILE *to)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr in;
	size_t len = strspn(at, "0123456789abcdefABCDEF:.");

	if (len >= sizeof(text))
		return 0;
	while (len > 2 && memchr(at, ':', len)) {
		memcpy(text, at, len);
		text[len] = '\0';
		if (inet_pton(AF_INET6, text, &in) == 1) {
			if (is_everywhere6(&in) || is_word(at[len]))
				return 0;
			inet_ntop(AF_INET6, &in, text, sizeof(text));
			put(IPV6, text, strlen(text), to);
			return len;
		}
		if (at[len - 1] != ':' && at[len - 1] != '.')
			return 0;
		len--;
	}
	return 0;
}

static size_t replace_ipv4(const char *at, FILE *to)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr in;
	size_t len = strspn(at, "0123456789.");

	while (len && at[len - 1] == '.')
		len--;
	if (!len || len >= sizeof(text) || is_word(at[len]))
		return 0;
	memcpy(text, at, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &in) != 1)
		return 0;
	/* Every machine has these, and netmasks. */
	if (!in.s_addr || ntohl(in.s_addr) >> 24 == 127 ||
	    ntohl(in.s_addr) >> 24 == 255)
		return 0;
	put(IPV4, text, len, to);
	return len;
}

/* A registered name; that of a host with its domain. */
static size_t replace_name(const char *at, FILE *to)
{
	const struct thing *thing, *best = NULL;
	size_t len = 0, n;

	for (thing = things; thing; thing = thing->next) {
		n = strlen(thing->text);
		if ((thing->kind != HOST && thing->kind != EXPORT) ||
		    n <= len || strncasecmp(at, thing->text, n) ||
		    is_word(at[n]))
			continue;
		best = thing;
		len = n;
	}
	if (!best)
		return 0;
	fprintf(to, "%s-%u", kind_names[best->kind], best->number);
	while (best->kind == HOST && at[len] == '.' && is_word(at[len + 1]))
		for (len++; is_word(at[len]) || at[len] == '-'; len++)
			;
	return len;
}

/* export "NAME", export="NAME" and "export": "NAME". */
static size_t replace_export(const char *at, FILE *to)
{
	size_t len = strlen("export"), gap, end;

	if (strncmp(at, "export", len))
		return 0;
	if (at[len] == '"')
		len++;
	gap = strspn(at + len, ": =");
	if (!gap || at[len + gap] != '"')
		return 0;
	len += gap + 1;
	for (end = len; at[end] && at[end] != '"'; end++)
		if (at[end] == '\\' && at[end + 1])
			end++;
	if (end == len)
		return 0;
	fprintf(to, "%.*s", (int)len, at);
	put(EXPORT, at + len, end - len, to);
	return end;
}

void redact_line(const char *line, FILE *to)
{
	static size_t (*const replace[])(const char *at, FILE *to) = {
		replace_export, replace_name, replace_mac,  replace_interface,
		replace_id,	replace_ipv6, replace_ipv4,
	};
	const char *at = line;
	size_t i, len;

	while (*at) {
		len = 0;
		if (at == line || !is_word(at[-1]))
			for (i = 0; i < ARRAY_SIZE(replace) && !len; i++)
				len = replace[i](at, to);
		if (!len) {
			fputc(*at, to);
			len = 1;
		}
		at += len;
	}
	fputc('\n', to);
}
