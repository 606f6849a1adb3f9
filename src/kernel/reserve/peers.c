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
 * @is: the server; its port is 0: the entry is empty
 * @seen_at: when a packet of a disk last came from there, in jiffies
 */
struct peer {
	struct ballast_peer is;
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
 * ballast_peer_of - where do packets of a socket come from?
 * @sk: a connected TCP socket
 *
 * Context: Any.
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

/* An empty entry, else the one that was not seen for the longest time. */
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
 * Of more than PEERS_MAX (16) servers the one that was silent for the longest
 * time is forgotten.
 *
 * Context: Softirq.
 */
void ballast_peers_note(const struct sock *sk)
{
	struct ballast_peer is = ballast_peer_of(sk);
	struct peer *peer = peer_find(&is.address, is.port);

	if (likely(peer)) {
		if (READ_ONCE(peer->seen_at) != jiffies)
			WRITE_ONCE(peer->seen_at, jiffies);
		return;
	}
	spin_lock(&peers_lock);
	if (!peer_find(&is.address, is.port)) {
		peer = peer_oldest();
		peer->is.address = is.address;
		peer->seen_at = jiffies;
		WRITE_ONCE(peer->is.port, is.port);
	}
	spin_unlock(&peers_lock);
}

/**
 * ballast_peers_has - does a TCP packet come from the server of a disk?
 * @address: the packet's source address, IPv4 as a mapped address
 * @port: its source port
 *
 * Context: Any.
 */
bool ballast_peers_has(const struct in6_addr *address, __be16 port)
{
	return port && peer_find(address, port);
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
		WRITE_ONCE(peer->is.port, 0);
	spin_unlock_bh(&peers_lock);
}
