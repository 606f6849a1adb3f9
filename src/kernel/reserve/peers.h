/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Servers of disks. Those of other drivers' disks are remembered while an
 * interface is guarded: a user space program may restore the connection, and
 * its socket gets SOCK_MEMALLOC only afterwards.
 */
#ifndef BALLAST_PEERS_H
#define BALLAST_PEERS_H

#include <linux/types.h>
#include <net/ipv6.h>

struct dst_entry;
struct sock;

/**
 * struct ballast_peer - where packets of a disk come from
 * @address: of the server, IPv4 as a mapped address; all zero: none
 * @port: of the server
 */
struct ballast_peer {
	struct in6_addr address;
	__be16 port;
};

static inline bool ballast_peer_is(const struct ballast_peer *peer,
				   const struct in6_addr *address, __be16 port)
{
	return READ_ONCE(peer->port) == port &&
	       ipv6_addr_equal(&peer->address, address);
}

struct ballast_peer ballast_peer_of(const struct sock *sk);
struct in6_addr ballast_peer_next_hop(const struct sock *sk,
				      const struct dst_entry *dst);
void ballast_peers_note(const struct sock *sk);
bool ballast_peers_has(const struct in6_addr *address, __be16 port);
bool ballast_peers_has_hop(const struct in6_addr *address);
void ballast_peers_forget(void);

#endif /* BALLAST_PEERS_H */
