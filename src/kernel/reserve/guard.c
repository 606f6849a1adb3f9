// SPDX-License-Identifier: GPL-2.0
/*
 * Guards: reserves of interfaces whose disks belong to other drivers; see
 * guard.h. Process context.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "guard.h"

#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "demand.h"
#include "peers.h"
#include "reserve.h"

/**
 * struct guard - the guard of one interface
 * @entry: in guards
 * @net: network namespace of the process that wrote the name; only compared,
 *	 never dereferenced
 * @name: of the interface, as it was written
 * @res: the interface's reserve; its dev is NULL after the interface is gone
 * @demand: what the guard asks of the reserve
 */
struct guard {
	struct list_head entry;
	const struct net *net;
	char name[IFNAMSIZ];
	struct ballast_reserve *res;
	struct ballast_demand demand;
};

/* Protects the list; process context, taken before the mutex of reserve.c. */
static DEFINE_MUTEX(guards_mutex);
static LIST_HEAD(guards);

static void guard_end(struct guard *guard)
{
	lockdep_assert_held(&guards_mutex);
	list_del(&guard->entry);
	ballast_reserve_put(guard->res, &guard->demand);
	if (list_empty(&guards))
		ballast_peers_forget();
	kfree(guard);
}

/* End the guards whose interface is gone. */
static void guard_prune(void)
{
	struct guard *guard, *next;

	lockdep_assert_held(&guards_mutex);
	list_for_each_entry_safe(guard, next, &guards, entry)
		if (!READ_ONCE(guard->res->dev))
			guard_end(guard);
}

static struct guard *guard_find(const char *name)
{
	struct guard *guard;

	lockdep_assert_held(&guards_mutex);
	list_for_each_entry(guard, &guards, entry)
		if (guard->net == current->nsproxy->net_ns &&
		    !strcmp(guard->name, name))
			return guard;
	return NULL;
}

static int guard_begin(struct net_device *dev, const char *name)
{
	struct guard *guard;

	lockdep_assert_held(&guards_mutex);
	if (dev->flags & IFF_LOOPBACK) {
		pr_err("guard: %s: cannot guard a loopback interface: the server is on this machine and needs memory itself\n",
		       name);
		return -EINVAL;
	}
	guard = kzalloc(sizeof(*guard), GFP_KERNEL);
	if (!guard)
		return -ENOMEM;
	guard->net = current->nsproxy->net_ns;
	strscpy(guard->name, name, sizeof(guard->name));
	guard->demand.requests = BALLAST_DEFAULT_QUEUE_DEPTH;
	guard->demand.pages = BALLAST_RESERVE_AUTO;
	guard->demand.filter = true;
	guard->demand.guard = true;
	guard->res = ballast_reserve_get(dev, &guard->demand);
	if (IS_ERR(guard->res)) {
		int err = PTR_ERR(guard->res);

		kfree(guard);
		pr_err("guard: %s: cannot make a reserve (error %d)\n", name,
		       err);
		return err;
	}
	list_add_tail(&guard->entry, &guards);
	return 0;
}

/**
 * ballast_guard_set - begin or stop guarding an interface
 * @name: of the interface, in the caller's network namespace
 * @on: begin; else stop
 *
 * Failures are logged.
 *
 * Context: Process context. Takes the guards' mutex, and those that
 * ballast_reserve_get() and ballast_reserve_put() take.
 * Return: 0; -ENODEV: no such interface, or it is not guarded; -EEXIST: it is
 * already guarded; -EINVAL: a loopback interface; -ENOMEM or another errno
 * from ballast_reserve_get()
 */
int ballast_guard_set(const char *name, bool on)
{
	struct net_device *dev;
	struct guard *guard;
	int err = 0;

	mutex_lock(&guards_mutex);
	guard_prune();
	guard = guard_find(name);
	if (!on) {
		if (guard) {
			guard_end(guard);
		} else {
			pr_err("guard: %s: is not guarded\n", name);
			err = -ENODEV;
		}
	} else if (guard) {
		pr_err("guard: %s: is guarded already\n", name);
		err = -EEXIST;
	} else {
		dev = dev_get_by_name(current->nsproxy->net_ns, name);
		if (dev) {
			err = guard_begin(dev, name);
			dev_put(dev);
		} else {
			pr_err("guard: %s: no such interface\n", name);
			err = -ENODEV;
		}
	}
	mutex_unlock(&guards_mutex);
	return err;
}

/**
 * ballast_guard_list - list the guarded interfaces
 * @buf: a page, from sysfs
 *
 * Lists those of the caller's network namespace, one a line. Ends guards
 * whose interface is gone.
 *
 * Context: Process context. Takes the same locks as ballast_guard_set().
 * Return: bytes written to @buf
 */
ssize_t ballast_guard_list(char *buf)
{
	struct guard *guard;
	ssize_t len = 0;

	mutex_lock(&guards_mutex);
	guard_prune();
	list_for_each_entry(guard, &guards, entry)
		if (guard->net == current->nsproxy->net_ns)
			len += sysfs_emit_at(buf, len, "%s\n", guard->name);
	mutex_unlock(&guards_mutex);
	return len;
}

/**
 * ballast_guard_exit - end all guards
 *
 * Context: Process context, when the module is unloaded.
 */
void ballast_guard_exit(void)
{
	struct guard *guard, *next;

	mutex_lock(&guards_mutex);
	list_for_each_entry_safe(guard, next, &guards, entry)
		guard_end(guard);
	mutex_unlock(&guards_mutex);
}
