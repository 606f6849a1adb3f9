// SPDX-License-Identifier: GPL-2.0
/*
 * Makes, resizes and ends reserves; see reserve.h. Process context.
 *
 * When a route moves while memory is short, a new reserve is needed at once.
 * So nothing here waits for reclaim: blocks are allocated without it, and the
 * rest runs in the PF_MEMALLOC scope of the caller.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "reserve.h"

#include <linux/delay.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/rtnetlink.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <net/net_namespace.h>

#include "blocks.h"
#include "compat.h"
#include "demand.h"
#include "ingress.h"
#include "lend.h"
#include "netsysfs.h"
#include "objects.h"
#include "size.h"

#define RESERVE_FILL_TIMEOUT	(2 * HZ)

/*
 * Protects the registry, the reserves' demands and their size. Process
 * context. The notifier takes it under the RTNL; under it the RTNL is only
 * tried.
 */
static DEFINE_MUTEX(reserves_mutex);
static LIST_HEAD(reserves);

/* Counts changes of which device is under which. Written under the RTNL. */
static unsigned int reserve_generation;

/**
 * ballast_reserve_max_pages - the largest size that may be asked for
 *
 * Context: Any.
 * Return: pages, a tenth of the machine's memory
 */
unsigned long ballast_reserve_max_pages(void)
{
	return totalram_pages() / 10;
}

static struct ballast_blocks *reserve_swap_blocks(struct ballast_reserve *res,
						  struct ballast_blocks *blocks)
{
	struct ballast_blocks *old;

	lockdep_assert_held(&reserves_mutex);
	spin_lock_bh(&res->lock);
	old = res->blocks;
	res->blocks = blocks;
	spin_unlock_bh(&res->lock);
	return old;
}

/* Return: 1: one block more; 0: none is missing; -ENOMEM */
static int reserve_add_block(struct ballast_reserve *res)
{
	int ret = 0;

	spin_lock_bh(&res->lock);
	if (ballast_blocks_lent(res->blocks))
		ret = ballast_blocks_refill(res->blocks, 1,
					    __GFP_KSWAPD_RECLAIM) ?: -ENOMEM;
	spin_unlock_bh(&res->lock);
	return ret;
}

/**
 * ballast_reserve_fill - get the blocks that are missing
 * @res: the reserve
 *
 * On a machine in use the page cache fills the memory. So kswapd is woken to
 * make room, and waited for, for RESERVE_FILL_TIMEOUT (2 s) at most. This
 * function itself does not reclaim.
 *
 * Context: Process context. Sleeps.
 * Return: 0: no block is missing, or the reserve is in use; -ENOMEM: blocks
 * are still missing; -EINTR: a signal came
 */
int ballast_reserve_fill(struct ballast_reserve *res)
{
	unsigned long end = jiffies + RESERVE_FILL_TIMEOUT;
	int err;

	while ((err = reserve_add_block(res)) && !ballast_reserve_in_use(res)) {
		if (err > 0)
			cond_resched();
		else if (time_after(jiffies, end))
			return -ENOMEM;
		else if (msleep_interruptible(10))
			return -EINTR;
	}
	return 0;
}

/*
 * Give the reserve the size that follows from its figures. Return: 0 or
 * -ENOMEM, and then the size is as before, or 0 if the order has changed
 */
static int reserve_resize(struct ballast_reserve *res)
{
	struct ballast_blocks *blocks = res->blocks;
	unsigned int nr, noreclaim;
	bool keep;
	int err = 0;

	lockdep_assert_held(&reserves_mutex);
	ballast_size_compute(res);
	nr = DIV_ROUND_UP(ballast_size_pages(res), 1U << res->order);
	keep = blocks && ballast_blocks_order(blocks) == res->order;
	if (keep && nr == ballast_blocks_size(blocks))
		return 0;

	/* For mempool's own arrays; the blocks are __GFP_NOMEMALLOC. */
	noreclaim = memalloc_noreclaim_save();
	if (keep && nr) {
		err = ballast_blocks_resize(blocks, nr);
	} else {
		/* Another order, or size 0. Lent blocks stay lent. */
		ballast_blocks_end(reserve_swap_blocks(res, NULL));
		blocks = nr ? ballast_blocks_make(nr, res->order,
						  dev_to_node(&res->dev->dev)) :
			      NULL;
		if (nr && !blocks)
			err = -ENOMEM;
		reserve_swap_blocks(res, blocks);
	}
	memalloc_noreclaim_restore(noreclaim);
	return err;
}

/* Build the union of what the users let pass; the filter reads it meanwhile. */
static void reserve_collect_allow(struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int i, nr = 0;

	lockdep_assert_held(&reserves_mutex);
	list_for_each_entry(demand, &res->demands, entry) {
		for (i = 0; i < demand->nr_allow && nr < BALLAST_MAX_ALLOW;
		     i++, nr++) {
			WRITE_ONCE(res->allow[nr].protocol,
				   demand->allow[i].protocol);
			WRITE_ONCE(res->allow[nr].port, demand->allow[i].port);
		}
	}
	WRITE_ONCE(res->nr_allow, nr);
}

/* Users or the interface have changed. Return: 0 or -ENOMEM */
static int reserve_refresh(struct ballast_reserve *res)
{
	const struct ballast_demand *demand;
	unsigned int guards = 0;
	bool filter = false;

	lockdep_assert_held(&reserves_mutex);
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

	lockdep_assert_held(&reserves_mutex);
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

/**
 * ballast_reserve_unref - drop a reference
 * @res: the reserve; the last reference frees it
 *
 * Context: Process context.
 */
void ballast_reserve_unref(struct ballast_reserve *res)
{
	kref_put(&res->ref, reserve_release);
}

/* End the reserve of an interface; users may still refer to it. */
static void reserve_end(struct ballast_reserve *res)
{
	lockdep_assert_held(&reserves_mutex);
	list_del(&res->entry);
	nf_unregister_net_hook(dev_net(res->dev), &res->hook);
	ballast_netsysfs_remove(res);
	ballast_lend_stop(res);
	ballast_blocks_end(reserve_swap_blocks(res, NULL));
	synchronize_net(); /* the hook may still run */
	dev_put(res->dev);
	WRITE_ONCE(res->dev, NULL);
	ballast_reserve_unref(res);
}

static struct ballast_reserve *reserve_make(struct net_device *dev)
{
	struct ballast_reserve *res = kzalloc(sizeof(*res), GFP_KERNEL);
	int err = -ENOMEM;

	lockdep_assert_held(&reserves_mutex);
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
	res->hook.priority = INT_MIN; /* before other hooks use memory */
	res->hook.dev = dev;
	res->hook.priv = res;
	ballast_lend_start(res);
	res->stats = alloc_percpu(struct ballast_ingress_stats);
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
 * @dev: the interface; the caller holds a reference
 * @demand: what the user asks for; belongs to the reserve until
 *	    ballast_reserve_put()
 *
 * Makes the reserve if there is none yet. Blocks that cannot be allocated
 * without reclaim are missing at first, and count as lent.
 *
 * Context: Process context. Takes reserves_mutex, nf_hook_mutex, kernfs's
 * locks and those of static keys.
 * Return: the reserve; ERR_PTR(-ENODEV): @dev is being unregistered;
 * ERR_PTR(-ENOMEM) or another errno
 */
struct ballast_reserve *ballast_reserve_get(struct net_device *dev,
					    struct ballast_demand *demand)
{
	struct ballast_reserve *res;
	int err = 0;

	mutex_lock(&reserves_mutex);
	/* If it is registered now, the notifier will see its end. */
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
 * ballast_reserve_put - stop using an interface's reserve
 * @res: from ballast_reserve_get(), with no request of the user in flight
 * @demand: as given to ballast_reserve_get()
 *
 * Ends the reserve if this was its last user.
 *
 * Context: Process context. Takes the locks of ballast_reserve_get().
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
 * Set one of res->fixed_* and resize; restore value and size if that fails.
 * Called from a file in sysfs. The holder of the mutex may be removing that
 * file, and would wait for this function: hence no waiting for the mutex.
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
 * ballast_reserve_set_pages - set the size of a reserve
 * @res: the reserve
 * @pages: its size in pages, 0 included, or BALLAST_RESERVE_AUTO
 *
 * Waits for the blocks as ballast_reserve_fill() does.
 *
 * Context: Process context, from a file in sysfs.
 * Return: 0; -EINVAL: more than ballast_reserve_max_pages(); -ENODEV: the
 * interface is gone; the result of restart_syscall(). The size is as before
 * after -ENOMEM: not enough free memory without reclaim, and after -EINTR: a
 * signal came
 */
int ballast_reserve_set_pages(struct ballast_reserve *res, int pages)
{
	if (pages > 0 && pages > ballast_reserve_max_pages())
		return -EINVAL;
	return reserve_set(res, &res->fixed_pages, pages, true);
}

/**
 * ballast_reserve_set_packets - set the number of packets a reserve is for
 * @res: the reserve
 * @packets: at least 1; or 0: as many as its users can have in flight
 *
 * Context: Process context, from a file in sysfs.
 * Return: 0; -ENOMEM: the number is as before; -ENODEV: the interface is
 * gone; the result of restart_syscall()
 */
int ballast_reserve_set_packets(struct ballast_reserve *res, int packets)
{
	return reserve_set(res, &res->fixed_packets, packets, false);
}

/**
 * ballast_reserve_set_lend_below - set the headroom below which to lend
 * @res: the reserve
 * @pages: the headroom in pages, or BALLAST_RESERVE_AUTO
 *
 * Context: Process context, from a file in sysfs.
 * Return: 0; -EINVAL: more than the machine's memory; -ENOMEM: the headroom
 * is as before; -ENODEV: the interface is gone; the result of
 * restart_syscall()
 */
int ballast_reserve_set_lend_below(struct ballast_reserve *res, int pages)
{
	if (pages > 0 && pages > totalram_pages())
		return -EINVAL;
	return reserve_set(res, &res->fixed_lend_below, pages, false);
}

/**
 * ballast_reserve_explain - show how the size of a reserve is computed
 * @res: the reserve
 * @buf: a page, from sysfs
 *
 * Context: Process context, from a file in sysfs.
 * Return: bytes written to @buf; the result of restart_syscall()
 */
ssize_t ballast_reserve_explain(struct ballast_reserve *res, char *buf)
{
	ssize_t len;

	if (!mutex_trylock(&reserves_mutex))
		return restart_syscall();
	len = ballast_size_explain(res, buf);
	mutex_unlock(&reserves_mutex);
	return len;
}

/**
 * ballast_reserve_generation - generation of the stacking of devices
 *
 * Context: Any.
 * Return: a number. After it changes, devices below an interface that were
 * found before must be found again
 */
unsigned int ballast_reserve_generation(void)
{
	return READ_ONCE(reserve_generation);
}

static int reserve_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct ballast_reserve *res;

	ASSERT_RTNL();
	if (event == NETDEV_UNREGISTER || event == NETDEV_CHANGEUPPER)
		WRITE_ONCE(reserve_generation, reserve_generation + 1);
	if (event != NETDEV_UNREGISTER && event != NETDEV_CHANGEMTU)
		return NOTIFY_DONE;
	mutex_lock(&reserves_mutex);
	res = reserve_find(dev);
	if (res && event == NETDEV_UNREGISTER)
		reserve_end(res);
	else if (res && reserve_refresh(res))
		pr_warn("%s: not enough free memory without reclaim for the reserve at MTU %u; write auto to size_pages to retry\n",
			dev->name, dev->mtu);
	mutex_unlock(&reserves_mutex);
	return NOTIFY_DONE;
}

static struct notifier_block reserve_notifier = {
	.notifier_call = reserve_event,
};

/**
 * ballast_reserve_init - prepare for reserves
 *
 * Context: Process context, when the module is loaded.
 * Return: 0 or an errno
 */
int __init ballast_reserve_init(void)
{
	ballast_size_init();
	return register_netdevice_notifier(&reserve_notifier);
}

/**
 * ballast_reserve_exit - undo ballast_reserve_init()
 *
 * Context: Process context, when the module is unloaded and no reserve has a
 * user.
 */
void ballast_reserve_exit(void)
{
	unregister_netdevice_notifier(&reserve_notifier);
}
