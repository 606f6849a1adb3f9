// SPDX-License-Identifier: GPL-2.0
/*
 * Merges the demands of all users of all interfaces into the machine's state.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "demand.h"

#include <linux/in.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <net/ipv6.h>

#include "compat.h"
#include "pressure.h"
#include "reserve.h"

/**
 * ballast_demand_emit_allow - print an entry of allow= as it was written
 * @allow: the entry
 * @buf: of a file in sysfs
 * @at: offset in @buf to print at
 *
 * Context: Any.
 * Return: bytes printed
 */
int ballast_demand_emit_allow(const struct ballast_allow *allow, char *buf,
			      int at)
{
	const struct in6_addr *address = (const void *)allow->address;
	int len = sysfs_emit_at(buf, at, "%s:%u",
				allow->protocol == IPPROTO_TCP ? "tcp" : "udp",
				allow->port);

	if (ballast_options_any_address(allow))
		return len;
	if (ipv6_addr_v4mapped(address))
		return len + sysfs_emit_at(buf, at + len, "@%pI4",
					   &address->s6_addr32[3]);
	return len + sysfs_emit_at(buf, at + len, "@[%pI6c]", address);
}

/* Return: false: there are too many */
static bool demand_add_allow(unsigned int *nr, const struct ballast_allow *new)
{
	struct ballast_allow *allow = ballast_pressure.allow;
	unsigned int i;

	/* A disk has the same demand on each interface under it. */
	for (i = 0; i < *nr; i++)
		if (allow[i].protocol == new->protocol &&
		    allow[i].port == new->port &&
		    !memcmp(allow[i].address, new->address,
			    sizeof(new->address)))
			return true;
	if (*nr == BALLAST_MAX_ALLOWED)
		return false;
	WRITE_ONCE(allow[*nr].protocol, new->protocol);
	WRITE_ONCE(allow[*nr].port, new->port);
	memcpy(allow[*nr].address, new->address, sizeof(new->address));
	++*nr;
	return true;
}

static void demand_note_full(bool full)
{
	static bool was_full; /* under the mutex of ballast_demand_collect() */

	if (full && !was_full)
		pr_warn("allow=: disks and guards name more than %u ports: the filter lets no packet of the others pass\n",
			BALLAST_MAX_ALLOWED);
	was_full = full;
}

static void demand_add_hop(unsigned int *nr, const struct in6_addr *hop)
{
	unsigned int i;

	if (ipv6_addr_any(hop) || *nr == BALLAST_MAX_HOPS)
		return;
	for (i = 0; i < *nr; i++)
		if (ipv6_addr_equal(&ballast_pressure.hops[i], hop))
			return;
	ballast_pressure.hops[*nr] = *hop;
	++*nr;
}

static void demand_add_peer(unsigned int *nr, const struct ballast_peer *peer)
{
	struct ballast_peer *peers = ballast_pressure.peers;
	unsigned int i;

	if (ipv6_addr_any(&peer->address) || *nr == BALLAST_MAX_PEERS)
		return;
	for (i = 0; i < *nr; i++)
		if (ballast_peer_is(&peers[i], &peer->address, peer->port))
			return;
	peers[*nr] = *peer;
	++*nr;
}

/**
 * ballast_demand_collect - merge all demands into the machine's state
 * @reserves: all reserves
 *
 * Context: Process context, under the mutex that protects @reserves.
 */
void ballast_demand_collect(const struct list_head *reserves)
{
	struct ballast_pressure *p = &ballast_pressure;
	unsigned int guards = 0, nr_allow = 0, nr_hops = 0, nr_peers = 0, i;
	bool filter = false, tunneled = false, full = false;
	const struct ballast_demand *demand;
	const struct ballast_reserve *res;

	list_for_each_entry(res, reserves, entry) {
		list_for_each_entry(demand, &res->demands, entry) {
			filter |= demand->filter;
			tunneled |= demand->tunneled;
			guards += demand->guard;
			for (i = 0; i < demand->nr_allow; i++)
				full |= !demand_add_allow(&nr_allow,
							  &demand->allow[i]);
			demand_add_hop(&nr_hops, &demand->hop);
			demand_add_peer(&nr_peers, &demand->peer);
		}
	}
	WRITE_ONCE(p->filter, filter);
	WRITE_ONCE(p->tunneled, tunneled);
	WRITE_ONCE(p->guards, guards);
	WRITE_ONCE(p->nr_allow, nr_allow);
	WRITE_ONCE(p->nr_hops, nr_hops);
	WRITE_ONCE(p->nr_peers, nr_peers);
	demand_note_full(full);
}
