/* SPDX-License-Identifier: GPL-2.0 */
/* What <linux/kernel.h> brings along and the module's pure files use. */
#ifndef UNIT_LINUX_KERNEL_H
#define UNIT_LINUX_KERNEL_H

#include <stdarg.h>
#include <stdio.h>

#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/types.h>
#include <linux/unaligned.h>

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* @multiple is a power of 2. */
#define round_down(n, multiple)                                           \
	((n) & ~((__typeof__(n))(multiple) - 1))

#define ALIGN(n, multiple)	round_down((n) + (multiple) - 1, multiple)

/* snprintf() that returns what it wrote, not what it would have liked to. */
static inline __attribute__((format(printf, 3, 4))) int
scnprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int n;

	if (!size)
		return 0;
	va_start(args, format);
	n = vsnprintf(buf, size, format, args);
	va_end(args);
	return (size_t)n < size ? n : (int)size - 1;
}

#endif /* UNIT_LINUX_KERNEL_H */
