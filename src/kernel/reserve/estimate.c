// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory packets take; see estimate.h. This is the 2005 proposal's
 * estimate_skb_pages() for today's layout of packets.
 */
#include "estimate.h"

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/minmax.h>

/* Bytes of a packet that drivers copy out of the page it was received in. */
#define ESTIMATE_COPIED		128
/* Bytes of a page that drivers receive a packet into, at least. */
#define ESTIMATE_FRAGMENT	4096U
/*
 * Bytes of a packet, at most: IP has no larger ones. An interface without a
 * ring may have a larger MTU; WireGuard allows 2 GiB, and a buffer of that size
 * does not fit into 32 bits.
 */
#define ESTIMATE_LARGEST 65536U

/* The slab allocator's sizes: powers of two from 8, and 96 and 192. */
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
 * ballast_estimate_buffer - memory that the buffer of one packet takes
 * @layout: of packets on this kernel
 * @size: of the packet in bytes, link header included; more than 64 KiB counts
 *	  as 64 KiB
 *
 * Context: Any.
 * Return: bytes, as rounded up by the slab or the page allocator
 */
u32 ballast_estimate_buffer(const struct ballast_skb_layout *layout, u32 size)
{
	size = min(size, ESTIMATE_LARGEST);
	return slab_size(ALIGN(size + layout->room, layout->align) +
			 layout->shared);
}

/**
 * ballast_estimate_order - how contiguous the buffer of a packet must be
 * @layout: of packets on this kernel
 * @size: of the packet in bytes, link header included
 *
 * Context: Any.
 * Return: the order of the buffer's allocation
 */
unsigned int ballast_estimate_order(const struct ballast_skb_layout *layout,
				    u32 size)
{
	u32 buffer = ballast_estimate_buffer(layout, size);

	return buffer <= layout->page ? 0 : ilog2(buffer / layout->page);
}

/* Pages for @packets buffers; those smaller than a page share slab pages. */
static u32 buffer_pages(const struct ballast_skb_layout *layout, u32 packets,
			u32 buffer)
{
	if (buffer >= layout->page)
		return packets * (buffer / layout->page);
	return DIV_ROUND_UP(packets, layout->page / buffer);
}

/**
 * ballast_estimate_ring - memory that a receive ring asks for
 * @layout: of packets on this kernel
 * @packets: entries of the ring
 * @size: of a packet in bytes, link header included
 *
 * Most drivers receive each packet into a page of 4 KiB, even if half of it
 * would do. They divide larger pages.
 *
 * Context: Any.
 * Return: pages
 */
u32 ballast_estimate_ring(const struct ballast_skb_layout *layout, u32 packets,
			  u32 size)
{
	return buffer_pages(layout, packets,
			    max(ballast_estimate_buffer(layout, size),
				ESTIMATE_FRAGMENT));
}

/**
 * ballast_estimate_linear - memory for the header of a packet in pages
 * @layout: of packets on this kernel
 *
 * Many drivers receive into pages. They copy the headers, or all of a short
 * packet, into a small separate buffer.
 *
 * Context: Any.
 * Return: bytes of that buffer
 */
u32 ballast_estimate_linear(const struct ballast_skb_layout *layout)
{
	return ballast_estimate_buffer(layout, ESTIMATE_COPIED);
}

/**
 * ballast_estimate_pages - memory that packets take
 * @layout: of packets on this kernel
 * @packets: number of packets
 * @size: of each packet in bytes, link header included
 *
 * This is the most that drivers use. Drivers that need no buffer for headers
 * use a fifth less. One sixteenth is added for memory that slabs and page
 * fragments leave unused.
 *
 * Context: Any.
 * Return: pages for the buffers and the struct sk_buff of all packets
 */
u32 ballast_estimate_pages(const struct ballast_skb_layout *layout, u32 packets,
			   u32 size)
{
	u32 pages = buffer_pages(layout, packets,
				 ballast_estimate_buffer(layout, size)) +
		    buffer_pages(layout, packets,
				 ballast_estimate_linear(layout)) +
		    buffer_pages(layout, packets, layout->head);

	return pages + pages / 16;
}
