// SPDX-License-Identifier: GPL-2.0
/*
 * From the interface of a route to the physical interfaces under it; see
 * lower.h. The caller holds rcu_read_lock().
 *
 * A VLAN, a bond or a bridge has no receive ring of its own, and is linked to
 * its lower devices. The filter sees the same headers as the stack. Any other
 * device that is not physical is a tunnel: its packets have another header on
 * the physical interface. Many tunnels, such as WireGuard, are not linked to a
 * lower device: their packets follow a route, which may change at any time.
 */
#include "lower.h"

#include <linux/netdevice.h>
#include <net/rtnetlink.h>

#include "card.h"

/* The headers on the physical interface identify a socket's packets. */
static const char *const lower_plain[] = {
	"bond", "bridge", "dsa", "team", "vlan", "vrf",
};

/* Likewise, but the socket is, or may be, in another network stack. */
static const char *const lower_foreign[] = {
	"ipvlan", "ipvtap", "macvlan", "macvtap",
};

/* Other bridge ports that do not encapsulate. */
static const char *const lower_ends[] = { "dummy", "ifb", "tun", "veth" };

static bool lower_is_kind(const struct net_device *dev, const char *kind)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, kind);
}

static bool lower_is_one_of(const struct net_device *dev,
			    const char *const *kinds, unsigned int nr)
{
	while (nr--)
		if (lower_is_kind(dev, kinds[nr]))
			return true;
	return false;
}

static bool lower_is_tunnel(const struct net_device *dev)
{
	return !ballast_card_is(dev) &&
	       !(dev->flags & IFF_LOOPBACK) &&
	       !lower_is_one_of(dev, lower_plain, ARRAY_SIZE(lower_plain)) &&
	       !lower_is_one_of(dev, lower_foreign,
				ARRAY_SIZE(lower_foreign)) &&
	       !lower_is_one_of(dev, lower_ends, ARRAY_SIZE(lower_ends));
}

static void lower_add(struct ballast_lower *lower, struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < lower->nr; i++)
		if (lower->devices[i] == dev)
			return;
	if (lower->nr == ARRAY_SIZE(lower->devices)) {
		lower->full = true;
		return;
	}
	dev_hold(dev);
	lower->devices[lower->nr++] = dev;
}

static void lower_look_for_tunnel(struct ballast_lower *lower,
				  struct net_device *dev)
{
	if (lower_is_one_of(dev, lower_foreign, ARRAY_SIZE(lower_foreign)))
		lower->foreign = true;
	if (!lower_is_tunnel(dev))
		return;
	if (list_empty(&dev->adj_list.lower))
		lower->bottomless = true;
	if (!lower->tunnel) {
		lower->tunnel = dev;
		lower_add(lower, dev);
	}
}

static int lower_visit(struct net_device *dev, struct netdev_nested_priv *priv)
{
	struct ballast_lower *lower = priv->data;

	if (ballast_card_is(dev) && list_empty(&dev->adj_list.lower))
		lower_add(lower, dev);
	return 0;
}

/* Interfaces on which packets can come in now; visited first. */
static int lower_visit_ready(struct net_device *dev,
			     struct netdev_nested_priv *priv)
{
	return dev->flags & IFF_UP && netif_carrier_ok(dev) ?
		       lower_visit(dev, priv) :
		       0;
}

static int lower_visit_tunnel(struct net_device *dev,
			      struct netdev_nested_priv *priv)
{
	lower_look_for_tunnel(priv->data, dev);
	return 0;
}

/* Visit every interface that is up, in any network namespace. */
static void lower_visit_all(struct netdev_nested_priv *priv,
			    int (*visit)(struct net_device *dev,
					 struct netdev_nested_priv *priv))
{
	struct net_device *dev;
	struct net *net;

	for_each_net_rcu(net)
		for_each_netdev_rcu(net, dev)
			if (dev->reg_state == NETREG_REGISTERED &&
			    dev->flags & IFF_UP)
				visit(dev, priv);
}

/**
 * ballast_lower_find - find the physical interfaces and tunnels under another
 * @lower: filled in
 * @dev: the interface of a route, not a loopback interface; the caller holds a
 *	 reference
 *
 * Context: Under rcu_read_lock(). Takes no lock.
 */
void ballast_lower_find(struct ballast_lower *lower, struct net_device *dev)
{
	struct netdev_nested_priv priv = { .data = lower };
	unsigned int i;

	*lower = (struct ballast_lower){
		.program = lower_is_kind(dev, "tun"),
	};
	lower_look_for_tunnel(lower, dev);
	netdev_walk_all_lower_dev_rcu(dev, lower_visit_tunnel, &priv);
	lower_visit(dev, &priv);
	netdev_walk_all_lower_dev_rcu(dev, lower_visit_ready, &priv);
	netdev_walk_all_lower_dev_rcu(dev, lower_visit, &priv);
	/* A veth, or a bridge of them: another stack forwards. */
	if (!lower->nr)
		lower->foreign = true;
	/* No physical interface was found. */
	if (lower->nr == !!lower->tunnel)
		lower->bottomless = true;
	if (lower->bottomless) {
		lower_visit_all(&priv, lower_visit_ready);
		lower_visit_all(&priv, lower_visit);
	}
	for (i = 0; i < lower->nr; i++)
		if (!lower->tunnel &&
		    !net_eq(dev_net(lower->devices[i]), dev_net(dev)))
			lower->foreign = true;
	/* No device of this machine looks physical. */
	if (!lower->nr)
		lower_add(lower, dev);
}
