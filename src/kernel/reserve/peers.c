// SPDX-License-Identifier: GPL-2.0
/*
 * Remembers the servers of other drivers' disks; see peers.h.
 *
 * The filter reads without a lock. While an entry is replaced, one packet may
 * be misjudged.
 */
#include "peers.h"

#include <linux/jiffies.h>
#include <linux/spinlock.h>
#include <net/ipv6.h>
#include <net/sock.h>

#define PEERS_MAX 16

/**
 * struct peer - the server of a disk
 * @addr: its address, IPv4 as a mapped address
 * @port: its TCP port; 0: the entry is empty
 * @seen_at: when a packet of a disk last came from there, in jiffies
 */
struct peer {
	struct in6_addr addr;
	__be16 port;
	unsigned long seen_at;
};

/* Protects writers; taken in softirq, and none is taken under it. */
static DEFINE_SPINLOCK(peers_lock);
static struct peer peers[PEERS_MAX];

static struct peer *peer_find(const struct in6_addr *addr, __be16 port)
{
	struct peer *peer;

	for (peer = peers; peer < peers + PEERS_MAX; peer++)
		if (READ_ONCE(peer->port) == port &&
		    ipv6_addr_equal(&peer->addr, addr))
			return peer;
	return NULL;
}

/* An empty entry, else the one that was not seen for the longest time. */
static struct peer *peer_oldest(void)
{
	struct peer *peer, *oldest = peers;

	lockdep_assert_held(&peers_lock);
	for (peer = peers; peer < peers + PEERS_MAX; peer++) {
		if (!peer->port)
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
 * Of more than PEERS_MAX (16) servers the one that was silent for the longest
 * time is forgotten.
 *
 * Context: Softirq.
 */
void ballast_peers_note(const struct sock *sk)
{
	struct in6_addr addr;
	struct peer *peer;

#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6)
		addr = sk->sk_v6_daddr;
	else
#endif
		ipv6_addr_set_v4mapped(sk->sk_daddr, &addr);
	peer = peer_find(&addr, sk->sk_dport);
	if (likely(peer)) {
		if (READ_ONCE(peer->seen_at) != jiffies)
			WRITE_ONCE(peer->seen_at, jiffies);
		return;
	}
	spin_lock(&peers_lock);
	if (!peer_find(&addr, sk->sk_dport)) {
		peer = peer_oldest();
		peer->addr = addr;
		peer->seen_at = jiffies;
		WRITE_ONCE(peer->port, sk->sk_dport);
	}
	spin_unlock(&peers_lock);
}

/**
 * ballast_peers_has - does a TCP packet come from the server of a disk?
 * @addr: the packet's source address, IPv4 as a mapped address
 * @port: its source port
 *
 * Context: Any.
 */
bool ballast_peers_has(const struct in6_addr *addr, __be16 port)
{
	return port && peer_find(addr, port);
}

/**
 * ballast_peers_forget - forget all servers
 *
 * When no interface is guarded any more.
 *
 * Context: Process context.
 */
void ballast_peers_forget(void)
{
	struct peer *peer;

	spin_lock_bh(&peers_lock);
	for (peer = peers; peer < peers + PEERS_MAX; peer++)
		WRITE_ONCE(peer->port, 0);
	spin_unlock_bh(&peers_lock);
}
