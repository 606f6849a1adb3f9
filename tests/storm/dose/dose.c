// SPDX-License-Identifier: GPL-2.0
/*
 * For make storm-dose: a burst of packets that no program reads, as a driver
 * sees it. For each packet a page is allocated with GFP_ATOMIC and kept, and a
 * packet of no protocol comes in on eth0, so that the hooks of its ingress run.
 * The burst ends with the first allocation that fails; then all is freed.
 *
 * Write the number of packets to the parameter burst. It begins when fewer than
 * @below pages are free; EAGAIN if that is not within a second. Reading it
 * tells how many allocations succeeded.
 *
 * It runs with softirqs disabled, but in no softirq: the emergency reserves
 * for receive softirqs have no part in it.
 */
#include <linux/bottom_half.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/vmstat.h>

#define DOSE_DEVICE	"eth0"
/* For local experiments; no handler takes it. */
#define DOSE_TYPE	0x88b6

static uint below;
module_param(below, uint, 0644);
MODULE_PARM_DESC(below, "free pages at which a burst begins; 0: at once");

static uint dose_got;

static bool dose_may_begin(void)
{
	return !below || global_zone_page_state(NR_FREE_PAGES) < below;
}

static bool dose_wait(void)
{
	unsigned int i;

	for (i = 0; i < 1000 && !dose_may_begin(); i++)
		usleep_range(1000, 1100);
	return dose_may_begin();
}

static struct sk_buff *dose_packet(struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN + ETH_ZLEN, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb->dev = dev;
	skb_put_zero(skb, ETH_HLEN + ETH_ZLEN);
	eth_hdr(skb)->h_proto = htons(DOSE_TYPE);
	skb->protocol = eth_type_trans(skb, dev);
	return skb;
}

static uint dose_allocate(uint packets, struct sk_buff *skb, void **first)
{
	uint got;

	for (got = 0; got < packets; got++) {
		void **page =
			(void **)__get_free_page(GFP_ATOMIC | __GFP_NOWARN);

		if (!page)
			break;
		*page = *first;
		*first = page;
		netif_receive_skb(skb_get(skb));
	}
	return got;
}

static void dose_free(void *first)
{
	while (first) {
		void *page = first;

		first = *(void **)page;
		free_page((unsigned long)page);
	}
}

static int dose_set(const char *value, const struct kernel_param *kp)
{
	struct net_device *dev;
	struct sk_buff *skb;
	void *first = NULL;
	uint packets;
	int err = kstrtouint(value, 0, &packets);

	if (err)
		return err;
	if (!dose_wait())
		return -EAGAIN;
	dev = dev_get_by_name(&init_net, DOSE_DEVICE);
	if (!dev)
		return -ENODEV;
	skb = dose_packet(dev);
	if (skb) {
		local_bh_disable();
		dose_got = dose_allocate(packets, skb, &first);
		local_bh_enable();
		dose_free(first);
		kfree_skb(skb);
	}
	dev_put(dev);
	return skb ? 0 : -ENOMEM;
}

static const struct kernel_param_ops dose_ops = {
	.set = dose_set,
	.get = param_get_uint,
};
module_param_cb(burst, &dose_ops, &dose_got, 0644);
MODULE_PARM_DESC(burst,
		 "packets of a burst; reads as the number that found memory");

MODULE_DESCRIPTION("A burst of packets that no program reads");
MODULE_LICENSE("GPL");
