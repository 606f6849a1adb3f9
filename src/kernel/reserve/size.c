// SPDX-License-Identifier: GPL-2.0
/*
 * Computes how large a reserve is, and at which headroom it comes into use,
 * from the demands of its users, the interface and the machine; see size.h.
 *
 * All of it runs in process context, and the caller holds reserves_mutex of
 * reserve.c.
 */
#include "size.h"

#include <linux/cache.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/sysfs.h>

#include "card.h"
#include "compat.h"
#include "demand.h"
#include "estimate.h"
#include "headroom.h"
#include "reserve.h"

/*
 * Minimum of the packets that a receive ring asks for between two updates of
 * the headroom, and of the pages for them: 1 MiB. With 256 pages of 4 KiB,
 * in-tree nbd survived 100 Mbit/s on virtio_net, whose ring has 256 entries.
 * The filter begins at 1.5 times as much.
 */
#define SIZE_RING		256U
#define SIZE_LEND_BELOW		max(SZ_1M / PAGE_SIZE, 64UL)
#define SIZE_FLOOR		(SIZE_LEND_BELOW / 8)

static struct ballast_skb_layout size_layout __ro_after_init;

/* By default a small machine keeps most of its memory. */
static unsigned long size_auto_max_pages(void)
{
	return min_t(unsigned long, totalram_pages() / 64, BALLAST_BLOCKS_MAX);
}

static unsigned int size_packets(const struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int packets = 0;

	if (res->fixed_packets)
		return res->fixed_packets;
	/* A page for each request, as for swap, and as many packets back. */
	list_for_each_entry(demand, &res->demands, entry)
		packets += demand->requests * 2 *
			   DIV_ROUND_UP(PAGE_SIZE, max(res->dev->mtu, 68U));
	return max_t(unsigned int, packets, BALLAST_MIN_PACKETS);
}

/* The size written to size_pages, else the largest that a demand sets, or auto. */
static int size_fixed_pages(const struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	int pages = res->fixed_pages;

	if (pages != BALLAST_RESERVE_AUTO)
		return pages;
	list_for_each_entry(demand, &res->demands, entry)
		pages = max(pages, demand->pages);
	return pages;
}

/*
 * A tunnel has no ring and no blocks (path.c): no buffer is allocated for its
 * packets, so its MTU, which may be large, says nothing about the memory that
 * must be free.
 */
static bool size_has_ring(const struct ballast_reserve *res)
{
	return ballast_card_is(res->dev) || size_fixed_pages(res);
}

/*
 * Read the size of the receive ring. If the RTNL is taken, by the calling
 * notifier or by another process, keep the former value: waiting for it under
 * reserves_mutex could deadlock with the notifier. Also keep it while the
 * driver has detached the device, as in suspend.
 */
static void size_read_ring(struct ballast_reserve *res)
{
	if (!rtnl_trylock())
		return;
	if (netif_device_present(res->dev))
		res->ring = compat_dev_rx_ring(res->dev);
	rtnl_unlock();
}

/*
 * Headroom in pages below which to lend: what the ring can ask for. But on a
 * machine that swaps, free memory is between the low and the high watermarks,
 * and there the filter, which begins at 1.5 times as much, must not drop other
 * traffic all the time. The limit holds for each order: larger packets do not
 * raise the watermarks.
 */
static long size_lend_below(const struct ballast_reserve *res)
{
	long ring = 0;

	if (res->fixed_lend_below != BALLAST_RESERVE_AUTO)
		return res->fixed_lend_below;
	if (size_has_ring(res))
		ring = ballast_estimate_ring(&size_layout,
					     max(res->ring, SIZE_RING),
					     res->frame);
	return max_t(long, SIZE_FLOOR,
		     min(max_t(long, ring, SIZE_LEND_BELOW),
			 ballast_headroom_at_low() * 2 / 3));
}

/**
 * ballast_size_follow - update the marks of a reserve
 * @res: the reserve, after ballast_size_compute(); its interface exists
 *
 * They depend on the size of the receive ring, on the watermarks of the
 * machine, and on values written to sysfs.
 *
 * Context: Process context, under reserves_mutex. Tries to take the RTNL.
 */
void ballast_size_follow(struct ballast_reserve *res)
{
	size_read_ring(res);
	WRITE_ONCE(res->lend_below, size_lend_below(res));
	WRITE_ONCE(res->filter_below, res->lend_below * 3 / 2);
	WRITE_ONCE(res->floor, SIZE_FLOOR);
}

/**
 * ballast_size_compute - update the figures of a reserve
 * @res: the reserve; its interface exists
 *
 * Sets packets, frame, order, ring and the marks of headroom. They depend on
 * the demands, on values written to sysfs, on the MTU and on the ring.
 *
 * Context: Process context, under reserves_mutex. Tries to take the RTNL.
 */
void ballast_size_compute(struct ballast_reserve *res)
{
	unsigned int order = 0;

	WRITE_ONCE(res->packets, size_packets(res));
	res->frame = res->dev->mtu + res->dev->hard_header_len;
	if (size_has_ring(res))
		order = ballast_estimate_order(&size_layout, res->frame);
	WRITE_ONCE(res->order, order);
	ballast_size_follow(res);
}

/**
 * ballast_size_pages - the size that a reserve should have
 * @res: the reserve, after ballast_size_compute()
 *
 * Context: Process context, under reserves_mutex.
 * Return: pages: 0 without a demand; the largest size that was set, or the
 * estimate if that is larger and a user has set none. The estimate is at most
 * 1/64 of memory and BALLAST_BLOCKS_MAX
 */
unsigned int ballast_size_pages(const struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int estimate, pages = 0;

	if (list_empty(&res->demands))
		return 0;
	if (res->fixed_pages != BALLAST_RESERVE_AUTO)
		return res->fixed_pages;
	estimate = min_t(unsigned long, size_auto_max_pages(),
			 ballast_estimate_pages(&size_layout, res->packets,
						res->frame));
	list_for_each_entry(demand, &res->demands, entry)
		pages = max_t(unsigned int, pages,
			      demand->pages == BALLAST_RESERVE_AUTO ?
				      estimate :
				      demand->pages);
	return pages;
}

/**
 * ballast_size_explain - show how the size of a reserve is computed
 * @res: the reserve
 * @buf: a page, from sysfs
 *
 * Context: Process context, under reserves_mutex.
 * Return: bytes written to @buf
 */
ssize_t ballast_size_explain(const struct ballast_reserve *res, char *buf)
{
	return sysfs_emit(buf,
			  "%u packets of %u bytes: each %u bytes of buffer (order %u), %u for headers and %u of struct sk_buff, and a sixteenth: %u pages\n"
			  "at most 1/64 of memory and %lu pages: %lu pages\n"
			  "set by hand: %d pages (-1: no)\n"
			  "lends below %ld pages of headroom, in use below %ld with I/O in flight; headroom now %ld\n",
			  res->packets, res->frame,
			  ballast_estimate_buffer(&size_layout, res->frame),
			  res->order, ballast_estimate_linear(&size_layout),
			  size_layout.head,
			  ballast_estimate_pages(&size_layout, res->packets,
						 res->frame),
			  BALLAST_BLOCKS_MAX, size_auto_max_pages(),
			  size_fixed_pages(res), res->lend_below,
			  res->filter_below, ballast_headroom(res->order));
}

/**
 * ballast_size_init - determine the layout of packets on this kernel
 *
 * Context: Process context, when the module is loaded.
 */
void __init ballast_size_init(void)
{
	size_layout = (struct ballast_skb_layout) {
		.page = PAGE_SIZE,
		.align = SMP_CACHE_BYTES,
		.head = ALIGN(sizeof(struct sk_buff), SMP_CACHE_BYTES),
		.shared = SKB_DATA_ALIGN(sizeof(struct skb_shared_info)),
		.room = NET_SKB_PAD + NET_IP_ALIGN,
	};
}
