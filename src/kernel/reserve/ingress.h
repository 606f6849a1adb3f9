/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The filter of an interface while reserves are in use, and its counters.
 */
#ifndef BALLAST_INGRESS_H
#define BALLAST_INGRESS_H

#include <linux/types.h>

struct nf_hook_state;
struct sk_buff;

/* Why a packet was dropped while reserves were in use. */
enum ballast_drop {
	BALLAST_DROP_OTHER_SOCKET, /* TCP, but not for block I/O */
	BALLAST_DROP_PROTOCOL, /* UDP, ICMP and others */
	BALLAST_DROP_FRAGMENT, /* cannot be matched to a socket */
	BALLAST_DROP_BUDGET, /* allowed, but the budget is used up */
	BALLAST_DROP_LIMIT, /* a disk's, but over packet_limit */
	BALLAST_DROP_MALFORMED,
	BALLAST_NR_DROPS
};

/**
 * struct ballast_ingress_stats - one CPU's count of packets
 * @seen: packets that came in while not each was checked; selects those that
 *	  are, see INGRESS_MASK_AMPLE
 * @pfmemalloc: packets received in memory of the emergency reserves
 * @kept: packets that passed while reserves were in use
 * @allowed: those of them that took from a budget of the interface
 * @unrelated: those of them that took from the budget of unrelated packets
 * @dropped_bytes: bytes in dropped packets
 * @dropped: dropped packets, by reason
 */
struct ballast_ingress_stats {
	u32 seen;
	u64 pfmemalloc;
	u64 kept;
	u64 allowed;
	u64 unrelated;
	u64 dropped_bytes;
	u64 dropped[BALLAST_NR_DROPS];
};

unsigned int ballast_ingress_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);

#endif /* BALLAST_INGRESS_H */
