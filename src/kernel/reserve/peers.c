// SPDX-License-Identifier: GPL-2.0
/*
 * Remembers the servers of other drivers' disks; see peers.h.
 *
 * The filter reads without a lock. While an entry is replaced, one packet may
 * be misclassified.
 */
#include "peers.h"

#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <net/dst.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/sock.h>

#define PEERS_MAX 16

/**
 * struct peer - the server of a disk
 * @is: the server; its port is 0: the entry is empty
 * @hop: the next hop of packets to it; all zero: unknown
 * @seen_at: when a packet of a disk last came from there, in jiffies
 */
struct peer {
	struct ballast_peer is;
	struct in6_addr hop;
	unsigned long seen_at;
};

/* Protects writers; taken in softirq, and none is taken under it. */
static DEFINE_SPINLOCK(peers_lock);
static struct peer peers[PEERS_MAX];

static struct peer *peer_find(const struct in6_addr *address, __be16 port)
{
	struct peer *peer;

	for (peer = peers; peer < peers + PEERS_MAX; peer++)
		if (ballast_peer_is(&peer->is, address, port))
			return peer;
	return NULL;
}

/**
 * ballast_peer_of - get the peer of a socket
 * @sk: a connected TCP socket
 *
 * Context: Any.
 * Return: its address and port
 */
struct ballast_peer ballast_peer_of(const struct sock *sk)
{
	struct ballast_peer peer = { .port = sk->sk_dport };

	if (sk->sk_family == AF_INET)
		ipv6_addr_set_v4mapped(sk->sk_daddr, &peer.address);
#if IS_ENABLED(CONFIG_IPV6)
	else if (sk->sk_family == AF_INET6)
		peer.address = sk->sk_v6_daddr;
#endif
	return peer;
}

/* Does the socket send IPv4? One of AF_INET6 does to a mapped address. */
static bool peer_is_ip4(const struct sock *sk)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		return ipv6_addr_v4mapped(&sk->sk_v6_daddr);
#endif
	return sk->sk_family == AF_INET;
}

/**
 * ballast_peer_next_hop - the neighbor that a socket's packets go to
 * @sk: a connected TCP socket
 * @dst: its route
 *
 * Context: Any. The caller holds a reference to @dst or the RCU read lock.
 * Return: the address, IPv4 as a mapped address
 */
struct in6_addr ballast_peer_next_hop(const struct sock *sk,
				      const struct dst_entry *dst)
{
	struct in6_addr hop = {};

	if (peer_is_ip4(sk))
		ipv6_addr_set_v4mapped(rt_nexthop(container_of(dst,
							       struct rtable,
							       dst),
						  sk->sk_daddr),
				       &hop);
#if IS_ENABLED(CONFIG_IPV6)
	else if (sk->sk_family == AF_INET6)
		hop = *rt6_nexthop(container_of(dst, struct rt6_info, dst),
				   &sk->sk_v6_daddr);
#endif
	return hop;
}

/* The route may change at any time. Without a route, keep the former hop. */
static void peer_note_hop(struct peer *peer, const struct sock *sk)
{
	const struct dst_entry *dst = rcu_dereference(sk->sk_dst_cache);
	struct in6_addr hop;

	if (!dst)
		return;
	hop = ballast_peer_next_hop(sk, dst);
	if (!ipv6_addr_equal(&peer->hop, &hop))
		peer->hop = hop;
}

/* An empty entry, else the one last seen the longest time ago. */
static struct peer *peer_oldest(void)
{
	struct peer *peer, *oldest = peers;

	lockdep_assert_held(&peers_lock);
	for (peer = peers; peer < peers + PEERS_MAX; peer++) {
		if (!peer->is.port)
			return peer;
		if (time_before(peer->seen_at, oldest->seen_at))
			oldest = peer;
	}
	return oldest;
}

/**
 * ballast_peers_note - remember the server of a disk
 * @sk: the disk's socket, a TCP socket with SOCK_MEMALLOC, referenced
 *
 * Also updates its next hop, once a jiffy. With more than PEERS_MAX (16)
 * servers, the one that was silent for the longest time is forgotten.
 *
 * Context: Softirq, under rcu_read_lock().
 */
void ballast_peers_note(const struct sock *sk)
{
	struct ballast_peer is = ballast_peer_of(sk);
	struct peer *peer = peer_find(&is.address, is.port);

	if (likely(peer)) {
		if (READ_ONCE(peer->seen_at) != jiffies) {
			WRITE_ONCE(peer->seen_at, jiffies);
			peer_note_hop(peer, sk);
		}
		return;
	}
	spin_lock(&peers_lock);
	if (!peer_find(&is.address, is.port)) {
		peer = peer_oldest();
		peer->is.address = is.address;
		peer->hop = (struct in6_addr){};
		peer_note_hop(peer, sk);
		peer->seen_at = jiffies;
		WRITE_ONCE(peer->is.port, is.port);
	}
	spin_unlock(&peers_lock);
}

/**
 * ballast_peers_has - look up the source of a TCP packet
 * @address: the packet's source address, IPv4 as a mapped address
 * @port: its source port
 *
 * Context: Any.
 * Return: true: it is the server of a disk
 */
bool ballast_peers_has(const struct in6_addr *address, __be16 port)
{
	return port && peer_find(address, port);
}

/**
 * ballast_peers_has_hop - look up a next hop
 * @address: IPv4 as a mapped address
 *
 * Context: Any.
 * Return: true: it is the next hop to the server of a disk
 */
bool ballast_peers_has_hop(const struct in6_addr *address)
{
	const struct peer *peer;

	for (peer = peers; peer < peers + PEERS_MAX; peer++)
		if (READ_ONCE(peer->is.port) &&
		    ipv6_addr_equal(&peer->hop, address))
			return !ipv6_addr_any(address);
	return false;
}

/**
 * ballast_peers_forget - forget all servers
 *
 * Context: Process context, when no interface is guarded any more.
 */
void ballast_peers_forget(void)
{
	struct peer *peer;

	spin_lock_bh(&peers_lock);
	for (peer = peers; peer < peers + PEERS_MAX; peer++)
		WRITE_ONCE(peer->is.port, 0);
	spin_unlock_bh(&peers_lock);
}
