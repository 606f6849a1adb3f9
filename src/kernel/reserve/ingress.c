// SPDX-License-Identifier: GPL-2.0
/*
 * The filter: while the reserve of an interface is in use, packets that are
 * not needed for block I/O are dropped as they come out of the driver, so
 * that the next packet finds their memory free.
 *
 * It is a netfilter hook on the interface's ingress, in softirq, after GRO.
 * A packet is classified first, which changes nothing, and then counted and
 * passed or dropped.
 */
#include "ingress.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/sock.h>

#include "compat.h"
#include "lend.h"
#include "reserve.h"
#include "tcpmem.h"

/*
 * While memory is ample, or no I/O depends on the interface, headroom is
 * computed for one packet in 16 only.
 */
#define INGRESS_MASK		15
/* Packets that may pass besides those for block I/O, in each window. */
#define INGRESS_BUDGET		64
#define INGRESS_WINDOW		(HZ / 10)

/* What a packet is, as far as the filter is concerned. */
enum ingress_class {
	INGRESS_UNRELATED,	/* dropped */
	INGRESS_DISK,		/* for block I/O: passes */
	INGRESS_BUDGETED,	/* passes within the budget */
};

/**
 * struct ingress_packet - a packet while it is classified
 * @res: the reserve of the interface it came in on
 * @skb: the packet
 * @protocol: IPPROTO_ of the transport header
 * @offset: of the transport header
 * @sk: the disk's socket, referenced, if the packet is INGRESS_DISK
 * @why: the reason to count if the packet is dropped
 */
struct ingress_packet {
	const struct ballast_reserve *res;
	struct sk_buff *skb;
	u8 protocol;
	unsigned int offset;
	struct sock *sk;
	enum ballast_drop why;
};

/* Does allow= name a port of this TCP or UDP packet? */
static enum ingress_class ingress_match_allow(struct ingress_packet *packet)
{
	const struct ballast_reserve *res = packet->res;
	unsigned int i, nr = READ_ONCE(res->nr_allow);
	__be16 buf[2], *ports;

	if (!nr)
		return INGRESS_UNRELATED;
	ports = skb_header_pointer(packet->skb, packet->offset, sizeof(buf),
				   buf);
	if (!ports)
		return INGRESS_UNRELATED;
	for (i = 0; i < nr; i++) {
		u16 port = READ_ONCE(res->allow[i].port);

		if (READ_ONCE(res->allow[i].protocol) == packet->protocol &&
		    (port == ntohs(ports[0]) || port == ntohs(ports[1])))
			return INGRESS_BUDGETED;
	}
	return INGRESS_UNRELATED;
}

/*
 * Is @sk, from a lookup with a reference, the socket of a disk? The reference
 * moves to @packet if so, and is dropped if not.
 */
static enum ingress_class ingress_match_socket(struct ingress_packet *packet,
					       struct sock *sk)
{
	if (!sk)
		return INGRESS_UNRELATED;
	if (!sk_fullsock(sk) || !sock_flag(sk, SOCK_MEMALLOC)) {
		sock_gen_put(sk);
		return INGRESS_UNRELATED;
	}
	packet->sk = sk;
	return INGRESS_DISK;
}

/**
 * struct ingress_arrival - where the stack will look for a packet's socket
 * @net: network namespace
 * @dif: index of the interface that a socket may be bound to
 * @sdif: index of the interface below @dif if @dif is a VRF; else 0, which
 *	  the lookup of unbound sockets requires
 */
struct ingress_arrival {
	struct net *net;
	int dif;
	int sdif;
};

/* Up through VLAN (maybe in another namespace), bond, bridge and VRF. */
static struct ingress_arrival ingress_arrival(const struct sk_buff *skb)
{
	struct net_device *dev = NULL, *upper;
	int sdif = 0;

	if (skb_vlan_tag_present(skb))
		dev = __vlan_find_dev_deep_rcu(skb->dev, skb->vlan_proto,
					       skb_vlan_tag_get_id(skb));
	if (!dev)
		dev = skb->dev;
	while ((upper = netdev_master_upper_dev_get_rcu(dev))) {
		sdif = netif_is_l3_master(upper) ? dev->ifindex : 0;
		dev = upper;
	}
	return (struct ingress_arrival) {
		.net = dev_net(dev),
		.dif = dev->ifindex,
		.sdif = sdif,
	};
}

static enum ingress_class ingress_match_tcp4(struct ingress_packet *packet,
					     __be32 saddr, __be16 sport,
					     __be32 daddr, __be16 dport)
{
	struct ingress_arrival at = ingress_arrival(packet->skb);
	struct sock *sk;

	sk = compat_inet_lookup_established(at.net, saddr, sport, daddr,
					    ntohs(dport), at.dif, at.sdif);
	return ingress_match_socket(packet, sk);
}

static enum ingress_class ingress_match_tcp6(struct ingress_packet *packet,
					     const struct in6_addr *saddr,
					     __be16 sport,
					     const struct in6_addr *daddr,
					     __be16 dport)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct ingress_arrival at = ingress_arrival(packet->skb);
	struct sock *sk;

	sk = compat_inet6_lookup_established(at.net, saddr, sport, daddr,
					     ntohs(dport), at.dif, at.sdif);
	return ingress_match_socket(packet, sk);
#else
	return INGRESS_UNRELATED;
#endif
}

static __be16 *ingress_ports(struct ingress_packet *packet, unsigned int offset,
			     __be16 *buf)
{
	__be16 *ports = skb_header_pointer(packet->skb, offset,
					   2 * sizeof(*buf), buf);

	if (!ports)
		packet->why = BALLAST_DROP_MALFORMED;
	return ports;
}

/*
 * An ICMP error about a packet of a disk's socket. Its inner header is that
 * of the packet sent, so source and destination are exchanged.
 */
static enum ingress_class ingress_classify_icmp4(struct ingress_packet *packet)
{
	struct icmphdr icmp_buf, *icmp;
	struct iphdr inner_buf, *inner;
	unsigned int offset = packet->offset;
	__be16 buf[2], *ports;

	icmp = skb_header_pointer(packet->skb, offset, sizeof(icmp_buf),
				  &icmp_buf);
	if (!icmp || !icmp_is_err(icmp->type))
		return INGRESS_UNRELATED;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner || inner->ihl < 5 || inner->protocol != IPPROTO_TCP)
		return INGRESS_UNRELATED;
	ports = ingress_ports(packet, offset + inner->ihl * 4, buf);
	if (!ports)
		return INGRESS_UNRELATED;
	return ingress_match_tcp4(packet, inner->daddr, ports[1], inner->saddr,
				  ports[0]);
}

/* Likewise; and neighbor discovery, on which the link itself depends. */
static enum ingress_class ingress_classify_icmp6(struct ingress_packet *packet)
{
	struct icmp6hdr icmp_buf, *icmp;
	struct ipv6hdr inner_buf, *inner;
	unsigned int offset = packet->offset;
	__be16 buf[2], *ports, frag;
	u8 protocol;
	int inner_offset;

	icmp = skb_header_pointer(packet->skb, offset, sizeof(icmp_buf),
				  &icmp_buf);
	if (!icmp)
		return INGRESS_UNRELATED;
	/* Router and neighbor discovery, redirects, multicast queries. */
	if ((icmp->icmp6_type >= NDISC_ROUTER_SOLICITATION &&
	     icmp->icmp6_type <= NDISC_REDIRECT) ||
	    icmp->icmp6_type == ICMPV6_MGM_QUERY)
		return INGRESS_BUDGETED;
	if (icmp->icmp6_type & ICMPV6_INFOMSG_MASK)
		return INGRESS_UNRELATED;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner)
		return INGRESS_UNRELATED;
	protocol = inner->nexthdr;
	inner_offset = ipv6_skip_exthdr(packet->skb, offset + sizeof(*inner),
					&protocol, &frag);
	if (inner_offset < 0 || protocol != IPPROTO_TCP)
		return INGRESS_UNRELATED;
	ports = ingress_ports(packet, inner_offset, buf);
	if (!ports)
		return INGRESS_UNRELATED;
	return ingress_match_tcp6(packet, &inner->daddr, ports[1],
				  &inner->saddr, ports[0]);
}

static enum ingress_class ingress_classify_ip4(struct ingress_packet *packet)
{
	struct iphdr buf, *ip;
	__be16 ports_buf[2], *ports;
	enum ingress_class class;

	ip = skb_header_pointer(packet->skb, 0, sizeof(buf), &buf);
	if (!ip || ip->ihl < 5 || ip->version != 4) {
		packet->why = BALLAST_DROP_MALFORMED;
		return INGRESS_UNRELATED;
	}
	if (ip_is_fragment(ip)) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return INGRESS_UNRELATED;
	}
	packet->protocol = ip->protocol;
	packet->offset = ip->ihl * 4;
	if (ip->protocol == IPPROTO_ICMP)
		return ingress_classify_icmp4(packet);
	if (ip->protocol == IPPROTO_UDP)
		return ingress_match_allow(packet);
	if (ip->protocol != IPPROTO_TCP)
		return INGRESS_UNRELATED;

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = ingress_ports(packet, packet->offset, ports_buf);
	if (!ports)
		return INGRESS_UNRELATED;
	class = ingress_match_tcp4(packet, ip->saddr, ports[0], ip->daddr,
				   ports[1]);
	return class == INGRESS_DISK ? class : ingress_match_allow(packet);
}

static enum ingress_class ingress_classify_ip6(struct ingress_packet *packet)
{
	struct ipv6hdr buf, *ip;
	__be16 ports_buf[2], *ports, frag = 0;
	enum ingress_class class;
	int offset;

	ip = skb_header_pointer(packet->skb, 0, sizeof(buf), &buf);
	if (!ip || ip->version != 6) {
		packet->why = BALLAST_DROP_MALFORMED;
		return INGRESS_UNRELATED;
	}
	packet->protocol = ip->nexthdr;
	offset = ipv6_skip_exthdr(packet->skb, sizeof(*ip), &packet->protocol,
				  &frag);
	if (offset < 0) {
		packet->why = BALLAST_DROP_MALFORMED;
		return INGRESS_UNRELATED;
	}
	/* A disk's packets are never fragmented, not even into one fragment. */
	if (frag) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return INGRESS_UNRELATED;
	}
	packet->offset = offset;
	if (packet->protocol == IPPROTO_ICMPV6)
		return ingress_classify_icmp6(packet);
	if (packet->protocol == IPPROTO_UDP)
		return ingress_match_allow(packet);
	if (packet->protocol != IPPROTO_TCP)
		return INGRESS_UNRELATED;

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = ingress_ports(packet, packet->offset, ports_buf);
	if (!ports)
		return INGRESS_UNRELATED;
	class = ingress_match_tcp6(packet, &ip->saddr, ports[0], &ip->daddr,
				   ports[1]);
	return class == INGRESS_DISK ? class : ingress_match_allow(packet);
}

/* What is @packet? Changes nothing but @packet, which may get a socket. */
static enum ingress_class ingress_classify(struct ingress_packet *packet)
{
	switch (packet->skb->protocol) {
	case htons(ETH_P_IP):
		return ingress_classify_ip4(packet);
	case htons(ETH_P_IPV6):
		return ingress_classify_ip6(packet);
	/* The link itself depends on these. */
	case htons(ETH_P_ARP):
	case htons(ETH_P_SLOW):		/* LACP */
	case htons(ETH_P_PAE):		/* 802.1X */
	case htons(ETH_P_802_2):	/* spanning tree */
		return INGRESS_BUDGETED;
	default:
		return INGRESS_UNRELATED;
	}
}

/* Note that a packet of a disk came in. Drops the reference to its socket. */
static void ingress_note_disk(struct ballast_reserve *res, struct sock *sk)
{
	if (READ_ONCE(res->guards))
		ballast_tcpmem_charge_other(sk);
	sock_gen_put(sk);
	WRITE_ONCE(res->memalloc_at, jiffies);
}

/* Take one packet from the budget. Return: false: the budget is used up */
static bool ingress_take_budget(struct ballast_reserve *res)
{
	bool taken = false;

	spin_lock(&res->lock);
	if (time_after(jiffies, res->budget_at + INGRESS_WINDOW)) {
		res->budget_at = jiffies;
		res->budget_left = INGRESS_BUDGET;
	}
	if (res->budget_left) {
		res->budget_left--;
		taken = true;
	}
	spin_unlock(&res->lock);
	return taken;
}

static unsigned int ingress_drop(const struct ballast_reserve *res,
				 const struct sk_buff *skb,
				 enum ballast_drop why)
{
	this_cpu_inc(res->stats->dropped[why]);
	this_cpu_add(res->stats->dropped_bytes, skb->len);
	return NF_DROP;
}

/* The reserve is in use: pass or drop a packet, and count it. */
static unsigned int ingress_filter(struct ballast_reserve *res,
				   struct sk_buff *skb)
{
	struct ingress_packet packet = {
		.res = res,
		.skb = skb,
		.why = BALLAST_DROP_PROTOCOL,
	};

	switch (ingress_classify(&packet)) {
	case INGRESS_DISK:
		ingress_note_disk(res, packet.sk);
		break;
	case INGRESS_BUDGETED:
		if (!ingress_take_budget(res))
			return ingress_drop(res, skb, BALLAST_DROP_BUDGET);
		this_cpu_inc(res->stats->allowed);
		break;
	default:
		return ingress_drop(res, skb, packet.why);
	}
	this_cpu_inc(res->stats->kept);
	return NF_ACCEPT;
}

/*
 * Is headroom to be computed for this packet? Within one jiffy, hardly
 * anything but packets can take the memory below the min watermarks. So
 * headroom that is ample stays sufficient until the next jiffy.
 */
static bool ingress_must_look(const struct ballast_reserve *res)
{
	if (READ_ONCE(res->in_use))
		return true;
	if (READ_ONCE(res->ample) && READ_ONCE(res->rx_at) == jiffies)
		return false;
	return READ_ONCE(res->guards) || ballast_reserve_busy(res);
}

/**
 * ballast_ingress_hook - handle a packet that comes in on an interface
 * @priv: the interface's reserve
 * @skb: the packet
 * @state: unused
 *
 * Lends blocks if headroom is low, then filters.
 *
 * Context: Softirq, within an RCU read section.
 * Return: NF_ACCEPT; NF_DROP if the reserve is in use and @skb is not needed
 * for block I/O
 */
unsigned int ballast_ingress_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct ballast_reserve *res = priv;

	if (unlikely(skb_pfmemalloc(skb)))
		WRITE_ONCE(res->pfmemalloc_at, jiffies);
	if (likely(!ingress_must_look(res)) &&
	    (this_cpu_inc_return(res->stats->seen) & INGRESS_MASK))
		return NF_ACCEPT;
	if (READ_ONCE(res->rx_at) != jiffies)
		WRITE_ONCE(res->rx_at, jiffies);
	ballast_lend_update(res);
	if (likely(!ballast_reserve_in_use(res) || !READ_ONCE(res->filter)))
		return NF_ACCEPT;
	return ingress_filter(res, skb);
}
