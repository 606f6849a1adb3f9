/* SPDX-License-Identifier: GPL-2.0 */
/* Big-endian integers at any address, byte by byte. */
#ifndef UNIT_LINUX_UNALIGNED_H
#define UNIT_LINUX_UNALIGNED_H

#include <linux/types.h>

static inline u64 unit_get_be(const void *from, unsigned int bytes)
{
	const u8 *p = from;
	u64 value = 0;

	while (bytes--)
		value = value << 8 | *p++;
	return value;
}

static inline void unit_put_be(u64 value, void *to, unsigned int bytes)
{
	u8 *p = to;

	while (bytes--) {
		p[bytes] = value;
		value >>= 8;
	}
}

static inline u16 get_unaligned_be16(const void *from)
{
	return unit_get_be(from, 2);
}

static inline u32 get_unaligned_be32(const void *from)
{
	return unit_get_be(from, 4);
}

static inline u64 get_unaligned_be64(const void *from)
{
	return unit_get_be(from, 8);
}

static inline void put_unaligned_be16(u16 value, void *to)
{
	unit_put_be(value, to, 2);
}

static inline void put_unaligned_be32(u32 value, void *to)
{
	unit_put_be(value, to, 4);
}

static inline void put_unaligned_be64(u64 value, void *to)
{
	unit_put_be(value, to, 8);
}

#endif /* UNIT_LINUX_UNALIGNED_H */
