// SPDX-License-Identifier: GPL-2.0
/*
 * The filter: while the machine is short of memory for packets and needs the
 * network to free some, it drops packets that are not needed for block I/O as
 * they come from the driver, so that the next packet can use their memory.
 *
 * It is a netfilter hook on the ingress of every physical interface, in
 * softirq, after GRO. A packet is classified first, without side effects, and
 * then counted and passed or dropped.
 */
#include "ingress.h"

#include <linux/jiffies.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#include "budget.h"
#include "classify.h"
#include "peers.h"
#include "pressure.h"
#include "reserve.h"
#include "tcpmem.h"

/*
 * While I/O depends on the network, headroom is computed for each packet, or,
 * once it is ample, for one in 32 until the next jiffy: a packet may have 17
 * pages. Without such I/O, it is computed for one packet in 16 while it is not
 * ample.
 */
#define INGRESS_MASK_AMPLE	31
#define INGRESS_MASK_IDLE	15

/*
 * Is this packet from the emergency reserves, and does the socket already hold
 * as much memory as packet_limit packets of this size? The memory of a packet
 * is credited when the socket frees it.
 */
static bool ingress_over_limit(const struct ballast_reserve *res,
			       const struct sk_buff *skb, const struct sock *sk)
{
	unsigned int limit = READ_ONCE(res->packets);

	/* 0: requests leave by another interface than replies come in on. */
	return limit && skb_pfmemalloc(skb) &&
	       (unsigned int)atomic_read(&sk->sk_rmem_alloc) / skb->truesize >=
		       limit;
}

/* A packet of a disk has come in. Drops the reference to its socket. */
static bool ingress_take_disk(const struct ballast_reserve *res,
			      const struct sk_buff *skb, struct sock *sk)
{
	bool over;

	WRITE_ONCE(ballast_pressure.memalloc_at, jiffies);
	if (!sk) /* next hop, tunnel, or a socket in another namespace */
		return true;
	if (READ_ONCE(ballast_pressure.guards)) {
		ballast_peers_note(sk);
		ballast_tcpmem_charge_other(sk);
	}
	over = ingress_over_limit(res, skb, sk);
	sock_gen_put(sk);
	return !over;
}

/*
 * Requests of another driver's disk are not visible: infer them from its
 * packets, also while all packets pass.
 */
static void ingress_notice(struct sk_buff *skb)
{
	struct ballast_packet packet = { .skb = skb };

	if (ballast_classify(&packet) != BALLAST_DISK || !packet.sk)
		return;
	ballast_pressure_notice();
	ballast_peers_note(packet.sk);
	ballast_tcpmem_charge_other(packet.sk);
	sock_gen_put(packet.sk);
}

static unsigned int ingress_drop(const struct ballast_reserve *res,
				 const struct sk_buff *skb,
				 enum ballast_drop why)
{
	this_cpu_inc(res->stats->dropped[why]);
	this_cpu_add(res->stats->dropped_bytes, skb->len);
	return NF_DROP;
}

/* The reserves are in use: pass or drop a packet, and count it. */
static unsigned int ingress_filter(struct ballast_reserve *res,
				   struct sk_buff *skb)
{
	struct ballast_packet packet = {
		.skb = skb,
		.why = BALLAST_DROP_PROTOCOL,
	};

	switch (ballast_classify(&packet)) {
	case BALLAST_DISK:
		if (!ingress_take_disk(res, skb, packet.sk))
			return ingress_drop(res, skb, BALLAST_DROP_LIMIT);
		break;
	case BALLAST_BUDGETED:
		if (!ballast_budget_take(&res->budget, packet.budget, skb))
			return ingress_drop(res, skb, BALLAST_DROP_BUDGET);
		this_cpu_inc(res->stats->allowed);
		break;
	default:
		if (!ballast_budget_take_unrelated(skb))
			return ingress_drop(res, skb, packet.why);
		this_cpu_inc(res->stats->unrelated);
	}
	this_cpu_inc(res->stats->kept);
	return NF_ACCEPT;
}

/*
 * Must headroom be computed for this packet? In a jiffy in which memory is ample
 * ballast_ingress_hook() has chosen it.
 */
static bool ingress_must_look(const struct ballast_reserve *res)
{
	return ballast_pressure_in_use() || ballast_pressure_ample() ||
	       READ_ONCE(ballast_pressure.guards) || ballast_pressure_busy() ||
	       !(this_cpu_inc_return(res->stats->seen) & INGRESS_MASK_IDLE);
}

static noinline unsigned int ingress_look(struct ballast_reserve *res,
					  struct sk_buff *skb)
{
	struct ballast_pressure *p = &ballast_pressure;

	if (unlikely(skb_pfmemalloc(skb))) {
		WRITE_ONCE(p->pfmemalloc_at, jiffies);
		this_cpu_inc(res->stats->pfmemalloc);
	}
	if (!ingress_must_look(res))
		return NF_ACCEPT;
	if (READ_ONCE(res->rx_at) != jiffies)
		WRITE_ONCE(res->rx_at, jiffies);
	if (READ_ONCE(p->guards) && !ballast_pressure_in_use())
		ingress_notice(skb);
	ballast_pressure_update();
	if (likely(!ballast_pressure_in_use() || !READ_ONCE(p->filter)))
		return NF_ACCEPT;
	return ingress_filter(res, skb);
}

/**
 * ballast_ingress_hook - handle a packet that comes in on an interface
 * @priv: the interface's reserve
 * @skb: the packet
 * @state: unused
 *
 * Lends blocks if headroom is low, then filters. Within one jiffy, hardly
 * anything but packets can take the memory below the min watermarks. So ample
 * headroom stays sufficient until the next jiffy, and until then most packets
 * cost no more than this function.
 *
 * Context: Softirq, under rcu_read_lock().
 * Return: NF_ACCEPT; NF_DROP if the reserves are in use and @skb is not needed
 * for block I/O
 */
unsigned int ballast_ingress_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct ballast_reserve *res = priv;

	if (likely(ballast_pressure_ample() && !skb_pfmemalloc(skb) &&
		   (this_cpu_inc_return(res->stats->seen) & INGRESS_MASK_AMPLE)))
		return NF_ACCEPT;
	return ingress_look(res, skb);
}
