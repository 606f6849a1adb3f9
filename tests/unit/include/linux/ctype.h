/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's classes of characters. They are those of Latin-1, whatever
 * the locale: 0xa0, which ends many a UTF-8 sequence, is a space, and 0xc3,
 * which begins many, is a letter. libc would say neither, and hide what that
 * does to an attach string.
 */
#ifndef UNIT_LINUX_CTYPE_H
#define UNIT_LINUX_CTYPE_H

/* First, so that libc's declarations are not seen through our macros. */
#include <ctype.h>
#include <stdbool.h>

#undef isalpha
#undef isdigit
#undef isspace
#define isalpha(c)	unit_isalpha((unsigned char)(c))
#define isdigit(c)	unit_isdigit(c)
#define isspace(c)	unit_isspace((unsigned char)(c))

static inline bool unit_isalpha(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}

static inline bool unit_isdigit(int c)
{
	return c >= '0' && c <= '9';
}

static inline bool unit_isspace(unsigned char c)
{
	return (c >= '\t' && c <= '\r') || c == ' ' || c == 0xa0;
}

#endif /* UNIT_LINUX_CTYPE_H */
