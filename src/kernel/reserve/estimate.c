// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory packets take; see estimate.h. After the 2005 proposal's
 * estimate_skb_pages(), for the kernel's layout of today.
 */
#include "estimate.h"

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/minmax.h>

/* The slab's sizes: powers of two from 8 on, and two between. */
static u32 slab_size(u32 size)
{
	if (size <= 8)
		return 8;
	if (size > 64 && size <= 96)
		return 96;
	if (size > 128 && size <= 192)
		return 192;
	return roundup_pow_of_two(size);
}

/**
 * estimate_skb_buffer - what the buffer of one packet takes
 * @layout: of packets on this kernel
 * @size: of the packet, link header included, bytes
 *
 * Return: bytes, as the slab or the page allocator rounds them
 */
u32 estimate_skb_buffer(const struct ballast_skb_layout *layout, u32 size)
{
	return slab_size(ALIGN(size + layout->room, layout->align) +
			 layout->shared);
}

/**
 * estimate_skb_order - how many contiguous pages a packet's buffer needs
 * @layout: of packets on this kernel
 * @size: of the packet, link header included, bytes
 *
 * Return: order of the allocation
 */
unsigned int estimate_skb_order(const struct ballast_skb_layout *layout,
				u32 size)
{
	u32 buffer = estimate_skb_buffer(layout, size);

	return buffer <= layout->page ? 0 : ilog2(buffer / layout->page);
}

/* So many packets' buffers; slab pages are shared by small ones. */
static u32 buffer_pages(const struct ballast_skb_layout *layout, u32 packets,
			u32 buffer)
{
	if (buffer >= layout->page)
		return packets * (buffer / layout->page);
	return DIV_ROUND_UP(packets, layout->page / buffer);
}

/**
 * estimate_skb_linear - what a packet takes whose data is elsewhere
 * @layout: of packets on this kernel
 *
 * Many drivers receive into pages, and copy the headers, or all of a short
 * packet, into a small buffer of its own.
 *
 * Return: bytes of that buffer
 */
u32 estimate_skb_linear(const struct ballast_skb_layout *layout)
{
	return estimate_skb_buffer(layout, ESTIMATE_COPIED);
}

/**
 * estimate_skb_pages - what packets take
 * @layout: of packets on this kernel
 * @packets: how many
 * @size: of each, link header included, bytes
 *
 * The most that drivers make of it: those that need no buffer for headers
 * take a fifth less. A sixteenth more for what slabs and page fragments
 * leave unused.
 *
 * Return: pages, for the buffers and the struct sk_buff
 */
u32 estimate_skb_pages(const struct ballast_skb_layout *layout, u32 packets,
		       u32 size)
{
	u32 pages = buffer_pages(layout, packets,
				 estimate_skb_buffer(layout, size)) +
		    buffer_pages(layout, packets, estimate_skb_linear(layout)) +
		    buffer_pages(layout, packets, layout->head);

	return pages + pages / 16;
}
