/* SPDX-License-Identifier: GPL-2.0 */
/*
 * strtoul() is not kstrtouint(): it takes white space in front, a minus sign
 * and whatever comes behind the digits.
 */
#ifndef UNIT_LINUX_KSTRTOX_H
#define UNIT_LINUX_KSTRTOX_H

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/types.h>

/*
 * Digits, one "+" before them and one newline behind them if need be, and
 * nothing else. @number is written on success only. As in the kernel it is
 * -ERANGE as soon as the digits do not fit into 64 bits, even with something
 * else behind them, and with 32 to 64 bits only when there is nothing.
 */
static inline int kstrtouint(const char *string, unsigned int base,
			     unsigned int *number)
{
	const char *c = string;
	bool fits = true;
	u64 n = 0;

	if (base != 10)
		__builtin_trap(); /* no test needs another base yet */
	if (*c == '+')
		c++;
	if (!isdigit(*c))
		return -EINVAL;
	for (; isdigit(*c); c++) {
		u64 digit = *c - '0';

		if (n > (U64_MAX - digit) / 10)
			fits = false;
		n = n * 10 + digit;
	}
	if (!fits)
		return -ERANGE;
	if (*c == '\n')
		c++;
	if (*c)
		return -EINVAL;
	if (n > U32_MAX)
		return -ERANGE;
	*number = n;
	return 0;
}

#endif /* UNIT_LINUX_KSTRTOX_H */
