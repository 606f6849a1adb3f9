/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much memory packets take, as the kernel lays them out. No kernel
 * dependencies: also builds in user space.
 */
#ifndef BALLAST_ESTIMATE_H
#define BALLAST_ESTIMATE_H

#include <linux/types.h>

/**
 * struct ballast_skb_layout - what the memory of a packet depends on, in bytes
 * @page: size of a page
 * @align: alignment of a packet's buffer (SMP_CACHE_BYTES)
 * @head: size of a struct sk_buff in its slab
 * @shared: size of a struct skb_shared_info, aligned
 * @room: headroom that a driver leaves before a packet
 */
struct ballast_skb_layout {
	u32 page;
	u32 align;
	u32 head;
	u32 shared;
	u32 room;
};

u32 ballast_estimate_buffer(const struct ballast_skb_layout *layout, u32 size);
unsigned int ballast_estimate_order(const struct ballast_skb_layout *layout,
				    u32 size);
u32 ballast_estimate_ring(const struct ballast_skb_layout *layout, u32 packets,
			  u32 size);
u32 ballast_estimate_linear(const struct ballast_skb_layout *layout);
u32 ballast_estimate_pages(const struct ballast_skb_layout *layout, u32 packets,
			   u32 size);

#endif /* BALLAST_ESTIMATE_H */
