/* SPDX-License-Identifier: GPL-2.0 */
/* As the kernel's, where no architecture has its own. */
#ifndef UNIT_LINUX_HASH_H
#define UNIT_LINUX_HASH_H

#include <linux/types.h>

#define GOLDEN_RATIO_32	0x61C88647
#define GOLDEN_RATIO_64	0x61C8864680B583EBull

static inline u32 hash_32(u32 value, unsigned int bits)
{
	return value * GOLDEN_RATIO_32 >> (32 - bits);
}

static inline u32 hash_64(u64 value, unsigned int bits)
{
	return value * GOLDEN_RATIO_64 >> (64 - bits);
}

#endif /* UNIT_LINUX_HASH_H */
