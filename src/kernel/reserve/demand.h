/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The demand of a user on the reserve of an interface.
 */
#ifndef BALLAST_DEMAND_H
#define BALLAST_DEMAND_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/types.h>

#include "options.h"
#include "peers.h"

/**
 * struct ballast_demand - the demand of one user on a reserve
 * @entry: in &ballast_reserve.demands, under the mutex of reserve.c
 * @requests: number of requests that the user can have in flight
 * @pages: size of the reserve if the administrator gave one, else
 *	   BALLAST_RESERVE_AUTO
 * @filter: drop unrelated packets while the reserve is in use
 * @guard: the user's requests are not visible to the module; it infers them
 *	   from packets of SOCK_MEMALLOC sockets, and from pages that were under
 *	   writeback when these packets stopped
 * @tunneled: the user's packets are inside others, which pass the filter
 * @hop: next hop of the user's packets, IPv4 as a mapped address; all zero:
 *	 unknown
 * @peer: of the user's connection, if its socket can't be found from the
 *	  physical interface, as with a container
 * @nr_allow: number of entries in @allow
 * @allow: packets that the administrator lets pass, within a budget
 *
 * The user fills it in before ballast_reserve_get() and changes nothing
 * until ballast_reserve_put().
 */
struct ballast_demand {
	struct list_head entry;
	unsigned int requests;
	int pages;
	bool filter;
	bool guard;
	bool tunneled;
	struct in6_addr hop;
	struct ballast_peer peer;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOW];
};

void ballast_demand_collect(const struct list_head *reserves);
int ballast_demand_emit_allow(const struct ballast_allow *allow, char *buf,
			      int at);

#endif /* BALLAST_DEMAND_H */
