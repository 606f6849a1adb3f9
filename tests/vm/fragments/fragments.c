// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: the most fragments and bytes of a packet that was handed to a
 * driver, over all interfaces. Writing 0 resets it.
 */
#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>

static uint most_fragments;
module_param(most_fragments, uint, 0644);
static uint most_bytes;
module_param(most_bytes, uint, 0644);
static uint packets;
module_param(packets, uint, 0644);

static int see(struct sk_buff *skb, struct net_device *dev,
	       struct packet_type *type, struct net_device *orig)
{
	if (skb->pkt_type == PACKET_OUTGOING) {
		packets++;
		most_fragments = max_t(uint, most_fragments,
				       skb_shinfo(skb)->nr_frags);
		most_bytes = max(most_bytes, skb->len);
	}
	kfree_skb(skb);
	return 0;
}

static struct packet_type all __read_mostly = {
	.type = htons(ETH_P_ALL),
	.func = see,
};

static int __init fragments_init(void)
{
	dev_add_pack(&all);
	return 0;
}

static void __exit fragments_exit(void)
{
	dev_remove_pack(&all);
}

module_init(fragments_init);
module_exit(fragments_exit);
MODULE_DESCRIPTION("Counts the fragments of outgoing packets");
MODULE_LICENSE("GPL");
