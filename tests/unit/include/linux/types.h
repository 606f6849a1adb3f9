/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's short names for integers; libc has the long ones only. */
#ifndef UNIT_LINUX_TYPES_H
#define UNIT_LINUX_TYPES_H

/* libc and the headers of its own that it includes want __u32 and friends. */
#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>

/* As the kernel has it on every architecture: u64 is no unsigned long. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#endif /* UNIT_LINUX_TYPES_H */
