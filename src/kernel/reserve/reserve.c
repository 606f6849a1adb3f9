// SPDX-License-Identifier: GPL-2.0
/*
 * Reserves: their making, sizing and end; see reserve.h. Process context.
 *
 * The disk's thread makes a reserve anew when a route moves while memory is
 * gone, so nothing here waits for reclaim: blocks are allocated without it,
 * and the rest runs in the PF_MEMALLOC scope of that thread.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "estimate.h"
#include "headroom.h"
#include "objects.h"
#include "reserve.h"

/*
 * What a receive ring asks for between two looks at the headroom, at least.
 * With 256 pages in-tree nbd lived through 100 Mbit/s on virtio_net, whose
 * ring has 256 entries; the filter begins half as much above that.
 */
#define RESERVE_LEND_BELOW	256
#define RESERVE_FLOOR		32

/* Without reclaim, and not from what PF_MEMALLOC may use; wakes kswapd. */
#define RESERVE_GFP \
	(__GFP_KSWAPD_RECLAIM | __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN)
#define RESERVE_FILL_TIMEOUT	(2 * HZ)

/*
 * Guards the registry, the reserves' demands and their size. Process
 * context; taken under the rtnl in the notifier, and never the other way.
 */
static DEFINE_MUTEX(reserves_mutex);
static LIST_HEAD(reserves);

/* Counts changes of which device is under which. Written under the rtnl. */
static unsigned int reserve_generation;

static struct ballast_skb_layout reserve_layout __ro_after_init;

/* No disk and no guard may take more of the memory than this. */
unsigned long ballast_reserve_max_pages(void)
{
	return totalram_pages() / 10;
}

/* Where nobody gave a size, a small machine keeps most of its memory. */
static unsigned long reserve_auto_max_pages(void)
{
	return totalram_pages() / 64;
}

/*
 * The pool is filled when it is made and resized, which mempool does with
 * GFP_KERNEL. Where it asks while it lends (which it does without reclaim)
 * it shall take what it has.
 */
static void *blocks_alloc(gfp_t gfp, void *data)
{
	struct ballast_blocks *blocks = data;

	if (!gfpflags_allow_blocking(gfp))
		return NULL;
	return alloc_pages_node(blocks->node, RESERVE_GFP, blocks->order);
}

static void blocks_free(void *element, void *data)
{
	struct ballast_blocks *blocks = data;

	__free_pages(element, blocks->order);
}

/*
 * A pool of @nr blocks. What can't be had without reclaim is missing, as if
 * it were lent. Return: NULL: not even one could be had.
 */
static struct ballast_blocks *blocks_make(unsigned int nr, unsigned int order,
					  int node)
{
	struct ballast_blocks *blocks = kzalloc(sizeof(*blocks), GFP_KERNEL);

	if (!blocks)
		return NULL;
	blocks->order = order;
	blocks->node = node;
	if (mempool_init_node(&blocks->pool, 1, blocks_alloc, blocks_free,
			      blocks, GFP_KERNEL, node))
		goto free;
	if (mempool_resize(&blocks->pool, nr))
		goto exit;
	return blocks;

exit:
	mempool_exit(&blocks->pool);
free:
	kfree(blocks);
	return NULL;
}

static void blocks_end(struct ballast_blocks *blocks)
{
	if (!blocks)
		return;
	mempool_exit(&blocks->pool);
	kfree(blocks);
}

static struct ballast_blocks *reserve_swap_blocks(struct ballast_reserve *res,
						  struct ballast_blocks *blocks)
{
	struct ballast_blocks *old;

	spin_lock_bh(&res->lock);
	old = res->blocks;
	res->blocks = blocks;
	spin_unlock_bh(&res->lock);
	return old;
}

/* Return: 1: a block more; 0: none is missing; -ENOMEM: not without reclaim */
static int reserve_add_block(struct ballast_reserve *res)
{
	unsigned int order = 0;
	int node = NUMA_NO_NODE;
	bool missing;
	struct page *page;

	spin_lock_bh(&res->lock);
	missing = ballast_reserve_lent(res);
	if (missing) {
		order = res->blocks->order;
		node = res->blocks->node;
	}
	spin_unlock_bh(&res->lock);
	if (!missing)
		return 0;
	page = alloc_pages_node(node, RESERVE_GFP, order);
	if (!page)
		return -ENOMEM;
	spin_lock_bh(&res->lock);
	if (res->blocks && res->blocks->order == order)
		mempool_free(page, &res->blocks->pool);
	else
		__free_pages(page, order);
	spin_unlock_bh(&res->lock);
	return 1;
}

/**
 * ballast_reserve_fill - get the blocks that are missing
 * @res: the reserve
 *
 * Page cache fills a machine's memory to the brim; kswapd is asked to make
 * room, and waited for, RESERVE_FILL_TIMEOUT at most. Never reclaims itself.
 *
 * Return: 0: complete, or in use; -ENOMEM; -EINTR
 */
int ballast_reserve_fill(struct ballast_reserve *res)
{
	unsigned long end = jiffies + RESERVE_FILL_TIMEOUT;
	int err;

	while ((err = reserve_add_block(res)) && !READ_ONCE(res->in_use)) {
		if (err > 0)
			cond_resched();
		else if (time_after(jiffies, end))
			return -ENOMEM;
		else if (msleep_interruptible(10))
			return -EINTR;
	}
	return 0;
}

static unsigned int reserve_packets(const struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int packets = 0;

	if (res->fixed_packets)
		return res->fixed_packets;
	/* A page each, which is what is swapped, and as many packets back. */
	list_for_each_entry(demand, &res->demands, entry)
		packets += demand->requests * 2 *
			   DIV_ROUND_UP(PAGE_SIZE, max(res->dev->mtu, 68U));
	return max_t(unsigned int, packets, BALLAST_MIN_PACKETS);
}

/* The size that somebody gave, the last writer or else the users, or auto. */
static int reserve_fixed_pages(const struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	int pages = res->fixed_pages;

	if (pages != BALLAST_RESERVE_AUTO)
		return pages;
	list_for_each_entry(demand, &res->demands, entry)
		pages = max(pages, demand->pages);
	return pages;
}

static unsigned int reserve_pages(const struct ballast_reserve *res)
{
	int fixed = reserve_fixed_pages(res);

	if (fixed != BALLAST_RESERVE_AUTO)
		return fixed;
	return min_t(unsigned long, reserve_auto_max_pages(),
		     ballast_estimate_pages(&reserve_layout, res->packets,
					res->frame));
}

/* As it is when the reserve is made; the notifiers have the rtnl already. */
static void reserve_set_ring(struct ballast_reserve *res)
{
	if (!rtnl_trylock())
		return;
	res->ring = compat_dev_rx_ring(res->dev);
	rtnl_unlock();
}

/*
 * The ring; but a machine that swaps has its free memory between the low and
 * the high watermarks, and there other traffic must not be dropped for ever.
 */
static long reserve_lend_below(const struct ballast_reserve *res)
{
	long ring = max_t(long, res->ring, RESERVE_LEND_BELOW) << res->order;

	if (res->fixed_lend_below != BALLAST_RESERVE_AUTO)
		return res->fixed_lend_below;
	return min(ring, max((long)RESERVE_LEND_BELOW << res->order,
			     ballast_headroom_at_low() * 2 / 3));
}

/* Make the pool as large as is asked for. Return: 0 or -ENOMEM */
static int reserve_resize(struct ballast_reserve *res)
{
	struct ballast_blocks *blocks = res->blocks;
	unsigned int nr, noreclaim;
	int err = 0;

	res->packets = reserve_packets(res);
	res->frame = res->dev->mtu + res->dev->hard_header_len;
	res->order = ballast_estimate_order(&reserve_layout, res->frame);
	reserve_set_ring(res);
	res->lend_below = reserve_lend_below(res);
	res->filter_below = res->lend_below * 3 / 2;
	res->floor = RESERVE_FLOOR;

	nr = DIV_ROUND_UP(reserve_pages(res), 1U << res->order);
	if (blocks && nr == blocks->pool.min_nr && blocks->order == res->order)
		return 0;

	/* mempool's own arrays; the blocks are __GFP_NOMEMALLOC. */
	noreclaim = memalloc_noreclaim_save();
	if (blocks && nr && blocks->order == res->order) {
		err = mempool_resize(&blocks->pool, nr);
	} else {
		/* Another order, or nothing. What is lent stays lent. */
		blocks_end(reserve_swap_blocks(res, NULL));
		blocks = nr ? blocks_make(nr, res->order,
					  dev_to_node(&res->dev->dev)) : NULL;
		if (nr && !blocks)
			err = -ENOMEM;
		reserve_swap_blocks(res, blocks);
	}
	memalloc_noreclaim_restore(noreclaim);
	return err;
}

/* The union of what the users let pass. */
static void reserve_collect_allow(struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int i, nr = 0;

	spin_lock_bh(&res->lock);
	list_for_each_entry(demand, &res->demands, entry)
		for (i = 0; i < demand->nr_allow && nr < BALLAST_MAX_ALLOW; i++)
			res->allow[nr++] = demand->allow[i];
	WRITE_ONCE(res->nr_allow, nr);
	spin_unlock_bh(&res->lock);
}

/* The users or the interface have changed. */
static int reserve_refresh(struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int guards = 0;
	bool filter = false;

	list_for_each_entry(demand, &res->demands, entry) {
		filter |= demand->filter;
		guards += demand->guard;
	}
	WRITE_ONCE(res->filter, filter);
	WRITE_ONCE(res->guards, guards);
	reserve_collect_allow(res);
	return reserve_resize(res);
}

static struct ballast_reserve *reserve_find(const struct net_device *dev)
{
	struct ballast_reserve *res;

	list_for_each_entry(res, &reserves, entry)
		if (res->dev == dev)
			return res;
	return NULL;
}

static void reserve_release(struct kref *ref)
{
	struct ballast_reserve *res =
		container_of(ref, struct ballast_reserve, ref);

	free_percpu(res->stats);
	kfree(res);
	ballast_object_put();
}

void ballast_reserve_unref(struct ballast_reserve *res)
{
	kref_put(&res->ref, reserve_release);
}

/* The interface loses its reserve; users may refer to it still. */
static void reserve_end(struct ballast_reserve *res)
{
	list_del(&res->entry);
	nf_unregister_net_hook(dev_net(res->dev), &res->hook);
	ballast_netsysfs_remove(res);
	ballast_lend_stop(res);
	blocks_end(reserve_swap_blocks(res, NULL));
	synchronize_net(); /* for the hook */
	dev_put(res->dev);
	WRITE_ONCE(res->dev, NULL);
	ballast_reserve_unref(res);
}

static struct ballast_reserve *reserve_make(struct net_device *dev)
{
	struct ballast_reserve *res = kzalloc(sizeof(*res), GFP_KERNEL);
	int err = -ENOMEM;

	if (!res)
		return ERR_PTR(-ENOMEM);
	ballast_object_get();
	kref_init(&res->ref);
	INIT_LIST_HEAD(&res->demands);
	res->dev = dev;
	res->fixed_pages = BALLAST_RESERVE_AUTO;
	res->fixed_lend_below = BALLAST_RESERVE_AUTO;
	res->hook.hook = ballast_ingress_hook;
	res->hook.pf = NFPROTO_NETDEV;
	res->hook.hooknum = NF_NETDEV_INGRESS;
	res->hook.priority = INT_MIN; /* the sooner it is freed the better */
	res->hook.dev = dev;
	res->hook.priv = res;
	ballast_lend_start(res);
	res->stats = alloc_percpu(struct ballast_reserve_stats);
	if (!res->stats)
		goto put;
	err = ballast_netsysfs_add(res);
	if (err)
		goto put;
	err = nf_register_net_hook(dev_net(dev), &res->hook);
	if (err) {
		ballast_netsysfs_remove(res);
		goto put;
	}
	dev_hold(dev);
	list_add(&res->entry, &reserves);
	return res;

put:
	ballast_reserve_unref(res);
	return ERR_PTR(err);
}

/**
 * ballast_reserve_get - become a user of an interface's reserve
 * @dev: the interface; the caller keeps it from going away meanwhile
 * @demand: what the user asks for; stays with the reserve until it is put
 *
 * The reserve is made if it is not there yet. Blocks that can't be had
 * without reclaim are missing at first, and count as lent.
 *
 * Return: the reserve, or an errno; -ENODEV: @dev is going away
 */
struct ballast_reserve *ballast_reserve_get(struct net_device *dev,
					    struct ballast_demand *demand)
{
	struct ballast_reserve *res;
	int err = 0;

	mutex_lock(&reserves_mutex);
	/* Seen here, its end comes to our notifier later. */
	if (dev->reg_state != NETREG_REGISTERED) {
		mutex_unlock(&reserves_mutex);
		return ERR_PTR(-ENODEV);
	}
	res = reserve_find(dev) ?: reserve_make(dev);
	if (!IS_ERR(res)) {
		kref_get(&res->ref);
		list_add(&demand->entry, &res->demands);
		err = reserve_refresh(res);
	}
	mutex_unlock(&reserves_mutex);
	if (err) {
		ballast_reserve_put(res, demand);
		return ERR_PTR(err);
	}
	return res;
}

/**
 * ballast_reserve_put - use it no longer
 * @res: from ballast_reserve_get(), with no request in flight
 * @demand: likewise
 *
 * The last user's end is the reserve's.
 */
void ballast_reserve_put(struct ballast_reserve *res,
			 struct ballast_demand *demand)
{
	mutex_lock(&reserves_mutex);
	list_del(&demand->entry);
	if (res->dev) {
		if (list_empty(&res->demands))
			reserve_end(res);
		else
			reserve_refresh(res);
	}
	mutex_unlock(&reserves_mutex);
	ballast_reserve_unref(res);
}

/*
 * Another size by one of res->fixed_*, or the former value and size. For
 * sysfs, whose files the holder of the mutex may be removing.
 */
static int reserve_set(struct ballast_reserve *res, int *fixed, int value,
		       bool fill)
{
	int was, err = -ENODEV;

	if (!mutex_trylock(&reserves_mutex))
		return restart_syscall();
	if (res->dev) {
		was = *fixed;
		*fixed = value;
		err = reserve_resize(res);
		if (!err && fill)
			err = ballast_reserve_fill(res);
		if (err) {
			*fixed = was;
			reserve_resize(res);
		}
	}
	mutex_unlock(&reserves_mutex);
	return err;
}

/**
 * ballast_reserve_set_pages - give the reserve a size
 * @res: the reserve
 * @pages: its size, 0 included, or BALLAST_RESERVE_AUTO
 *
 * Return: 0; -EINVAL: more than ballast_reserve_max_pages(); -ENOMEM: can't
 * be had without reclaim, and the size is as before, likewise at -EINTR;
 * -ENODEV; what restart_syscall() returns
 */
int ballast_reserve_set_pages(struct ballast_reserve *res, int pages)
{
	if (pages > 0 && pages > ballast_reserve_max_pages())
		return -EINVAL;
	return reserve_set(res, &res->fixed_pages, pages, true);
}

/**
 * ballast_reserve_set_packets - say how many packets it is sized for
 * @res: the reserve
 * @packets: at least 1, or 0: as many as its users can have in flight
 *
 * Return: 0; -ENOMEM, and it is sized as before; -ENODEV; what
 * restart_syscall() returns
 */
int ballast_reserve_set_packets(struct ballast_reserve *res, int packets)
{
	return reserve_set(res, &res->fixed_packets, packets, false);
}

/**
 * ballast_reserve_set_lend_below - say when blocks are lent
 * @res: the reserve
 * @pages: of headroom, or BALLAST_RESERVE_AUTO
 *
 * Return: 0; -EINVAL: more than the memory has; -ENOMEM, and it is as before;
 * -ENODEV; what restart_syscall() returns
 */
int ballast_reserve_set_lend_below(struct ballast_reserve *res, int pages)
{
	if (pages > 0 && pages > totalram_pages())
		return -EINVAL;
	return reserve_set(res, &res->fixed_lend_below, pages, false);
}

/* The calculation of the size, in words and figures; for sysfs. */
ssize_t ballast_reserve_explain(struct ballast_reserve *res, char *buf)
{
	u32 buffer = ballast_estimate_buffer(&reserve_layout, res->frame);
	ssize_t len;

	if (!mutex_trylock(&reserves_mutex))
		return restart_syscall();
	len = sysfs_emit(buf,
			 "%u packets of %u bytes: each %u bytes of buffer (order %u), %u for headers and %u of struct sk_buff, and a sixteenth: %u pages\n"
			 "at most 1/64 of memory: %lu pages\n"
			 "set by hand: %d pages (-1: no)\n"
			 "lends below %ld pages of headroom, in use below %ld with I/O in flight; headroom now %ld\n",
			 res->packets, res->frame, buffer, res->order,
			 ballast_estimate_linear(&reserve_layout),
			 reserve_layout.head,
			 ballast_estimate_pages(&reserve_layout, res->packets,
					    res->frame),
			 reserve_auto_max_pages(), reserve_fixed_pages(res),
			 res->lend_below, res->filter_below,
			 ballast_headroom(res->order));
	mutex_unlock(&reserves_mutex);
	return len;
}

/* Another value than before: who has found devices must look again. */
unsigned int ballast_reserve_generation(void)
{
	return READ_ONCE(reserve_generation);
}

static int reserve_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct ballast_reserve *res;

	if (event == NETDEV_UNREGISTER || event == NETDEV_CHANGEUPPER)
		WRITE_ONCE(reserve_generation, reserve_generation + 1);
	if (event != NETDEV_UNREGISTER && event != NETDEV_CHANGEMTU)
		return NOTIFY_DONE;
	mutex_lock(&reserves_mutex);
	res = reserve_find(dev);
	if (res && event == NETDEV_UNREGISTER)
		reserve_end(res);
	else if (res && reserve_refresh(res))
		pr_warn("%s: no reserve for the new MTU: it can't be had without reclaim\n",
			dev->name);
	mutex_unlock(&reserves_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block reserve_notifier = {
	.notifier_call = reserve_event,
};

int __init ballast_reserve_init(void)
{
	reserve_layout = (struct ballast_skb_layout) {
		.page = PAGE_SIZE,
		.align = SMP_CACHE_BYTES,
		.head = ALIGN(sizeof(struct sk_buff), SMP_CACHE_BYTES),
		.shared = SKB_DATA_ALIGN(sizeof(struct skb_shared_info)),
		.room = NET_SKB_PAD + NET_IP_ALIGN,
	};
	return register_netdevice_notifier(&reserve_notifier);
}

/* On unload, when nobody uses a reserve. */
void ballast_reserve_exit(void)
{
	unregister_netdevice_notifier(&reserve_notifier);
}
