// SPDX-License-Identifier: GPL-2.0
/*
 * Parses NBD URIs, see uri.h.
 */
#include "uri.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ballastctl.h"
#include "sysfs.h"

static const char form[] = "is not of the form nbd://SERVER[:PORT]/EXPORT";

/* Schemes that ballast does not support, and alternatives. */
static const struct {
	const char *scheme;
	const char *why;
} foreign[] = {
	{ "nbds:", "ballast does not support TLS: use nbd:// in a trusted network, or through a tunnel" },
	{ "nbd+unix:", "a local socket cannot reach another machine: use nbd://SERVER[:PORT]/EXPORT" },
	{ "nbds+unix:", "a local socket cannot reach another machine: use nbd://SERVER[:PORT]/EXPORT" },
	{ "nbd+vsock:", "ballast supports TCP only: use nbd://SERVER[:PORT]/EXPORT" },
	{ "nbds+vsock:", "ballast supports TCP only: use nbd://SERVER[:PORT]/EXPORT" },
	{ "nbd+ssh:", "ballast supports TCP only: use nbd://SERVER[:PORT]/EXPORT" },
	{ "nbds+ssh:", "ballast supports TCP only: use nbd://SERVER[:PORT]/EXPORT" },
};

static int hex(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = tolower((unsigned char)digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Used while the URI is only checked; the real values have these lengths. */
static const struct uri_names samples = {
	.id = "00000000000000000000000000000000",
	.host = "host",
	.mac = "00-00-00-00-00-00",
};

/* A part of the URI, and where it goes. */
struct part {
	const struct uri_names *names;
	struct nbd_uri *uri;
	const char *too_long;
	char *to;
	size_t size;
};

static const char *put(struct part *part, const char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
			return "has a control character";
	if (part->size <= len)
		return part->too_long;
	memcpy(part->to, bytes, len);
	part->to += len;
	*part->to = '\0';
	part->size -= len;
	return NULL;
}

static const char *put_name(struct part *part, const char *name,
			    const char *sample)
{
	if (!name)
		name = sample;
	return put(part, name, strlen(name));
}

/* Decode up to two characters after a %: NULL, or what is wrong. */
static const char *put_escape(struct part *part, const char *escape, size_t len)
{
	const struct uri_names *names = part->names;
	static char why[128];
	char byte;

	switch (len ? *escape : '\0') {
	case '%':
		return put(part, "%", 1);
	case 'm':
		part->uri->has_id = true;
		return put_name(part, names->id, samples.id);
	case 'H':
		part->uri->has_host = true;
		return put_name(part, names->host, samples.host);
	case 'M':
		part->uri->has_mac = true;
		return put_name(part, names->mac, samples.mac);
	}
	if (len == 2 && hex(escape[0]) >= 0 && hex(escape[1]) >= 0) {
		byte = hex(escape[0]) << 4 | hex(escape[1]);
		return put(part, &byte, 1);
	}
	if (len && hex(escape[0]) < 0)
		len = 1;
	snprintf(why, sizeof(why),
		 "%%%.*s is not %%m, %%H, %%M, %%%% or a %% and two hexadecimal digits",
		 (int)len, escape);
	return why;
}

/* Decode @len bytes; NULL, or what is wrong. */
static const char *decode(const char *from, size_t len, struct part *part)
{
	const char *end = from + len, *why = NULL;
	size_t n;

	*part->to = '\0';
	while (from < end && !why) {
		if (*from != '%') {
			why = put(part, from++, 1);
			continue;
		}
		from++;
		n = end - from < 2 ? end - from : 2;
		why = put_escape(part, from, n);
		from += n && strchr("%mHM", *from) ? 1 : n;
	}
	return why;
}

static const char *parse_port(const char *text, size_t len, char *port)
{
	static const char why[] = "the port is not a number from 1 to 65535";
	char digits[6];
	size_t i;

	if (!len) {	/* an empty port, as RFC 3986 allows */
		strcpy(port, LIMIT_TEXT(BALLAST_DEFAULT_PORT));
		return NULL;
	}
	if (len >= sizeof(digits))
		return why;
	for (i = 0; i < len; i++)
		if (!isdigit((unsigned char)text[i]))
			return why;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (atoi(digits) < 1 || atoi(digits) > 65535)
		return why;
	sprintf(port, "%d", atoi(digits) & 0xffff);
	return NULL;
}

static const char *parse_host(const char *text, size_t len, struct part *part)
{
	static const char names[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *host = part->to, *why;

	part->too_long = "the server's name is too long";
	why = decode(text, len, part);
	if (why)
		return why;
	if (part->uri->has_mac)
		return "%M can't be part of the server's name: it depends on the server's address";
	if (!*host)
		return "the server is missing";
	if (host[strspn(host, names)])
		return "the server's name has a character that is not allowed in names";
	return NULL;
}

/* ADDRESS or ADDRESS%INTERFACE in brackets; the % may be written as %25. */
static const char *parse_literal(const char *text, size_t len,
				 struct part *part)
{
	static const char digits[] = "0123456789abcdefABCDEF:.";
	const char *scope = memchr(text, '%', len);
	size_t n = scope ? (size_t)(scope - text) : len;

	if (!n || n + 1 >= part->size || !memchr(text, ':', n) ||
	    strspn(text, digits) < n)
		return "the text in brackets is not an IPv6 address";
	put(part, text, n);
	if (!scope)
		return NULL;
	if (!strncmp(scope, "%25", 3))
		scope += 2;
	scope++;
	put(part, "%", 1);
	if (scope == text + len)
		return "the interface after the % is missing";
	return parse_host(scope, text + len - scope, part);
}

static const char *parse_authority(const char *text, size_t len,
				   const struct uri_names *names,
				   struct nbd_uri *uri)
{
	struct part part = { names, uri, NULL, uri->host, sizeof(uri->host) };
	const char *end = text + len, *host_end, *why;

	if (memchr(text, '@', len))
		return "a user name before the server requires TLS, which ballast does not support";
	if (*text == '[') {
		host_end = memchr(text, ']', len);
		if (!host_end)
			return "a bracket is not closed";
		why = parse_literal(text + 1, host_end - text - 1, &part);
		host_end++;
	} else {
		host_end = memchr(text, ':', len);
		if (!host_end)
			host_end = end;
		else if (memchr(host_end + 1, ':', end - host_end - 1))
			return "an IPv6 address needs brackets: nbd://[2001:db8::1]/EXPORT";
		why = parse_host(text, host_end - text, &part);
	}
	if (why)
		return why;
	if (host_end == end)
		return parse_port("", 0, uri->port);
	if (*host_end != ':')
		return form;
	return parse_port(host_end + 1, end - host_end - 1, uri->port);
}

const char *uri_parse(const char *text, const struct uri_names *names,
		      struct nbd_uri *uri)
{
	/* clang-format off */
	static const char too_long[] =
		"the export's name is longer than the " LIMIT_TEXT(BALLAST_MAX_EXPORT) " bytes that NBD allows";
	/* clang-format on */
	struct part part = {
		.names = names ? names : &samples,
		.uri = uri,
		.too_long = too_long,
		.to = uri->export,
		.size = sizeof(uri->export),
	};
	const char *path, *why;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(foreign); i++)
		if (!strncasecmp(text, foreign[i].scheme,
				 strlen(foreign[i].scheme)))
			return foreign[i].why;
	if (strncasecmp(text, "nbd://", 6))
		return form;
	text += 6;
	if (strpbrk(text, "?#"))
		return "has a ? or a #, which have no meaning for TCP (in a name write %3F, %23)";
	uri->has_id = uri->has_host = uri->has_mac = false;
	path = strchrnul(text, '/');
	why = parse_authority(text, path - text, part.names, uri);
	if (why)
		return why;
	if (*path)
		path++;
	why = decode(path, strlen(path), &part);
	if (why)
		return why;
	/* The attach string quotes the name, and has no escape for a quote. */
	if (strchr(uri->export, '"'))
		return "the export's name has a quotation mark, which the attach string can't represent";
	return NULL;
}
