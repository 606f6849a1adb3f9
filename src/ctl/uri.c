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

#include "sysfs.h"

static const char form[] = "is not of the form nbd://SERVER[:PORT]/EXPORT";

/* Schemes that ballast does not support, with what to do instead. */
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

/* Decode @len percent-encoded bytes; NULL, or what is wrong. */
static const char *decode(const char *from, size_t len, char *to, size_t size,
			  const char *too_long)
{
	const char *end = from + len;

	for (; from < end; from++) {
		unsigned char byte = *from;

		if (byte == '%') {
			if (end - from < 3 || hex(from[1]) < 0 ||
			    hex(from[2]) < 0)
				return "a % is not followed by two hexadecimal digits";
			byte = hex(from[1]) << 4 | hex(from[2]);
			from += 2;
		}
		if (byte < ' ' || byte == 0x7f)
			return "has a control character";
		if (size < 2)
			return too_long;
		*to++ = byte;
		size--;
	}
	*to = '\0';
	return NULL;
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

static const char *parse_host(const char *text, size_t len, char *host,
			      size_t size)
{
	static const char names[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
	const char *why = decode(text, len, host, size,
				 "the server's name is too long");

	if (why)
		return why;
	if (!*host)
		return "the server is missing";
	if (host[strspn(host, names)])
		return "the server's name has a character that is not allowed in names";
	return NULL;
}

/* ADDRESS or ADDRESS%INTERFACE in brackets; the % may be written as %25. */
static const char *parse_literal(const char *text, size_t len, char *host,
				 size_t size)
{
	static const char digits[] = "0123456789abcdefABCDEF:.";
	const char *scope = memchr(text, '%', len);
	size_t n = scope ? (size_t)(scope - text) : len;

	if (!n || n + 1 >= size || !memchr(text, ':', n) ||
	    strspn(text, digits) < n)
		return "the text in brackets is not an IPv6 address";
	memcpy(host, text, n);
	host[n] = '\0';
	if (!scope)
		return NULL;
	if (!strncmp(scope, "%25", 3))
		scope += 2;
	scope++;
	host[n++] = '%';
	if (scope == text + len)
		return "the interface after the % is missing";
	return parse_host(scope, text + len - scope, host + n, size - n);
}

static const char *parse_authority(const char *text, size_t len,
				   struct nbd_uri *uri)
{
	const char *end = text + len, *host_end, *why;

	if (memchr(text, '@', len))
		return "a user name before the server requires TLS, which ballast does not support";
	if (*text == '[') {
		host_end = memchr(text, ']', len);
		if (!host_end)
			return "a bracket is not closed";
		why = parse_literal(text + 1, host_end - text - 1, uri->host,
				    sizeof(uri->host));
		host_end++;
	} else {
		host_end = memchr(text, ':', len);
		if (!host_end)
			host_end = end;
		else if (memchr(host_end + 1, ':', end - host_end - 1))
			return "an IPv6 address needs brackets: nbd://[2001:db8::1]/EXPORT";
		why = parse_host(text, host_end - text, uri->host,
				 sizeof(uri->host));
	}
	if (why)
		return why;
	if (host_end == end)
		return parse_port("", 0, uri->port);
	if (*host_end != ':')
		return form;
	return parse_port(host_end + 1, end - host_end - 1, uri->port);
}

const char *uri_parse(const char *text, struct nbd_uri *uri)
{
	const char *path, *why;
	size_t i;

	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (!strncasecmp(text, foreign[i].scheme,
				 strlen(foreign[i].scheme)))
			return foreign[i].why;
	if (strncasecmp(text, "nbd://", 6))
		return form;
	text += 6;
	if (strpbrk(text, "?#"))
		return "has a ? or a #, which have no meaning for TCP (in a name write %3F, %23)";
	path = strchrnul(text, '/');
	why = parse_authority(text, path - text, uri);
	if (why)
		return why;
	if (*path)
		path++;
	why = decode(path, strlen(path), uri->export, sizeof(uri->export),
		     "the export's name is longer than the " LIMIT_TEXT(BALLAST_MAX_EXPORT) " bytes that NBD allows");
	if (why)
		return why;
	/* The attach string quotes the name, and has no escape for a quote. */
	if (strchr(uri->export, '"'))
		return "the export's name has a quotation mark, which the attach string can't represent";
	return NULL;
}
