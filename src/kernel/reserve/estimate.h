/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory packets take, as the kernel lays them out. Pure, builds
 * in user space too.
 */
#ifndef BALLAST_ESTIMATE_H
#define BALLAST_ESTIMATE_H

#include <linux/types.h>

/**
 * struct ballast_skb_layout - what the layout of a packet depends on, bytes
 * @page: size of a page
 * @align: alignment of a packet's buffer (SMP_CACHE_BYTES)
 * @head: a struct sk_buff in its slab
 * @shared: a struct skb_shared_info, aligned
 * @room: headroom that a driver leaves in front of a packet
 */
struct ballast_skb_layout {
	u32 page;
	u32 align;
	u32 head;
	u32 shared;
	u32 room;
};

/* Bytes that drivers copy out of the page that they came in. */
#define ESTIMATE_COPIED		128

u32 estimate_skb_buffer(const struct ballast_skb_layout *layout, u32 size);
unsigned int estimate_skb_order(const struct ballast_skb_layout *layout,
				u32 size);
u32 estimate_skb_linear(const struct ballast_skb_layout *layout);
u32 estimate_skb_pages(const struct ballast_skb_layout *layout, u32 packets,
		       u32 size);

#endif /* BALLAST_ESTIMATE_H */
