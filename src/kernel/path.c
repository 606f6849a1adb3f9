// SPDX-License-Identifier: GPL-2.0
/*
 * From a connection's route to the physical devices under it: a VLAN, a
 * bond or a bridge has no receive ring of its own. See path.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "path.h"

#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/dst.h>
#include <net/sock.h>

#include "compat.h"

struct path_devices {
	int ifindex;
	unsigned int nr;
	struct net_device *dev[BALLAST_MAX_PATH];
};

static int path_add_lowest(struct net_device *dev,
			   struct netdev_nested_priv *priv)
{
	struct path_devices *found = priv->data;
	unsigned int i;

	if (!list_empty(&dev->adj_list.lower))
		return 0;
	for (i = 0; i < found->nr; i++)
		if (found->dev[i] == dev)
			return 0;
	if (found->nr == BALLAST_MAX_PATH)
		return -E2BIG;
	dev_hold(dev);
	found->dev[found->nr++] = dev;
	return 0;
}

/* Return: 0; -ENETUNREACH: no route any more */
static int path_find(struct path_devices *found, struct sock *sk)
{
	struct netdev_nested_priv priv = { .data = found };
	struct dst_entry *dst = sk_dst_get(sk);

	if (!dst)
		return -ENETUNREACH;
	rcu_read_lock();
	found->ifindex = dst->dev->ifindex;
	if (dst->dev->flags & IFF_LOOPBACK)
		pr_warn_ratelimited("the server is on this machine: to free memory it needs memory, so swapping to it can lock up, and no reserve helps\n");
	else if (list_empty(&dst->dev->adj_list.lower))
		path_add_lowest(dst->dev, &priv);
	else
		netdev_walk_all_lower_dev_rcu(dst->dev, path_add_lowest, &priv);
	rcu_read_unlock();
	dst_release(dst);
	return 0;
}

/**
 * ballast_path_get - find a connection's interfaces and use their reserves
 * @sk: connected
 * @demand: what the connection asks of each
 *
 * Return: the path, an empty one for a server on this machine; an errno
 */
struct ballast_path *ballast_path_get(struct sock *sk,
				      const struct ballast_demand *demand)
{
	struct path_devices found = {};
	struct ballast_path *path;
	unsigned int i;
	int err;

	path = kzalloc(sizeof(*path), GFP_KERNEL);
	if (!path)
		return ERR_PTR(-ENOMEM);
	path->generation = ballast_reserve_generation();
	err = path_find(&found, sk);
	path->ifindex = found.ifindex;
	for (i = 0; i < found.nr; i++) {
		struct ballast_reserve *res;

		path->demand[path->nr] = *demand;
		res = err ? NULL :
			    ballast_reserve_get(found.dev[i],
						&path->demand[path->nr]);
		if (!err && IS_ERR(res))
			err = PTR_ERR(res);
		else if (!err)
			path->res[path->nr++] = res;
		dev_put(found.dev[i]);
	}
	if (err) {
		ballast_path_put(path);
		return ERR_PTR(err);
	}
	return path;
}

/**
 * ballast_path_put - use them no longer
 * @path: with no request in flight; NULL is fine
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
	kfree(path);
}

/**
 * ballast_path_stale - does the connection take another way by now?
 * @path: the way it took; NULL: none
 * @sk: the connection, under its lock
 *
 * Return: whether to get its path anew: the route leads elsewhere, or the
 * devices under an interface are not the same any more
 */
bool ballast_path_stale(const struct ballast_path *path, struct sock *sk)
{
	const struct dst_entry *dst = __sk_dst_get(sk);

	return dst && (!path || dst->dev->ifindex != path->ifindex ||
		       path->generation != ballast_reserve_generation());
}

/* Get what the reserves miss. Return: 0 or what ballast_reserve_fill() did */
int ballast_path_fill(const struct ballast_path *path)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < path->nr; i++)
		err = ballast_reserve_fill(path->res[i]);
	return err;
}
