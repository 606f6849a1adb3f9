/* SPDX-License-Identifier: GPL-2.0 */
/* libc's string functions, and what the kernel has beside them. */
#ifndef UNIT_LINUX_STRING_H
#define UNIT_LINUX_STRING_H

#include <string.h>

#include <linux/ctype.h>

static inline char *skip_spaces(const char *string)
{
	while (isspace(*string))
		string++;
	return (char *)string;
}

#endif /* UNIT_LINUX_STRING_H */
