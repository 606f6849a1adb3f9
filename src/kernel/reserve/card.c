// SPDX-License-Identifier: GPL-2.0
/*
 * Finds physical interfaces; see card.h.
 */
#include "card.h"

#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <net/net_namespace.h>

/**
 * ballast_card_is - is an interface physical?
 * @dev: the interface
 *
 * Context: Any.
 * Return: true: it is a NIC, real or emulated
 */
bool ballast_card_is(const struct net_device *dev)
{
	return dev->dev.parent && !(dev->flags & IFF_LOOPBACK);
}

/**
 * ballast_card_find - find a physical interface, in any network namespace
 * @matches: predicate; called under rcu_read_lock()
 *
 * Context: Process context.
 * Return: the first one that matches, referenced; or NULL
 */
struct net_device *
ballast_card_find(bool (*matches)(const struct net_device *dev))
{
	struct net_device *dev;
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		for_each_netdev_rcu(net, dev) {
			if (dev->reg_state != NETREG_REGISTERED ||
			    !ballast_card_is(dev) || !matches(dev))
				continue;
			dev_hold(dev);
			rcu_read_unlock();
			return dev;
		}
	}
	rcu_read_unlock();
	return NULL;
}
