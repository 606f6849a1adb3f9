/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's parsers of addresses, as far as options.c uses them. */
#ifndef UNIT_LINUX_INET_H
#define UNIT_LINUX_INET_H

#include <linux/types.h>
#include <string.h>
#include <sys/socket.h>

/* libc's header of it conflicts with <linux/in.h>. */
int inet_pton(int family, const char *src, void *dst);

/* @delim is -1: only the end of the string ends the address. */
static inline int unit_pton(int family, const char *src, int len, u8 *dst,
			    int delim, const char **end)
{
	char text[46]; /* the longest that there is */

	if (delim != -1 || len < 0)
		__builtin_trap(); /* no caller needs another form yet */
	if (len >= (int)sizeof(text))
		return 0;
	memcpy(text, src, len);
	text[len] = '\0';
	*end = src + len;
	return inet_pton(family, text, dst) == 1;
}

#define in4_pton(src, len, dst, delim, end) \
	unit_pton(AF_INET, src, len, dst, delim, end)
#define in6_pton(src, len, dst, delim, end) \
	unit_pton(AF_INET6, src, len, dst, delim, end)

#endif /* UNIT_LINUX_INET_H */
