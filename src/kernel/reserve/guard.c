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
#include <linux/notifier.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "compat.h"
#include "demand.h"
#include "path.h"
#include "peers.h"
#include "reserve.h"

/**
 * struct guard - the guard of one interface
 * @entry: in guards
 * @net: network namespace of the process that wrote the name; only compared,
 *	 never dereferenced. The guard ends with it
 * @ifindex: of the interface, which may be renamed
 * @name: of the interface, as it was written; valid once it is gone
 * @path: the physical interfaces under it, and their reserves
 */
struct guard {
	struct list_head entry;
	const struct net *net;
	int ifindex;
	char name[IFNAMSIZ];
	struct ballast_path *path;
};

/* Protects the list; process context, taken before the mutex of reserve.c. */
static DEFINE_MUTEX(guards_mutex);
static LIST_HEAD(guards);

static void guard_end(struct guard *guard)
{
	lockdep_assert_held(&guards_mutex);
	list_del(&guard->entry);
	ballast_path_put(guard->path);
	if (list_empty(&guards))
		ballast_peers_forget();
	kfree(guard);
}

static bool guard_is_gone(const struct guard *guard)
{
	unsigned int i;

	for (i = 0; i < guard->path->nr; i++)
		if (READ_ONCE(guard->path->res[i]->dev))
			return false;
	return true;
}

/* End the guards whose interface is gone. */
static void guard_prune(void)
{
	struct guard *guard, *next;

	lockdep_assert_held(&guards_mutex);
	list_for_each_entry_safe(guard, next, &guards, entry)
		if (guard_is_gone(guard))
			guard_end(guard);
}

/* The guard's interface; NULL: it is gone. The caller holds the RTNL. */
static const struct net_device *guard_device(const struct guard *guard)
{
	return __dev_get_by_index(current->nsproxy->net_ns, guard->ifindex);
}

/*
 * The name that the guard's interface has now. If a bridge is gone, but not the
 * interfaces under it, that is the name it had.
 */
static const char *guard_name(const struct guard *guard)
{
	const struct net_device *dev = guard_device(guard);

	return dev ? dev->name : guard->name;
}

static struct guard *guard_find(const char *name)
{
	struct guard *guard, *found = NULL;

	lockdep_assert_held(&guards_mutex);
	rtnl_lock();
	list_for_each_entry(guard, &guards, entry)
		if (guard->net == current->nsproxy->net_ns &&
		    !strcmp(guard_name(guard), name))
			found = guard;
	rtnl_unlock();
	return found;
}

static int guard_check(const struct net_device *dev, const char *name,
		       const struct ballast_options *opts)
{
	unsigned long max = ballast_reserve_max_pages();

	if (dev->flags & IFF_LOOPBACK) {
		pr_err("guard: %s: cannot guard a loopback interface: the server is on this machine and needs memory itself\n",
		       name);
		return -EINVAL;
	}
	if (opts->reserve > 0 && opts->reserve > max) {
		pr_err("guard: %s: reserve=%d: is over %lu pages, %s\n", name,
		       opts->reserve, max, ballast_reserve_max_why());
		return -EINVAL;
	}
	return 0;
}

/* Return: the interfaces under @dev with their reserves, or an errno */
static struct ballast_path *guard_path(struct net_device *dev,
				       const struct ballast_options *opts)
{
	struct ballast_demand demand = {
		.requests = BALLAST_DEFAULT_QUEUE_DEPTH,
		.pages = opts->reserve,
		.filter = true,
		.guard = true,
		.nr_allow = opts->nr_allow,
	};
	struct ballast_path *path;
	int err;

	memcpy(demand.allow, opts->allow, sizeof(demand.allow));
	path = ballast_path_of_device(dev, &demand);
	if (IS_ERR(path))
		return path;
	err = ballast_path_use(path);
	if (!err)
		return path;
	ballast_path_put(path);
	return ERR_PTR(err);
}

/* @was: the guard that the new one replaces; NULL: there is none */
static int guard_begin(struct net_device *dev, const char *name,
		       const struct ballast_options *opts, struct guard *was)
{
	struct guard *guard;
	int err;

	lockdep_assert_held(&guards_mutex);
	err = guard_check(dev, name, opts);
	if (err)
		return err;
	guard = kzalloc(sizeof(*guard), GFP_KERNEL);
	if (!guard)
		return -ENOMEM;
	guard->net = current->nsproxy->net_ns;
	guard->ifindex = dev->ifindex;
	strscpy(guard->name, name, sizeof(guard->name));
	guard->path = guard_path(dev, opts);
	if (IS_ERR(guard->path)) {
		err = PTR_ERR(guard->path);
		kfree(guard);
		pr_err("guard: %s: cannot make a reserve (error %d)\n", name,
		       err);
		return err;
	}
	list_add_tail(&guard->entry, &guards);
	/* After adding the new one: the interface always has a guard. */
	if (was)
		guard_end(was);
	return 0;
}

/**
 * ballast_guard_begin - guard an interface
 * @name: of the interface, in the caller's network namespace
 * @opts: its reserve and what it allows
 * @replace: end the guard that the interface has
 *
 * Failures are logged.
 *
 * Context: Process context. Takes the guards' mutex, and those that
 * ballast_reserve_get() and ballast_reserve_put() take.
 * Return: 0; -ENODEV: no such interface; -EEXIST: it is guarded and not to be
 * replaced;
 * -EINVAL: a loopback interface, or a reserve that is too large; -ENOMEM or
 * another errno from ballast_reserve_get()
 */
int ballast_guard_begin(const char *name, const struct ballast_options *opts,
			bool replace)
{
	struct net_device *dev;
	struct guard *guard;
	int err;

	mutex_lock(&guards_mutex);
	guard_prune();
	guard = guard_find(name);
	if (guard && !replace) {
		pr_err("guard: %s: is guarded already\n", name);
		err = -EEXIST;
		goto unlock;
	}
	dev = dev_get_by_name(current->nsproxy->net_ns, name);
	if (!dev) {
		pr_err("guard: %s: no such interface\n", name);
		err = -ENODEV;
		goto unlock;
	}
	err = guard_begin(dev, name, opts, guard);
	dev_put(dev);
unlock:
	mutex_unlock(&guards_mutex);
	return err;
}

/**
 * ballast_guard_end - stop guarding an interface
 * @name: of the interface, in the caller's network namespace
 *
 * Context: As ballast_guard_begin().
 * Return: 0; -ENODEV: it is not guarded, which is logged
 */
int ballast_guard_end(const char *name)
{
	struct guard *guard;
	int err = 0;

	mutex_lock(&guards_mutex);
	guard_prune();
	guard = guard_find(name);
	if (guard) {
		guard_end(guard);
	} else {
		pr_err("guard: %s: is not guarded\n", name);
		err = -ENODEV;
	}
	mutex_unlock(&guards_mutex);
	return err;
}

/* Print the name and the options in the format of a write. */
static int guard_emit(const struct guard *guard, char *buf, int at)
{
	/* The last one: the first may be a tunnel's, which has no pages. */
	const struct ballast_demand *demand =
		&guard->path->demand[guard->path->nr - 1];
	unsigned int i;
	int len;

	len = sysfs_emit_at(buf, at, "%s", guard_name(guard));
	if (demand->pages != BALLAST_RESERVE_AUTO)
		len += sysfs_emit_at(buf, at + len,
				     " " BALLAST_OPT_RESERVE "=%d",
				     demand->pages);
	for (i = 0; i < demand->nr_allow; i++) {
		len += sysfs_emit_at(buf, at + len, "%s",
				     i ? "," : " " BALLAST_OPT_ALLOW "=");
		len += ballast_demand_emit_allow(&demand->allow[i], buf,
						 at + len);
	}
	return len + sysfs_emit_at(buf, at + len, "\n");
}

/**
 * ballast_guard_list - list the guarded interfaces
 * @buf: a page, from sysfs
 *
 * Lists those of the caller's network namespace, one a line, with their
 * options. Ends guards whose interface is gone.
 *
 * Context: Process context. Takes the same locks as ballast_guard_begin().
 * Return: bytes written to @buf
 */
ssize_t ballast_guard_list(char *buf)
{
	struct guard *guard;
	ssize_t len = 0;

	mutex_lock(&guards_mutex);
	guard_prune();
	rtnl_lock();
	list_for_each_entry(guard, &guards, entry)
		if (guard->net == current->nsproxy->net_ns)
			len += guard_emit(guard, buf, len);
	rtnl_unlock();
	mutex_unlock(&guards_mutex);
	return len;
}

/* End the guards of a namespace: no process of it is left to end them. */
static void __net_exit guard_net_exit(struct net *net)
{
	struct guard *guard, *next;

	mutex_lock(&guards_mutex);
	list_for_each_entry_safe(guard, next, &guards, entry)
		if (guard->net == net)
			guard_end(guard);
	mutex_unlock(&guards_mutex);
}

static struct pernet_operations guard_net_ops = {
	.exit = guard_net_exit,
};

static void guard_work(struct work_struct *work)
{
	mutex_lock(&guards_mutex);
	guard_prune();
	mutex_unlock(&guards_mutex);
}

static DECLARE_WORK(guard_pruning, guard_work);

/*
 * Under the RTNL, after the notifier of reserve.c, which ends the interface's
 * reserve. The guards' mutex is taken before the RTNL, so not here.
 */
static int guard_event(struct notifier_block *nb, unsigned long event,
		       void *ptr)
{
	if (event == NETDEV_UNREGISTER && !list_empty(&guards))
		schedule_work(&guard_pruning);
	return NOTIFY_DONE;
}

static struct notifier_block guard_notifier = {
	.notifier_call = guard_event,
};

/**
 * ballast_guard_init - prepare for guards
 *
 * Context: Process context, when the module is loaded, after
 * ballast_reserve_init().
 * Return: 0 or an errno
 */
int __init ballast_guard_init(void)
{
	int err = register_pernet_subsys(&guard_net_ops);

	if (err)
		return err;
	err = register_netdevice_notifier(&guard_notifier);
	if (err)
		unregister_pernet_subsys(&guard_net_ops);
	return err;
}

/**
 * ballast_guard_exit - end all guards
 *
 * Context: Process context, when the module is unloaded.
 */
void ballast_guard_exit(void)
{
	unregister_netdevice_notifier(&guard_notifier);
	cancel_work_sync(&guard_pruning);
	unregister_pernet_subsys(&guard_net_ops);
}
