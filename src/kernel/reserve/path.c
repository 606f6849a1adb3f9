// SPDX-License-Identifier: GPL-2.0
/*
 * From a connection's route to the physical interfaces under it; see path.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "path.h"

#include <linux/netdevice.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/sock.h>

#include "compat.h"

static struct workqueue_struct *path_queue;

/*
 * The device that was logged last; 0: none. Each connection of a disk finds its
 * path, and one line is enough.
 */
static int path_noted;

static void path_put_devices(struct ballast_path *path)
{
	while (path->nr_devices)
		dev_put(path->devices[--path->nr_devices]);
}

static void path_work(struct work_struct *work)
{
	struct ballast_path *path =
		container_of(work, struct ballast_path, work);
	unsigned int noreclaim = memalloc_noreclaim_save();

	if (READ_ONCE(path->unwanted)) {
		ballast_path_put(path);
	} else {
		path->error = ballast_path_use(path);
		/* The path returns to its former owner. */
		smp_store_release(&path->ready, true);
		wake_up(path->wait);
	}
	memalloc_noreclaim_restore(noreclaim);
}

/* IPsec without an interface, or another encapsulation by the route. */
static bool path_is_transformed(const struct dst_entry *dst)
{
	return dst_xfrm(dst) || dst->lwtstate;
}

static void path_note(const struct ballast_lower *lower,
		      const struct net_device *dev, bool xfrm)
{
	if (xchg(&path_noted, dev->ifindex) == dev->ifindex)
		return;
	if (lower->program)
		pr_warn("%s: the program that carries its packets needs memory itself in order to free memory, so swapping over it can lock up, and the filter drops that program's own packets unless allow= names them\n",
			dev->name);
	else if (lower->tunnel)
		pr_info("%s: is a tunnel: packets of all tunnels pass the filter of each physical interface, and %s has a filter for what comes out of it\n",
			dev->name, lower->tunnel->name);
	else if (lower->foreign && lower->bottomless)
		pr_info("%s: another network stack forwards its packets: what comes from the server's address and port passes the filter of each physical interface; if that stack translates the server's address, attach in the namespace of the physical interface instead\n",
			dev->name);
	else if (xfrm)
		pr_info("%s: packets are transformed, as by IPsec: packets of all tunnels pass the filter of each physical interface\n",
			dev->name);
	if (lower->full)
		pr_warn("%s: more than %u interfaces are under it: the others have the filter, but no reserve\n",
			dev->name, lower->nr);
}

/* The physical interfaces and the tunnel under @dev, of the route @dst. */
static void path_find_devices(struct ballast_path *path, struct net_device *dev,
			      const struct ballast_demand *demand)
{
	struct ballast_lower lower;
	unsigned int i;

	ballast_lower_find(&lower, dev);
	path->nr_devices = lower.nr;
	path->foreign = lower.foreign;
	for (i = 0; i < lower.nr; i++) {
		path->devices[i] = lower.devices[i];
		path->demand[i] = *demand;
		path->demand[i].tunneled = lower.tunnel || path->xfrm;
	}
	/* A tunnel has no ring, and decapsulates packets already in memory. */
	if (lower.tunnel && lower.nr > 1)
		path->demand[0].pages = 0;
	path->noted = lower.tunnel || lower.program || path->xfrm ||
		      (lower.foreign && lower.bottomless) || lower.full;
	if (path->noted)
		path_note(&lower, dev, path->xfrm);
}

/**
 * ballast_path_find - find the physical interfaces under a connection
 * @sk: a connected socket
 * @demand: the connection's demand on the reserve of each interface
 *
 * Logs a warning if the route leads to this machine, and a line if it leads
 * through a tunnel.
 *
 * Context: Process context. Takes no lock; allocates with GFP_KERNEL.
 * Return: the path, which is empty for a server on this machine;
 * ERR_PTR(-ENETUNREACH): the route is gone; ERR_PTR(-ENOMEM)
 */
struct ballast_path *ballast_path_find(struct sock *sk,
				       const struct ballast_demand *demand)
{
	struct ballast_path *path;
	struct dst_entry *dst;
	struct in6_addr hop;
	unsigned int i;

	path = kzalloc(sizeof(*path), GFP_KERNEL);
	if (!path)
		return ERR_PTR(-ENOMEM);
	dst = sk_dst_get(sk);
	if (!dst) {
		kfree(path);
		return ERR_PTR(-ENETUNREACH);
	}
	INIT_WORK(&path->work, path_work);
	path->generation = ballast_reserve_generation();
	rcu_read_lock();
	path->ifindex = dst->dev->ifindex;
	path->xfrm = path_is_transformed(dst);
	if (dst->dev->flags & IFF_LOOPBACK)
		pr_warn_ratelimited("the server is on this machine: it needs memory itself in order to free memory, so swapping to it can lock up, which a reserve cannot prevent\n");
	else
		path_find_devices(path, dst->dev, demand);
	rcu_read_unlock();
	hop = ballast_peer_next_hop(sk, dst);
	dst_release(dst);
	for (i = 0; i < path->nr_devices; i++) {
		path->demand[i].hop = hop;
		if (path->foreign)
			path->demand[i].peer = ballast_peer_of(sk);
	}
	return path;
}

/**
 * ballast_path_of_device - find the physical interfaces under another
 * @dev: not a loopback interface; the caller holds a reference
 * @demand: on the reserve of each interface
 *
 * Logs a line if it is a tunnel.
 *
 * Context: Process context. Takes no lock; allocates with GFP_KERNEL.
 * Return: the path, or ERR_PTR(-ENOMEM)
 */
struct ballast_path *ballast_path_of_device(struct net_device *dev,
					    const struct ballast_demand *demand)
{
	struct ballast_path *path = kzalloc(sizeof(*path), GFP_KERNEL);

	if (!path)
		return ERR_PTR(-ENOMEM);
	rcu_read_lock();
	path_find_devices(path, dev, demand);
	rcu_read_unlock();
	return path;
}

/**
 * ballast_path_use - get the reserves of the interfaces
 * @path: from ballast_path_find()
 *
 * Context: Process context. Waits for locks whose holders may wait for
 * memory.
 * Return: 0, or the error of ballast_reserve_get() for one of them. In both
 * cases @path holds the reserves before it until ballast_path_put()
 */
int ballast_path_use(struct ballast_path *path)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < path->nr_devices; i++) {
		path->res[i] = ballast_reserve_get(path->devices[i],
						   &path->demand[i]);
		err = PTR_ERR_OR_ZERO(path->res[i]);
		if (err)
			break;
		path->nr++;
	}
	path_put_devices(path);
	return err;
}

/**
 * ballast_path_use_later - get the reserves in a work queue
 * @path: from ballast_path_find(); the caller must not use it until
 *	  ballast_path_ready()
 * @wait: woken when it is ready; must stay until ballast_path_flush()
 *
 * Context: Any. Does not sleep.
 */
void ballast_path_use_later(struct ballast_path *path, wait_queue_head_t *wait)
{
	path->wait = wait;
	queue_work(path_queue, &path->work);
}

/**
 * ballast_path_put - put the reserves and free the path
 * @path: with no request in flight, and not in the work queue; or NULL
 *
 * Context: Process context. Waits for locks whose holders may wait for
 * memory.
 */
void ballast_path_put(struct ballast_path *path)
{
	if (!path)
		return;
	while (path->nr) {
		path->nr--;
		ballast_reserve_put(path->res[path->nr],
				    &path->demand[path->nr]);
	}
	path_put_devices(path);
	if (path->noted)
		WRITE_ONCE(path_noted, 0);
	kfree(path);
}

/**
 * ballast_path_put_later - put the reserves and free the path in a work queue
 * @path: with no request in flight, and not in the work queue; or NULL
 *
 * Context: Any. Does not sleep.
 */
void ballast_path_put_later(struct ballast_path *path)
{
	if (!path)
		return;
	WRITE_ONCE(path->unwanted, true);
	queue_work(path_queue, &path->work);
}

/**
 * ballast_path_flush - wait until the work queue is empty
 *
 * Context: Process context.
 */
void ballast_path_flush(void)
{
	flush_workqueue(path_queue);
}

/*
 * Do packets go to another neighbor, or come from another server, than those
 * that the filter knows by @path?
 */
static bool path_is_of_other_peer(const struct ballast_path *path,
				  const struct sock *sk,
				  const struct dst_entry *dst)
{
	const struct ballast_demand *demand = path->demand;
	struct in6_addr hop = ballast_peer_next_hop(sk, dst);
	struct ballast_peer peer;

	if (!path->nr)
		return false;
	if (!ipv6_addr_equal(&demand->hop, &hop))
		return true;
	if (!path->foreign)
		return false;
	peer = ballast_peer_of(sk);
	return !ballast_peer_is(&demand->peer, &peer.address, peer.port);
}

/**
 * ballast_path_stale - has the route of a connection changed?
 * @path: the connection's path; or NULL
 * @sk: the connection's socket
 *
 * Context: The caller holds the lock of @sk, as a process or as a spinlock.
 * Return: true: a new path is needed: the route leads to another interface, now
 * transforms packets or no longer does, or to another neighbor; the stacking of
 * devices has changed; or @path is of a connection to another server
 */
bool ballast_path_stale(const struct ballast_path *path, struct sock *sk)
{
	const struct dst_entry *dst;

	sock_owned_by_me(sk); /* lockdep: covers both forms of the lock */
	dst = __sk_dst_get(sk);
	return dst && (!path || dst->dev->ifindex != path->ifindex ||
		       path_is_transformed(dst) != path->xfrm ||
		       path->generation != ballast_reserve_generation() ||
		       path_is_of_other_peer(path, sk, dst));
}

/**
 * ballast_path_fill - get the blocks that the reserves lack
 * @path: in use
 *
 * Context: Process context. Waits for kswapd, two seconds for each reserve at
 * most.
 * Return: 0, or the first error of ballast_reserve_fill()
 */
int ballast_path_fill(const struct ballast_path *path)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < path->nr; i++)
		err = ballast_reserve_fill(path->res[i]);
	return err;
}

/* Under pressure no new worker can be created, so the queue has a rescuer. */
int __init ballast_path_init(void)
{
	path_queue = alloc_workqueue("ballast", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return path_queue ? 0 : -ENOMEM;
}

/* Process context, when the module is unloaded and there is no disk. */
void ballast_path_exit(void)
{
	destroy_workqueue(path_queue);
}
