// SPDX-License-Identifier: GPL-2.0
/*
 * Makes, resizes and ends reserves; see reserve.h. Process context.
 *
 * When a route moves while memory is short, the new reserve must not wait for
 * reclaim: blocks are allocated without it, and the rest runs in the
 * PF_MEMALLOC scope of the caller.
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
#include <linux/workqueue.h>

#include "blocks.h"
#include "card.h"
#include "compat.h"
#include "demand.h"
#include "ingress.h"
#include "netsysfs.h"
#include "objects.h"
#include "pressure.h"
#include "size.h"
#include "softirq.h"

#define RESERVE_FILL_TIMEOUT	(2 * HZ)
#define RESERVE_FOLLOW_PERIOD	(10 * HZ)

/*
 * Protects the registry, the reserves' demands and their size. Process
 * context. The notifier takes it under the RTNL; under it the RTNL is only
 * tried.
 */
static DEFINE_MUTEX(reserves_mutex);
static LIST_HEAD(reserves);
/* Demands on all of them; 0: there is no reserve. */
static unsigned int nr_demands;

/* Counts changes in the stacking of devices. Written under the RTNL. */
static unsigned int reserve_generation;

static void reserve_follow_marks(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(reserve_marks, reserve_follow_marks);

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
 * The page cache usually fills the memory. So this function wakes kswapd, and
 * waits for it for RESERVE_FILL_TIMEOUT (2 s) at most. It does not reclaim
 * itself.
 *
 * Context: Process context. Sleeps.
 * Return: 0: no block is missing, or the reserve is in use; -ENOMEM: blocks
 * are still missing; -EINTR: a signal came
 */
int ballast_reserve_fill(struct ballast_reserve *res)
{
	unsigned long end = jiffies + RESERVE_FILL_TIMEOUT;
	int err;

	while ((err = reserve_add_block(res)) && !ballast_pressure_in_use()) {
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
 * Compute and set the size of a reserve. Return: 0; -ENOMEM: the size is as
 * before, or 0 if the order has changed
 */
static int reserve_resize(struct ballast_reserve *res)
{
	struct ballast_blocks *blocks = res->blocks;
	unsigned int nr, noreclaim;
	bool keep;
	int err = 0;

	lockdep_assert_held(&reserves_mutex);
	ballast_size_compute(res);
	if (list_empty(&res->demands))
		WRITE_ONCE(res->packets, 0);
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

static void reserve_collect(void)
{
	lockdep_assert_held(&reserves_mutex);
	ballast_demand_collect(&reserves);
}

static void reserve_follow_marks_later(void)
{
	queue_delayed_work(system_power_efficient_wq, &reserve_marks,
			   RESERVE_FOLLOW_PERIOD);
}

/*
 * No notifier reports a change of a receive ring or of the watermarks. So the
 * marks that depend on them are recomputed every RESERVE_FOLLOW_PERIOD. If the
 * mutex is taken, the next period is early enough.
 */
static void reserve_follow_marks(struct work_struct *work)
{
	struct ballast_reserve *res;
	bool go_on = true;

	if (mutex_trylock(&reserves_mutex)) {
		list_for_each_entry(res, &reserves, entry)
			if (!list_empty(&res->demands))
				ballast_size_follow(res);
		go_on = nr_demands;
		mutex_unlock(&reserves_mutex);
	}
	if (go_on)
		reserve_follow_marks_later();
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
	if (!list_empty(&res->demands))
		ballast_pressure_remove(res);
	ballast_blocks_end(reserve_swap_blocks(res, NULL));
	synchronize_net(); /* the hook may still run */
	dev_put(res->dev);
	WRITE_ONCE(res->dev, NULL);
	ballast_reserve_unref(res);
}

static void reserve_set_up(struct ballast_reserve *res, struct net_device *dev)
{
	kref_init(&res->ref);
	INIT_LIST_HEAD(&res->demands);
	spin_lock_init(&res->lock);
	ballast_budget_init(&res->budget);
	res->before = ballast_pressure_times();
	res->rx_at = jiffies;
	res->rescued_at = jiffies;
	res->dev = dev;
	res->fixed_pages = BALLAST_RESERVE_AUTO;
	res->fixed_lend_below = BALLAST_RESERVE_AUTO;
	res->hook.hook = ballast_ingress_hook;
	res->hook.pf = NFPROTO_NETDEV;
	res->hook.hooknum = NF_NETDEV_INGRESS;
	res->hook.priority = INT_MIN; /* before other hooks use memory */
	res->hook.dev = dev;
	res->hook.priv = res;
}

static struct ballast_reserve *reserve_make(struct net_device *dev)
{
	struct ballast_reserve *res = kzalloc(sizeof(*res), GFP_KERNEL);
	int err = -ENOMEM;

	lockdep_assert_held(&reserves_mutex);
	if (!res)
		return ERR_PTR(-ENOMEM);
	ballast_object_get();
	reserve_set_up(res, dev);
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

static bool reserve_is_absent(const struct net_device *dev)
{
	return !reserve_find(dev);
}

/* The filter of an interface that carries no block I/O. */
static bool reserve_make_bare(struct net_device *dev)
{
	struct ballast_reserve *res = reserve_make(dev);

	if (!IS_ERR(res))
		return true;
	pr_warn("%s: no filter: packets that it receives can take the memory that block I/O needs (error %ld)\n",
		dev->name, PTR_ERR(res));
	return false;
}

/*
 * Give every physical interface its filter. The notifier takes care of those
 * that are registered from now on.
 */
static void reserve_make_all(void)
{
	struct net_device *dev;
	bool made = true;

	while (made && (dev = ballast_card_find(reserve_is_absent))) {
		made = reserve_make_bare(dev);
		dev_put(dev);
	}
}

static void reserve_end_all(void)
{
	struct ballast_reserve *res, *next;

	lockdep_assert_held(&reserves_mutex);
	list_for_each_entry_safe(res, next, &reserves, entry)
		reserve_end(res);
	ballast_softirq_stop();
}

/* The first demand opens the emergency reserves to receive softirqs. */
static int reserve_begin(void)
{
	lockdep_assert_held(&reserves_mutex);
	return nr_demands ? 0 : ballast_softirq_start();
}

static int reserve_add_demand(struct ballast_reserve *res,
			      struct ballast_demand *demand)
{
	lockdep_assert_held(&reserves_mutex);
	kref_get(&res->ref);
	if (!nr_demands++)
		reserve_follow_marks_later();
	list_add(&demand->entry, &res->demands);
	reserve_collect();
	if (list_is_singular(&res->demands))
		ballast_pressure_add(res);
	return reserve_resize(res);
}

static void reserve_remove_demand(struct ballast_reserve *res,
				  struct ballast_demand *demand)
{
	lockdep_assert_held(&reserves_mutex);
	list_del(&demand->entry);
	if (res->dev && list_empty(&res->demands)) {
		ballast_pressure_remove(res);
		res->fixed_pages = BALLAST_RESERVE_AUTO;
		res->fixed_packets = 0;
		res->fixed_lend_below = BALLAST_RESERVE_AUTO;
	}
	if (!--nr_demands)
		reserve_end_all();
	else if (res->dev)
		reserve_resize(res);
	reserve_collect();
}

/**
 * ballast_reserve_get - become a user of an interface's reserve
 * @dev: the interface; the caller holds a reference
 * @demand: of the user; belongs to the reserve until ballast_reserve_put()
 *
 * Creates the reserve if there is none, and with the first demand the filters
 * of all other physical interfaces. Blocks that cannot be allocated without
 * reclaim are missing at first, and count as lent.
 *
 * Context: Process context. Takes reserves_mutex, nf_hook_mutex, kernfs's
 * locks and those of static keys and tracepoints.
 * Return: the reserve; ERR_PTR(-ENODEV): @dev is being unregistered;
 * ERR_PTR(-ENOMEM) or another errno
 */
struct ballast_reserve *ballast_reserve_get(struct net_device *dev,
					    struct ballast_demand *demand)
{
	struct ballast_reserve *res = ERR_PTR(-ENODEV);
	int err = 0;

	mutex_lock(&reserves_mutex);
	/* If it is registered now, the notifier will end its reserve. */
	if (dev->reg_state == NETREG_REGISTERED)
		res = ERR_PTR(reserve_begin());
	if (!IS_ERR(res)) {
		res = reserve_find(dev) ?: reserve_make(dev);
		if (IS_ERR(res) && !nr_demands)
			ballast_softirq_stop();
	}
	if (!IS_ERR(res)) {
		err = reserve_add_demand(res, demand);
		reserve_make_all();
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
 * Ends all reserves if this was the last user of any.
 *
 * Context: Process context. Takes the locks of ballast_reserve_get().
 */
void ballast_reserve_put(struct ballast_reserve *res,
			 struct ballast_demand *demand)
{
	mutex_lock(&reserves_mutex);
	reserve_remove_demand(res, demand);
	mutex_unlock(&reserves_mutex);
	ballast_reserve_unref(res);
}

/*
 * Set one of res->fixed_* and resize; restore value and size if that fails.
 * Called from a file in sysfs. The holder of the mutex may be removing that
 * file and wait for this function, so this must not wait for the mutex.
 */
static int reserve_set(struct ballast_reserve *res, int *fixed, int value,
		       bool fill)
{
	int was, err = -ENODEV;

	if (!mutex_trylock(&reserves_mutex))
		return restart_syscall();
	if (res->dev && list_empty(&res->demands)) {
		err = -EOPNOTSUPP;
	} else if (res->dev) {
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
 * Return: 0; -EINVAL: more than ballast_reserve_max_pages(); -EOPNOTSUPP: the
 * interface carries no block I/O; -ENODEV: it is gone; the result of
 * restart_syscall(). The size is as before after -ENOMEM: not enough free
 * memory without reclaim, and after -EINTR: a signal came
 */
int ballast_reserve_set_pages(struct ballast_reserve *res, int pages)
{
	if (pages > 0 && pages > ballast_reserve_max_pages())
		return -EINVAL;
	return reserve_set(res, &res->fixed_pages, pages, true);
}

/**
 * ballast_reserve_set_packets - set the packet limit of a reserve
 * @res: the reserve
 * @packets: at least 1; or 0: as many as its users can have in flight
 *
 * Context: Process context, from a file in sysfs.
 * Return: 0; -ENOMEM: the number is as before; -EOPNOTSUPP: the interface
 * carries no block I/O; -ENODEV: it is gone; the result of restart_syscall()
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
 * is as before; -EOPNOTSUPP: the interface carries no block I/O; -ENODEV: it
 * is gone; the result of restart_syscall()
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
 * Return: a number. After it changes, the devices below an interface must be
 * looked up again
 */
unsigned int ballast_reserve_generation(void)
{
	return READ_ONCE(reserve_generation);
}

/* Under the RTNL, whose holder must not wait for reclaim. */
static void reserve_follow(struct net_device *dev, unsigned long event)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	struct ballast_reserve *res;

	mutex_lock(&reserves_mutex);
	res = reserve_find(dev);
	if (event == NETDEV_REGISTER && nr_demands && !res &&
	    ballast_card_is(dev))
		reserve_make_bare(dev);
	else if (res && event == NETDEV_UNREGISTER)
		reserve_end(res);
	else if (res && event == NETDEV_CHANGEMTU && reserve_resize(res))
		pr_warn("%s: not enough free memory without reclaim for the reserve at MTU %u; write auto to size_pages to retry\n",
			dev->name, dev->mtu);
	mutex_unlock(&reserves_mutex);
	memalloc_noreclaim_restore(noreclaim);
}

static int reserve_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	ASSERT_RTNL();
	/* A path without a known NIC has all NICs that are up. */
	if (event == NETDEV_UNREGISTER || event == NETDEV_CHANGEUPPER ||
	    (event == NETDEV_UP && ballast_card_is(dev) &&
	     (READ_ONCE(ballast_pressure.tunneled) ||
	      READ_ONCE(ballast_pressure.nr_peers))))
		WRITE_ONCE(reserve_generation, reserve_generation + 1);
	if (event == NETDEV_REGISTER || event == NETDEV_UNREGISTER ||
	    event == NETDEV_CHANGEMTU)
		reserve_follow(netdev_notifier_info_to_dev(ptr), event);
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
	ballast_pressure_init();
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
	cancel_delayed_work_sync(&reserve_marks);
	ballast_pressure_exit();
}
