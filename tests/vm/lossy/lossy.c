// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: a network card, lossy0, whose driver finds no memory to put larger
 * packets together. It drops them, and counts that as real drivers do.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>

#define LARGEST 1000	/* bytes of those that it sends */

static struct net_device *lossy;
static u64 failed;

static netdev_tx_t lossy_xmit(struct sk_buff *skb, struct net_device *dev)
{
	if (skb->len > LARGEST) {
		failed++;
		dev->stats.tx_dropped++;
	} else {
		dev->stats.tx_packets++;
	}
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops lossy_ops = {
	.ndo_start_xmit = lossy_xmit,
};

static int lossy_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? 1 : -EOPNOTSUPP;
}

static void lossy_strings(struct net_device *dev, u32 set, u8 *strings)
{
	strscpy(strings, "tx_linearize_failed", ETH_GSTRING_LEN);
}

static void lossy_stats(struct net_device *dev, struct ethtool_stats *stats,
			u64 *values)
{
	values[0] = failed;
}

static const struct ethtool_ops lossy_ethtool_ops = {
	.get_sset_count = lossy_sset_count,
	.get_strings = lossy_strings,
	.get_ethtool_stats = lossy_stats,
};

static void lossy_setup(struct net_device *dev)
{
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->netdev_ops = &lossy_ops;
	dev->ethtool_ops = &lossy_ethtool_ops;
	dev->features |= NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO;
	dev->hw_features |= dev->features;
}

static int __init lossy_init(void)
{
	int err;

	lossy = alloc_netdev(0, "lossy0", NET_NAME_UNKNOWN, lossy_setup);
	if (!lossy)
		return -ENOMEM;
	err = register_netdev(lossy);
	if (err)
		free_netdev(lossy);
	return err;
}

static void __exit lossy_exit(void)
{
	unregister_netdev(lossy);
	free_netdev(lossy);
}

module_init(lossy_init);
module_exit(lossy_exit);
MODULE_DESCRIPTION("A network card that drops larger packets");
MODULE_LICENSE("GPL");
