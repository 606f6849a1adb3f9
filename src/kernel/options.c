// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the attach string, see options.h.
 *
 * Each error message names the option and the value: the administrator sees
 * only the errno and that line of the log.
 */
#include "options.h"

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/in.h>
#include <linux/inet.h>
#include <linux/kernel.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/stringify.h>

/* clang-format off */
const char ballast_options_usage[] =
	"server=ADDRESS[:PORT] [OPTION=VALUE ...]\n"
	"  server=192.0.2.10:" __stringify(BALLAST_DEFAULT_PORT)
	"   IPv4 address of the NBD server\n"
	"  server=[2001:db8::1]:" __stringify(BALLAST_DEFAULT_PORT) "  IPv6 address\n"
	"  export=NAME        name of the export; \"...\" around one with spaces\n"
	"  index=N            attach as /dev/ballastN (default: lowest free)\n"
	"  connections=N      TCP connections, 1 to " __stringify(BALLAST_MAX_CONNECTIONS)
	" (default: " __stringify(BALLAST_DEFAULT_CONNECTIONS) ")\n"
	"  queue_depth=N      requests in flight for each, 1 to "
	__stringify(BALLAST_MAX_QUEUE_DEPTH)
	" (default: " __stringify(BALLAST_DEFAULT_QUEUE_DEPTH) ")\n"
	"  timeout=SECONDS    reconnect when the server leaves a request unanswered this long\n"
	"                     (default: 0, never)\n"
	"  deadline=SECONDS   fail I/O when the server has answered nothing for this long\n"
	"                     (default: 0, never: I/O waits)\n"
	"  fence=SECONDS      how long a replayed write waits for the end of the old connection\n"
	"                     (default: " __stringify(BALLAST_DEFAULT_FENCE)
	", 0: it does not wait)\n"
	"  connect_timeout=SECONDS  how long the server may take to connect, and then to\n"
	"                     negotiate (default: "
	__stringify(BALLAST_DEFAULT_CONNECT_TIMEOUT) ")\n"
	"  readonly           refuse writes\n"
	"  reserve=PAGES      pages of the interface's reserve, or auto (default)\n"
	"  filter=on|off      drop unrelated packets while the reserve is in use (default: on)\n"
	"  verify=on|off      refuse a server that has lost pages swapped to it (default: on)\n"
	"  allow=tcp:22,...   TCP and UDP ports that pass the filter, at most "
	__stringify(BALLAST_MAX_ALLOW) "\n"
	"  allow=tcp:2049@192.0.2.5,tcp:2049@[2001:db8::5]\n"
	"                     the same from one address, with enough budget for a disk";
/* clang-format on */

static int bad(char *why, int err, const char *name, const char *value,
	       const char *what)
{
	if (value)
		scnprintf(why, BALLAST_WHY_LEN, "%.60s=%.60s: %s", name, value,
			  what);
	else
		scnprintf(why, BALLAST_WHY_LEN, "%.60s: %s", name, what);
	return err;
}

static int parse_number(const char *name, const char *value, unsigned int min,
			unsigned int max, unsigned int *number, char *why)
{
	char range[48];

	if (isdigit(*value) && !kstrtouint(value, 10, number) &&
	    *number >= min && *number <= max)
		return 0;
	scnprintf(range, sizeof(range), "is not a number from %u to %u", min,
		  max);
	return bad(why, -EINVAL, name, value, range);
}

static bool is_host_name(const char *host)
{
	for (; *host; host++)
		if (isalpha(*host))
			return true;
	return false;
}

/* Checks only the form. inet_pton_with_scope() later checks the address. */
static int parse_server(struct ballast_options *opts, char *value, char *why)
{
	static const char form[] =
		"is not of the form 192.0.2.10:" __stringify(BALLAST_DEFAULT_PORT)
		" or [2001:db8::1]:" __stringify(BALLAST_DEFAULT_PORT);
	char *host = value, *port = NULL, *end;
	unsigned int number = BALLAST_DEFAULT_PORT;
	size_t len;
	int err;

	if (*value == '[') {
		host = value + 1;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return bad(why, -EINVAL, BALLAST_OPT_SERVER, value, form);
		len = end - host;
		if (end[1])
			port = end + 2;
		if (!memchr(host, ':', len))
			return bad(why, -EINVAL, BALLAST_OPT_SERVER, value, form);
	} else {
		end = strchr(value, ':');
		if (end && strchr(end + 1, ':'))
			return bad(why, -EINVAL, BALLAST_OPT_SERVER, value,
				   "an IPv6 address needs brackets: [2001:db8::1]:"
				   __stringify(BALLAST_DEFAULT_PORT));
		len = end ? end - value : strlen(value);
		if (end)
			port = end + 1;
	}
	if (!len || len >= sizeof(opts->host))
		return bad(why, -EINVAL, BALLAST_OPT_SERVER, value, form);
	memcpy(opts->host, host, len);
	opts->host[len] = '\0';
	if (*value != '[' && is_host_name(opts->host))
		return bad(why, -EINVAL, BALLAST_OPT_SERVER, value,
			   "is not an address; ballastctl resolves names, the kernel does not");
	if (port) {
		err = parse_number("server port", port, 1, U16_MAX, &number,
				   why);
		if (err)
			return err;
	}
	opts->port = number;
	return 0;
}

static int parse_export(struct ballast_options *opts, char *value, char *why)
{
	opts->export = value;
	opts->export_len = strlen(value);
	if (opts->export_len > BALLAST_MAX_EXPORT)
		return bad(why, -ENAMETOOLONG, BALLAST_OPT_EXPORT, value,
			   "is longer than the " __stringify(BALLAST_MAX_EXPORT)
			   " bytes that NBD allows");
	return 0;
}

static int parse_index(struct ballast_options *opts, char *value, char *why)
{
	unsigned int number;
	int err;

	err = parse_number(BALLAST_OPT_INDEX, value, 0, BALLAST_MAX_INDEX, &number, why);
	if (!err)
		opts->index = number;
	return err;
}

static int parse_connections(struct ballast_options *opts, char *value,
			     char *why)
{
	return parse_number(BALLAST_OPT_CONNECTIONS, value, 1, BALLAST_MAX_CONNECTIONS,
			    &opts->connections, why);
}

static int parse_queue_depth(struct ballast_options *opts, char *value,
			     char *why)
{
	return parse_number(BALLAST_OPT_QUEUE_DEPTH, value, 1, BALLAST_MAX_QUEUE_DEPTH,
			    &opts->queue_depth, why);
}

static int parse_timeout(struct ballast_options *opts, char *value, char *why)
{
	return parse_number(BALLAST_OPT_TIMEOUT, value, 0, BALLAST_MAX_SECONDS,
			    &opts->timeout, why);
}

static int parse_deadline(struct ballast_options *opts, char *value, char *why)
{
	return parse_number(BALLAST_OPT_DEADLINE, value, 0, BALLAST_MAX_SECONDS,
			    &opts->deadline, why);
}

static int parse_fence(struct ballast_options *opts, char *value, char *why)
{
	return parse_number(BALLAST_OPT_FENCE, value, 0, BALLAST_MAX_SECONDS,
			    &opts->fence, why);
}

static int parse_connect_timeout(struct ballast_options *opts, char *value,
				 char *why)
{
	return parse_number(BALLAST_OPT_CONNECT_TIMEOUT, value, 1,
			    BALLAST_MAX_SECONDS, &opts->connect_timeout, why);
}

static int parse_readonly(struct ballast_options *opts, char *value, char *why)
{
	opts->readonly = true;
	return 0;
}

static int parse_switch(const char *name, const char *value, bool *on,
			char *why)
{
	if (strcmp(value, "on") && strcmp(value, "off"))
		return bad(why, -EINVAL, name, value, "is neither on nor off");
	*on = !strcmp(value, "on");
	return 0;
}

static int parse_filter(struct ballast_options *opts, char *value, char *why)
{
	return parse_switch(BALLAST_OPT_FILTER, value, &opts->filter, why);
}

static int parse_verify(struct ballast_options *opts, char *value, char *why)
{
	return parse_switch(BALLAST_OPT_VERIFY, value, &opts->verify, why);
}

static int parse_reserve(struct ballast_options *opts, char *value, char *why)
{
	unsigned int number;
	int err;

	if (!strcmp(value, "auto"))
		return 0;
	err = parse_number(BALLAST_OPT_RESERVE, value, 0, BALLAST_MAX_RESERVE, &number,
			   why);
	if (!err)
		opts->reserve = number;
	return err;
}

/**
 * ballast_options_any_address - check whether allow= names no address
 * @allow: the entry
 *
 * Return: true: packets of any machine pass
 */
bool ballast_options_any_address(const struct ballast_allow *allow)
{
	static const u8 any[BALLAST_ADDRESS_LEN];

	return !memcmp(allow->address, any, sizeof(any));
}

/* 192.0.2.5, stored as ::ffff:192.0.2.5, or [2001:db8::5] */
static bool parse_address(const char *text, struct ballast_allow *allow)
{
	static const u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const u8 unspecified[4];
	u8 *ip4 = allow->address + sizeof(mapped);
	size_t len = strlen(text);
	const char *end;

	if (*text != '[') {
		memcpy(allow->address, mapped, sizeof(mapped));
		return in4_pton(text, len, ip4, -1, &end) && !*end &&
		       memcmp(ip4, unspecified, sizeof(unspecified));
	}
	return len > 2 && text[len - 1] == ']' &&
	       in6_pton(text + 1, len - 2, allow->address, -1, &end) &&
	       end == text + len - 1 && !ballast_options_any_address(allow);
}

/* One entry of allow=, protocol:port or protocol:port@address. */
static int parse_allowed(struct ballast_options *opts, char *entry, char *why)
{
	struct ballast_allow *allow = &opts->allow[opts->nr_allow];
	char *at = strchr(entry, '@');
	unsigned int number;
	int err;

	if (opts->nr_allow == BALLAST_MAX_ALLOW)
		return bad(why, -EINVAL, BALLAST_OPT_ALLOW, entry,
			   "exceeds the limit of " __stringify(BALLAST_MAX_ALLOW) " entries");
	if (!strncmp(entry, "tcp:", 4))
		allow->protocol = IPPROTO_TCP;
	else if (!strncmp(entry, "udp:", 4))
		allow->protocol = IPPROTO_UDP;
	else
		return bad(why, -EINVAL, BALLAST_OPT_ALLOW, entry,
			   "is not of the form tcp:22 or udp:123");
	if (at && !parse_address(at + 1, allow))
		return bad(why, -EINVAL, BALLAST_OPT_ALLOW, entry,
			   "needs an address behind the @: 192.0.2.5 or [2001:db8::5]");
	if (at)
		*at = '\0';
	err = parse_number("allow port", entry + 4, 1, U16_MAX, &number, why);
	if (err)
		return err;
	allow->port = number;
	opts->nr_allow++;
	return 0;
}

static int parse_allow(struct ballast_options *opts, char *value, char *why)
{
	char *entry;
	int err = 0;

	while (!err && (entry = strsep(&value, ",")))
		err = parse_allowed(opts, entry, why);
	return err;
}

/* The strings that may contain an option. */
#define IN_ATTACH 1
#define IN_GUARD 2
#define IN_MOVE 4

static const struct option {
	const char *name;
	unsigned int in;
	bool flag;	/* takes no value */
	int (*parse)(struct ballast_options *opts, char *value, char *why);
} options[] = {
	{ BALLAST_OPT_SERVER, IN_ATTACH | IN_MOVE, false, parse_server },
	{ BALLAST_OPT_EXPORT, IN_ATTACH | IN_MOVE, false, parse_export },
	{ BALLAST_OPT_INDEX, IN_ATTACH, false, parse_index },
	{ BALLAST_OPT_CONNECTIONS, IN_ATTACH, false, parse_connections },
	{ BALLAST_OPT_QUEUE_DEPTH, IN_ATTACH, false, parse_queue_depth },
	{ BALLAST_OPT_TIMEOUT, IN_ATTACH, false, parse_timeout },
	{ BALLAST_OPT_DEADLINE, IN_ATTACH, false, parse_deadline },
	{ BALLAST_OPT_FENCE, IN_ATTACH, false, parse_fence },
	{ BALLAST_OPT_CONNECT_TIMEOUT, IN_ATTACH, false,
	  parse_connect_timeout },
	{ BALLAST_OPT_READONLY, IN_ATTACH, true, parse_readonly },
	{ BALLAST_OPT_FILTER, IN_ATTACH, false, parse_filter },
	{ BALLAST_OPT_VERIFY, IN_ATTACH, false, parse_verify },
	{ BALLAST_OPT_RESERVE, IN_ATTACH | IN_GUARD, false, parse_reserve },
	{ BALLAST_OPT_ALLOW, IN_ATTACH | IN_GUARD, false, parse_allow },
};

/* The kernel's isspace() assumes Latin-1 and matches bytes of UTF-8. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cut off the next word. Return: NULL: none is left, or a quote is open */
static char *next_word(char **rest, bool *unclosed)
{
	char *word = *rest, *from, *to;
	bool quoted = false;

	*unclosed = false;
	while (is_space(*word))
		word++;
	if (!*word)
		return NULL;
	for (from = to = word; *from && (quoted || !is_space(*from)); from++) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
	}
	*unclosed = quoted;
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return quoted ? NULL : word;
}

static int parse_word(struct ballast_options *opts, char *word, unsigned int in,
		      unsigned long *seen, char *why)
{
	char *value = strchr(word, '=');
	unsigned int i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!(options[i].in & in) || strcmp(word, options[i].name))
			continue;
		if (*seen & (1UL << i))
			return bad(why, -EINVAL, word, value,
				   "the option is given twice");
		*seen |= 1UL << i;
		if (options[i].flag && value)
			return bad(why, -EINVAL, word, value,
				   "the option takes no value");
		if (!options[i].flag && !value)
			return bad(why, -EINVAL, word, NULL,
				   "the option needs a value");
		return options[i].parse(opts, value, why);
	}
	return bad(why, -EINVAL, word, value, "unknown option");
}

/* Read all words of @string, which is of kind @in and is called @what. */
static int parse_words(char *string, size_t len, unsigned int in,
		       const char *what, struct ballast_options *opts,
		       char *why)
{
	unsigned long seen = 0;
	bool unclosed;
	char *word;
	int err;

	*opts = (struct ballast_options){
		.export = in == IN_MOVE ? NULL : "",
		.index = -1,
		.connections = BALLAST_DEFAULT_CONNECTIONS,
		.queue_depth = BALLAST_DEFAULT_QUEUE_DEPTH,
		.fence = BALLAST_DEFAULT_FENCE,
		.connect_timeout = BALLAST_DEFAULT_CONNECT_TIMEOUT,
		.filter = true,
		.verify = true,
		.reserve = BALLAST_RESERVE_AUTO,
	};

	if (len && !string[len - 1])
		len--;
	if (memchr(string, '\0', len))
		return bad(why, -EINVAL, what, NULL, "has a NUL in the middle");

	while ((word = next_word(&string, &unclosed))) {
		err = parse_word(opts, word, in, &seen, why);
		if (err)
			return err;
	}
	if (unclosed)
		return bad(why, -EINVAL, what, NULL,
			   "a quotation mark is not closed");
	return 0;
}

/**
 * ballast_options_parse - read an attach string
 * @string: the string, @len bytes and a NUL; cut into words in place
 * @len: as written, including a final newline or NUL
 * @opts: filled in; options that the string lacks have their defaults
 * @why: BALLAST_WHY_LEN bytes; set to the reason on error
 *
 * Return: 0; -EINVAL; -ENAMETOOLONG
 */
int ballast_options_parse(char *string, size_t len,
			  struct ballast_options *opts, char *why)
{
	int err =
		parse_words(string, len, IN_ATTACH, "attach string", opts, why);

	if (!err && !opts->host[0])
		return bad(why, -EINVAL, BALLAST_OPT_SERVER, NULL,
			   "the option is missing; reading this file prints the usage");
	return err;
}

/**
 * ballast_options_parse_move - read the new server of a move
 * @string: as for ballast_options_parse(); server= and export= only
 * @len: likewise
 * @opts: filled in; without export= its export is NULL
 * @why: as for ballast_options_parse()
 *
 * Return: 0; -EINVAL; -ENAMETOOLONG
 */
int ballast_options_parse_move(char *string, size_t len,
			       struct ballast_options *opts, char *why)
{
	int err = parse_words(string, len, IN_MOVE, "string", opts, why);

	if (!err && !opts->host[0])
		return bad(why, -EINVAL, BALLAST_OPT_SERVER, NULL,
			   "the option is missing");
	return err;
}

/**
 * ballast_options_parse_guard - read the options of a guard
 * @string: as for ballast_options_parse(); allow= and reserve= only
 * @len: likewise
 * @opts: filled in
 * @why: as for ballast_options_parse()
 *
 * Return: 0; -EINVAL
 */
int ballast_options_parse_guard(char *string, size_t len,
				struct ballast_options *opts, char *why)
{
	return parse_words(string, len, IN_GUARD, "string", opts, why);
}
