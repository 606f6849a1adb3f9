// SPDX-License-Identifier: GPL-2.0
/*
 * The filter: while an interface's reserve is in use, what is not needed
 * for block I/O is dropped as it comes out of the driver, so that its
 * memory is free again for the next packet.
 *
 * A netfilter hook on the interface's ingress, in softirq, behind GRO.
 */
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
#include "reserve.h"
#include "tcpmem.h"

/*
 * Where memory is plentiful, or no I/O hangs on the interface, it is looked
 * at for every 16th packet only.
 */
#define INGRESS_MASK		15
/* What passes beside block I/O: so many packets in so long. */
#define INGRESS_BUDGET		64
#define INGRESS_WINDOW		(HZ / 10)

/* The ends of a packet's connection, and what the filter says to it. */
struct ingress_packet {
	struct ballast_reserve *res;
	struct sk_buff *skb;
	u8 protocol;
	unsigned int offset;	/* of what follows the IP header */
	enum ballast_drop why;
};

static bool ingress_budget(struct ingress_packet *packet)
{
	struct ballast_reserve *res = packet->res;
	bool pass = false;

	packet->why = BALLAST_DROP_BUDGET;
	spin_lock(&res->lock);
	if (time_after(jiffies, res->budget_at + INGRESS_WINDOW)) {
		res->budget_at = jiffies;
		res->budget_left = INGRESS_BUDGET;
	}
	if (res->budget_left) {
		res->budget_left--;
		pass = true;
	}
	spin_unlock(&res->lock);
	if (pass)
		this_cpu_inc(res->stats->allowed);
	return pass;
}

static bool ingress_allowed(struct ingress_packet *packet)
{
	const struct ballast_reserve *res = packet->res;
	unsigned int i, nr = READ_ONCE(res->nr_allow);
	__be16 buf[2], *ports;

	if (!nr)
		return false;
	ports = skb_header_pointer(packet->skb, packet->offset, sizeof(buf),
				   buf);
	if (!ports)
		return false;
	for (i = 0; i < nr; i++)
		if (res->allow[i].protocol == packet->protocol &&
		    (res->allow[i].port == ntohs(ports[0]) ||
		     res->allow[i].port == ntohs(ports[1])))
			return ingress_budget(packet);
	return false;
}

/* Is this the socket of a disk? Drops the reference. */
static bool ingress_for_disk(struct ingress_packet *packet, struct sock *sk)
{
	bool memalloc;

	if (!sk)
		return false;
	memalloc = sk_fullsock(sk) && sock_flag(sk, SOCK_MEMALLOC);
	if (memalloc && READ_ONCE(packet->res->guards))
		ballast_tcpmem_charge_other(sk);
	sock_gen_put(sk);
	if (memalloc)
		WRITE_ONCE(packet->res->memalloc_at, jiffies);
	return memalloc;
}

/**
 * struct ingress_arrival - where the stack will look for a packet's socket
 * @net: namespace
 * @dif: interface that a socket may be bound to
 * @sdif: likewise, where @dif is a VRF; else 0, which unbound sockets want
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

static bool ingress_tcp4(struct ingress_packet *packet, __be32 saddr,
			 __be16 sport, __be32 daddr, __be16 dport)
{
	struct ingress_arrival at = ingress_arrival(packet->skb);

	return ingress_for_disk(packet,
		compat_inet_lookup_established(at.net, saddr, sport, daddr,
					  ntohs(dport), at.dif, at.sdif));
}

static bool ingress_tcp6(struct ingress_packet *packet,
			 const struct in6_addr *saddr, __be16 sport,
			 const struct in6_addr *daddr, __be16 dport)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct ingress_arrival at = ingress_arrival(packet->skb);

	return ingress_for_disk(packet,
		compat_inet6_lookup_established(at.net, saddr, sport, daddr,
					   ntohs(dport), at.dif, at.sdif));
#else
	return false;
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

/* An error about a packet of ours: the inner header is the one we sent. */
static bool ingress_icmp4(struct ingress_packet *packet)
{
	struct icmphdr icmp_buf, *icmp;
	struct iphdr inner_buf, *inner;
	unsigned int offset = packet->offset;
	__be16 buf[2], *ports;

	icmp = skb_header_pointer(packet->skb, offset, sizeof(icmp_buf),
				  &icmp_buf);
	if (!icmp || !icmp_is_err(icmp->type))
		return false;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner || inner->ihl < 5 || inner->protocol != IPPROTO_TCP)
		return false;
	ports = ingress_ports(packet, offset + inner->ihl * 4, buf);
	return ports && ingress_tcp4(packet, inner->daddr, ports[1],
				     inner->saddr, ports[0]);
}

static bool ingress_icmp6(struct ingress_packet *packet)
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
		return false;
	/* Router and neighbour discovery, redirects, and who listens. */
	if ((icmp->icmp6_type >= NDISC_ROUTER_SOLICITATION &&
	     icmp->icmp6_type <= NDISC_REDIRECT) ||
	    icmp->icmp6_type == ICMPV6_MGM_QUERY)
		return ingress_budget(packet);
	if (icmp->icmp6_type & ICMPV6_INFOMSG_MASK)
		return false;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner)
		return false;
	protocol = inner->nexthdr;
	inner_offset = ipv6_skip_exthdr(packet->skb, offset + sizeof(*inner),
					&protocol, &frag);
	if (inner_offset < 0 || protocol != IPPROTO_TCP)
		return false;
	ports = ingress_ports(packet, inner_offset, buf);
	return ports && ingress_tcp6(packet, &inner->daddr, ports[1],
				     &inner->saddr, ports[0]);
}

static bool ingress_ip4(struct ingress_packet *packet)
{
	struct iphdr buf, *ip;
	__be16 ports_buf[2], *ports;

	ip = skb_header_pointer(packet->skb, 0, sizeof(buf), &buf);
	if (!ip || ip->ihl < 5 || ip->version != 4) {
		packet->why = BALLAST_DROP_MALFORMED;
		return false;
	}
	if (ip_is_fragment(ip)) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return false;
	}
	packet->protocol = ip->protocol;
	packet->offset = ip->ihl * 4;
	if (ip->protocol == IPPROTO_ICMP)
		return ingress_icmp4(packet);
	if (ip->protocol != IPPROTO_TCP)
		return ip->protocol == IPPROTO_UDP && ingress_allowed(packet);

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = ingress_ports(packet, packet->offset, ports_buf);
	return ports && (ingress_tcp4(packet, ip->saddr, ports[0], ip->daddr,
				      ports[1]) ||
			 ingress_allowed(packet));
}

static bool ingress_ip6(struct ingress_packet *packet)
{
	struct ipv6hdr buf, *ip;
	__be16 ports_buf[2], *ports, frag = 0;
	int offset;

	ip = skb_header_pointer(packet->skb, 0, sizeof(buf), &buf);
	if (!ip || ip->version != 6) {
		packet->why = BALLAST_DROP_MALFORMED;
		return false;
	}
	packet->protocol = ip->nexthdr;
	offset = ipv6_skip_exthdr(packet->skb, sizeof(*ip), &packet->protocol,
				  &frag);
	if (offset < 0) {
		packet->why = BALLAST_DROP_MALFORMED;
		return false;
	}
	/* Ours are never fragmented, not even into a single fragment. */
	if (frag) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return false;
	}
	packet->offset = offset;
	if (packet->protocol == IPPROTO_ICMPV6)
		return ingress_icmp6(packet);
	if (packet->protocol != IPPROTO_TCP)
		return packet->protocol == IPPROTO_UDP &&
		       ingress_allowed(packet);

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = ingress_ports(packet, packet->offset, ports_buf);
	return ports && (ingress_tcp6(packet, &ip->saddr, ports[0], &ip->daddr,
				      ports[1]) ||
			 ingress_allowed(packet));
}

/* What the link itself can't live without passes, within the budget. */
static bool ingress_pass(struct ingress_packet *packet)
{
	switch (packet->skb->protocol) {
	case htons(ETH_P_IP):
		return ingress_ip4(packet);
	case htons(ETH_P_IPV6):
		return ingress_ip6(packet);
	case htons(ETH_P_ARP):
	case htons(ETH_P_SLOW):		/* LACP */
	case htons(ETH_P_PAE):		/* 802.1X */
	case htons(ETH_P_802_2):	/* spanning tree */
		return ingress_budget(packet);
	default:
		return false;
	}
}

/*
 * Between two packets within a jiffy nothing but packets can take much of
 * what is under the min watermarks; so plenty lasts until the next jiffy.
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
 * ballast_ingress_hook - see each packet that comes in on an interface
 * @priv: its reserve
 * @skb: the packet
 * @state: unused
 *
 * Return: NF_ACCEPT; NF_DROP while the reserve is in use and @skb is not
 * for block I/O
 */
unsigned int ballast_ingress_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct ballast_reserve *res = priv;
	struct ingress_packet packet = {
		.res = res,
		.skb = skb,
		.why = BALLAST_DROP_PROTOCOL,
	};

	if (unlikely(skb_pfmemalloc(skb)))
		WRITE_ONCE(res->pfmemalloc_at, jiffies);
	if (likely(!ingress_must_look(res)) &&
	    (this_cpu_inc_return(res->stats->seen) & INGRESS_MASK))
		return NF_ACCEPT;
	if (READ_ONCE(res->rx_at) != jiffies)
		WRITE_ONCE(res->rx_at, jiffies);
	if (likely(!ballast_lend_check(res) || !READ_ONCE(res->filter)))
		return NF_ACCEPT;

	if (ingress_pass(&packet)) {
		this_cpu_inc(res->stats->kept);
		return NF_ACCEPT;
	}
	this_cpu_inc(res->stats->dropped[packet.why]);
	this_cpu_add(res->stats->dropped_bytes, skb->len);
	return NF_DROP;
}
