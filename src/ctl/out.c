// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to the standard output without allocating memory, see out.h.
 */
#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char buffer[64 << 10];
static size_t used;
static int error;	/* errno of the first write that failed */
static bool told;

static void write_all(void)
{
	size_t done = 0;
	ssize_t n;

	while (!error && done < used) {
		n = write(STDOUT_FILENO, buffer + done, used - done);
		if (n >= 0)
			done += n;
		else if (errno != EINTR)
			error = errno;
	}
	used = 0;
}

void out_bytes(const char *text, size_t len)
{
	if (len > sizeof(buffer) - used)
		write_all();
	if (len > sizeof(buffer))
		len = sizeof(buffer);
	memcpy(buffer + used, text, len);
	used += len;
}

void out(const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len > 0)
		out_bytes(line, (size_t)len < sizeof(line) ?
					(size_t)len : sizeof(line) - 1);
}

double mib(double bytes)
{
	return bytes / (1 << 20);
}

const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

size_t utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int code, len, i;

	if (*s < 0x80)
		return *s ? 1 : 0;
	if ((*s & 0xe0) == 0xc0)
		len = 2;
	else if ((*s & 0xf0) == 0xe0)
		len = 3;
	else if ((*s & 0xf8) == 0xf0)
		len = 4;
	else
		return 0;
	code = *s & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

void out_text(const char *text)
{
	size_t len;

	for (; *text; text += len) {
		len = utf8_length(text);
		/* U+0080 to U+009F are control characters too. */
		if (!len || (unsigned char)*text < ' ' || *text == 0x7f ||
		    (!memcmp(text, "\xc2", 1) &&
		     (unsigned char)text[1] < 0xa0)) {
			out("\\x%02x", (unsigned char)*text);
			len = 1;
		} else {
			out_bytes(text, len);
		}
	}
}

int out_flush(void)
{
	write_all();
	if (!error)
		return FINE;
	errno = error;
	if (!told)
		failure("standard output: %m");
	told = true;
	return FAILED;
}
