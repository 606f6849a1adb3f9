/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of the kernel's integers, on top of what user space gets. */
#ifndef UNIT_LINUX_LIMITS_H
#define UNIT_LINUX_LIMITS_H

/* libc's <limits.h> includes this one and wants PATH_MAX and friends. */
#include_next <linux/limits.h>

#define U16_MAX		((unsigned short)~0U)
#define U32_MAX		(~0U)
#define U64_MAX		(~0ULL)
#define S64_MAX		((long long)(U64_MAX >> 1))

#endif /* UNIT_LINUX_LIMITS_H */
