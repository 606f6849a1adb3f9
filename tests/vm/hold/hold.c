// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: holds every packet of the type for local experiments that comes
 * in, until it is unloaded, and counts what they take: packets, the bytes
 * that the kernel says they take, and the pages that went since the first.
 */
#include <linux/if_ether.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/vmstat.h>

#define HOLD_TYPE	0x88b5

static uint packets;
module_param(packets, uint, 0444);
static ulong bytes;
module_param(bytes, ulong, 0444);
static long pages;
module_param(pages, long, 0444);

static struct sk_buff_head held;
static long before;

static int hold(struct sk_buff *skb, struct net_device *dev,
		struct packet_type *type, struct net_device *orig)
{
	long now = global_zone_page_state(NR_FREE_PAGES);

	if (!packets++)
		before = now;
	bytes += skb->truesize;
	pages = before - now;
	skb_queue_tail(&held, skb);
	return 0;
}

static struct packet_type type __read_mostly = {
	.type = htons(HOLD_TYPE),
	.func = hold,
};

static int __init hold_init(void)
{
	skb_queue_head_init(&held);
	dev_add_pack(&type);
	return 0;
}

static void __exit hold_exit(void)
{
	dev_remove_pack(&type);
	skb_queue_purge(&held);
}

module_init(hold_init);
module_exit(hold_exit);
MODULE_DESCRIPTION("Holds packets, and counts what they take");
MODULE_LICENSE("GPL");
