// SPDX-License-Identifier: GPL-2.0
/*
 * Classifies a packet that comes from a driver: for a disk's socket, needed by
 * the link, named in allow=, or unrelated. Has no side effects.
 */
#include "classify.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include <net/sock.h>
#include <net/udp.h>

#include "compat.h"
#include "peers.h"
#include "pressure.h"

#define CLASSIFY_L2TP 115 /* without UDP; older kernels have no name for it */

/* Does allow= name a port of this TCP or UDP packet? */
static enum ballast_class classify_match_allow(struct ballast_packet *packet)
{
	const struct ballast_pressure *p = &ballast_pressure;
	unsigned int i, nr = READ_ONCE(p->nr_allow);
	enum ballast_class class = BALLAST_UNRELATED;
	__be16 buf[2], *ports;

	if (!nr)
		return BALLAST_UNRELATED;
	ports = skb_header_pointer(packet->skb, packet->offset, sizeof(buf),
				   buf);
	if (!ports)
		return BALLAST_UNRELATED;
	for (i = 0; i < nr; i++) {
		u16 port = READ_ONCE(p->allow[i].port);

		if (READ_ONCE(p->allow[i].protocol) != packet->protocol ||
		    (port != ntohs(ports[0]) && port != ntohs(ports[1])))
			continue;
		/* An entry with an address may be for a disk. */
		if (!memcmp(p->allow[i].address, &packet->from,
			    sizeof(packet->from))) {
			packet->budget = BALLAST_BUDGET_MACHINE;
			return BALLAST_BUDGETED;
		}
		if (ballast_options_any_address(&p->allow[i]))
			class = BALLAST_BUDGETED;
	}
	packet->budget = BALLAST_BUDGET_ALLOW;
	return class;
}

/*
 * Is @sk, from a lookup with a reference, the socket of a disk? The reference
 * moves to @packet if so, and is dropped if not.
 */
static enum ballast_class classify_match_socket(struct ballast_packet *packet,
						struct sock *sk)
{
	if (!sk)
		return BALLAST_UNRELATED;
	if (!sk_fullsock(sk) || !sock_flag(sk, SOCK_MEMALLOC)) {
		sock_gen_put(sk);
		return BALLAST_UNRELATED;
	}
	packet->sk = sk;
	return BALLAST_DISK;
}

/**
 * struct classify_arrival - where the stack will look for a packet's socket
 * @net: network namespace
 * @dif: index of the interface that a socket may be bound to
 * @sdif: index of the interface below @dif if @dif is a VRF; else 0, which
 *	  the lookup of unbound sockets requires
 */
struct classify_arrival {
	struct net *net;
	int dif;
	int sdif;
};

static struct net_device *classify_vlan(struct net_device *dev, __be16 proto,
					u16 tci)
{
	return __vlan_find_dev_deep_rcu(dev, proto, tci & VLAN_VID_MASK) ?: dev;
}

/* Go up VLANs (maybe in another namespace), bond, bridge and VRF. */
static struct classify_arrival
classify_arrival(const struct ballast_packet *packet)
{
	const struct sk_buff *skb = packet->skb;
	struct net_device *dev = skb->dev, *upper;
	unsigned int i;
	int sdif = 0;

	if (skb_vlan_tag_present(skb))
		dev = classify_vlan(dev, skb->vlan_proto,
				    skb_vlan_tag_get(skb));
	for (i = 0; i < packet->nr_tags; i++)
		dev = classify_vlan(dev, packet->tags[i].proto,
				    packet->tags[i].tci);
	while ((upper = netdev_master_upper_dev_get_rcu(dev))) {
		sdif = netif_is_l3_master(upper) ? dev->ifindex : 0;
		dev = upper;
	}
	return (struct classify_arrival){
		.net = dev_net(dev),
		.dif = dev->ifindex,
		.sdif = sdif,
	};
}

static enum ballast_class classify_match_tcp4(struct ballast_packet *packet,
					      __be32 saddr, __be16 sport,
					      __be32 daddr, __be16 dport)
{
	struct classify_arrival at = classify_arrival(packet);
	struct sock *sk;

	sk = compat_inet_lookup_established(at.net, saddr, sport, daddr,
					    ntohs(dport), at.dif, at.sdif);
	return classify_match_socket(packet, sk);
}

static enum ballast_class
classify_match_tcp6(struct ballast_packet *packet, const struct in6_addr *saddr,
		    __be16 sport, const struct in6_addr *daddr, __be16 dport)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct classify_arrival at = classify_arrival(packet);
	struct sock *sk;

	sk = compat_inet6_lookup_established(at.net, saddr, sport, daddr,
					     ntohs(dport), at.dif, at.sdif);
	return classify_match_socket(packet, sk);
#else
	return BALLAST_UNRELATED;
#endif
}

/*
 * TCP of a disk whose socket the lookup does not find. The disk is in a
 * container, so the socket is in another namespace, maybe behind address
 * translation, which keeps the server's address and port. Or the disk is
 * guarded and user space is restoring its connection: the socket gets
 * SOCK_MEMALLOC only after the negotiation.
 */
static enum ballast_class classify_match_peer(struct ballast_packet *packet,
					      __be16 sport)
{
	const struct ballast_pressure *p = &ballast_pressure;
	unsigned int i, nr = READ_ONCE(p->nr_peers);

	for (i = 0; i < nr; i++)
		if (ballast_peer_is(&p->peers[i], &packet->from, sport))
			return BALLAST_DISK;
	if (!READ_ONCE(p->guards) || !ballast_peers_has(&packet->from, sport))
		return classify_match_allow(packet);
	packet->budget = BALLAST_BUDGET_PEER;
	return BALLAST_BUDGETED;
}

static __be16 *classify_ports(struct ballast_packet *packet,
			      unsigned int offset, __be16 *buf)
{
	__be16 *ports =
		skb_header_pointer(packet->skb, offset, 2 * sizeof(*buf), buf);

	if (!ports)
		packet->why = BALLAST_DROP_MALFORMED;
	return ports;
}

/* Is @addr the next hop of a disk's packets? IPv4: as a mapped address. */
static bool classify_is_hop(const struct in6_addr *addr)
{
	const struct ballast_pressure *p = &ballast_pressure;
	unsigned int i, nr = READ_ONCE(p->nr_hops);

	for (i = 0; i < nr; i++)
		if (ipv6_addr_equal(&p->hops[i], addr))
			return true;
	return READ_ONCE(p->guards) && ballast_peers_has_hop(addr);
}

/*
 * Neighbor discovery. A disk's packets need what its next hop sends. The rest
 * has two budgets: one for unicast, one for broadcast and multicast.
 */
static enum ballast_class classify_neighbor(struct ballast_packet *packet)
{
	/* PACKET_OTHERHOST: maybe to a container's address. */
	if (packet->skb->pkt_type != PACKET_HOST &&
	    packet->skb->pkt_type != PACKET_OTHERHOST) {
		packet->budget = BALLAST_BUDGET_BROADCAST;
		return BALLAST_BUDGETED;
	}
	if (classify_is_hop(&packet->from))
		return BALLAST_DISK;
	packet->budget = BALLAST_BUDGET_NEIGHBOR;
	return BALLAST_BUDGETED;
}

/*
 * ARP that is broadcast for other machines is unrelated. The next hop may ask
 * for the address of a container.
 */
static enum ballast_class classify_arp(struct ballast_packet *packet)
{
	struct net *net = classify_arrival(packet).net;
	struct {
		struct arphdr header;
		u8 sender_mac[ETH_ALEN];
		__be32 sender;
		u8 target_mac[ETH_ALEN];
		__be32 target;
	} __packed buf, *arp;

	arp = skb_header_pointer(packet->skb, packet->network, sizeof(buf),
				 &buf);
	if (!arp || arp->header.ar_hln != ETH_ALEN ||
	    arp->header.ar_pln != sizeof(arp->target)) {
		packet->why = BALLAST_DROP_MALFORMED;
		return BALLAST_UNRELATED;
	}
	ipv6_addr_set_v4mapped(arp->sender, &packet->from);
	if (packet->skb->pkt_type != PACKET_HOST &&
	    !__ip_dev_find(net, arp->target, false) &&
	    !classify_is_hop(&packet->from))
		return BALLAST_UNRELATED;
	return classify_neighbor(packet);
}

/*
 * An ICMP error about a packet of a disk's socket. Its inner header is that
 * of the packet sent, so source and destination are exchanged.
 */
static enum ballast_class classify_icmp4(struct ballast_packet *packet)
{
	struct icmphdr icmp_buf, *icmp;
	struct iphdr inner_buf, *inner;
	unsigned int offset = packet->offset;
	__be16 buf[2], *ports;

	icmp = skb_header_pointer(packet->skb, offset, sizeof(icmp_buf),
				  &icmp_buf);
	if (!icmp || !icmp_is_err(icmp->type))
		return BALLAST_UNRELATED;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner || inner->ihl < 5 || inner->protocol != IPPROTO_TCP)
		return BALLAST_UNRELATED;
	ports = classify_ports(packet, offset + inner->ihl * 4, buf);
	if (!ports)
		return BALLAST_UNRELATED;
	return classify_match_tcp4(packet, inner->daddr, ports[1], inner->saddr,
				   ports[0]);
}

/* The same for IPv6; and neighbor discovery, which the link depends on. */
static enum ballast_class classify_icmp6(struct ballast_packet *packet)
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
		return BALLAST_UNRELATED;
	/* Router and neighbor discovery, redirects, multicast queries. */
	if ((icmp->icmp6_type >= NDISC_ROUTER_SOLICITATION &&
	     icmp->icmp6_type <= NDISC_REDIRECT) ||
	    icmp->icmp6_type == ICMPV6_MGM_QUERY)
		return classify_neighbor(packet);
	if (icmp->icmp6_type & ICMPV6_INFOMSG_MASK)
		return BALLAST_UNRELATED;
	offset += sizeof(*icmp);
	inner = skb_header_pointer(packet->skb, offset, sizeof(inner_buf),
				   &inner_buf);
	if (!inner)
		return BALLAST_UNRELATED;
	protocol = inner->nexthdr;
	inner_offset = ipv6_skip_exthdr(packet->skb, offset + sizeof(*inner),
					&protocol, &frag);
	if (inner_offset < 0 || protocol != IPPROTO_TCP)
		return BALLAST_UNRELATED;
	ports = classify_ports(packet, inner_offset, buf);
	if (!ports)
		return BALLAST_UNRELATED;
	return classify_match_tcp6(packet, &inner->daddr, ports[1],
				   &inner->saddr, ports[0]);
}

/*
 * Is this a tunnel's packet while a disk uses a tunnel? Its payload is not
 * inspected: the tunnel's own interface has a filter.
 */
static bool classify_is_tunnel(u8 protocol)
{
	if (!READ_ONCE(ballast_pressure.tunneled))
		return false;
	switch (protocol) {
	case IPPROTO_AH:
	case IPPROTO_COMP:
	case IPPROTO_ESP:
	case IPPROTO_GRE:
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
	case IPPROTO_MPLS:
	case CLASSIFY_L2TP:
		return true;
	default:
		return false;
	}
}

/*
 * Is @sk, from a lookup with a reference, a tunnel's: VXLAN, GENEVE,
 * WireGuard, ESP in UDP and others?
 */
static bool classify_is_tunnel_socket(struct sock *sk)
{
	bool encap = sk && READ_ONCE(udp_sk(sk)->encap_type);

	if (sk)
		sock_put(sk);
	return encap;
}

static enum ballast_class classify_udp4(struct ballast_packet *packet,
					const struct iphdr *ip)
{
	struct classify_arrival at;
	__be16 buf[2], *ports;

	if (!READ_ONCE(ballast_pressure.tunneled))
		return classify_match_allow(packet);
	ports = classify_ports(packet, packet->offset, buf);
	if (!ports)
		return BALLAST_UNRELATED;
	at = classify_arrival(packet);
	if (!COMPAT_HAS_UDP_LOOKUP ||
	    classify_is_tunnel_socket(udp4_lib_lookup(at.net, ip->saddr,
						      ports[0], ip->daddr,
						      ports[1], at.dif)))
		return BALLAST_DISK;
	return classify_match_allow(packet);
}

static enum ballast_class classify_udp6(struct ballast_packet *packet,
					const struct ipv6hdr *ip)
{
#if IS_ENABLED(CONFIG_IPV6)
	struct classify_arrival at;
	__be16 buf[2], *ports;

	if (!READ_ONCE(ballast_pressure.tunneled))
		return classify_match_allow(packet);
	ports = classify_ports(packet, packet->offset, buf);
	if (!ports)
		return BALLAST_UNRELATED;
	at = classify_arrival(packet);
	if (!COMPAT_HAS_UDP_LOOKUP ||
	    classify_is_tunnel_socket(udp6_lib_lookup(at.net, &ip->saddr,
						      ports[0], &ip->daddr,
						      ports[1], at.dif)))
		return BALLAST_DISK;
#endif
	return classify_match_allow(packet);
}

static enum ballast_class classify_ip4(struct ballast_packet *packet)
{
	struct iphdr buf, *ip;
	__be16 ports_buf[2], *ports;
	enum ballast_class class;

	ip = skb_header_pointer(packet->skb, packet->network, sizeof(buf),
				&buf);
	if (!ip || ip->ihl < 5 || ip->version != 4) {
		packet->why = BALLAST_DROP_MALFORMED;
		return BALLAST_UNRELATED;
	}
	if (classify_is_tunnel(ip->protocol))
		return BALLAST_DISK;
	if (ip_is_fragment(ip)) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return BALLAST_UNRELATED;
	}
	packet->protocol = ip->protocol;
	packet->offset = packet->network + ip->ihl * 4;
	ipv6_addr_set_v4mapped(ip->saddr, &packet->from);
	if (ip->protocol == IPPROTO_ICMP)
		return classify_icmp4(packet);
	if (ip->protocol == IPPROTO_UDP)
		return classify_udp4(packet, ip);
	if (ip->protocol != IPPROTO_TCP)
		return BALLAST_UNRELATED;

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = classify_ports(packet, packet->offset, ports_buf);
	if (!ports)
		return BALLAST_UNRELATED;
	class = classify_match_tcp4(packet, ip->saddr, ports[0], ip->daddr,
				    ports[1]);
	return class == BALLAST_DISK ? class :
				       classify_match_peer(packet, ports[0]);
}

static enum ballast_class classify_ip6(struct ballast_packet *packet)
{
	struct ipv6hdr buf, *ip;
	__be16 ports_buf[2], *ports, frag = 0;
	enum ballast_class class;
	int offset;

	ip = skb_header_pointer(packet->skb, packet->network, sizeof(buf),
				&buf);
	if (!ip || ip->version != 6) {
		packet->why = BALLAST_DROP_MALFORMED;
		return BALLAST_UNRELATED;
	}
	packet->protocol = ip->nexthdr;
	offset = ipv6_skip_exthdr(packet->skb, packet->network + sizeof(*ip),
				  &packet->protocol, &frag);
	if (offset < 0) {
		packet->why = BALLAST_DROP_MALFORMED;
		return BALLAST_UNRELATED;
	}
	if (classify_is_tunnel(packet->protocol))
		return BALLAST_DISK;
	/* A disk's packets are never fragmented, not even into one fragment. */
	if (frag) {
		packet->why = BALLAST_DROP_FRAGMENT;
		return BALLAST_UNRELATED;
	}
	packet->offset = offset;
	packet->from = ip->saddr;
	if (packet->protocol == IPPROTO_ICMPV6)
		return classify_icmp6(packet);
	if (packet->protocol == IPPROTO_UDP)
		return classify_udp6(packet, ip);
	if (packet->protocol != IPPROTO_TCP)
		return BALLAST_UNRELATED;

	packet->why = BALLAST_DROP_OTHER_SOCKET;
	ports = classify_ports(packet, packet->offset, ports_buf);
	if (!ports)
		return BALLAST_UNRELATED;
	class = classify_match_tcp6(packet, &ip->saddr, ports[0], &ip->daddr,
				    ports[1]);
	return class == BALLAST_DISK ? class :
				       classify_match_peer(packet, ports[0]);
}

/*
 * Skip VLAN tags in the data. The NIC or the stack has usually removed the
 * outermost. Return: the protocol after them
 */
static __be16 classify_skip_tags(struct ballast_packet *packet)
{
	__be16 protocol = packet->skb->protocol;
	struct vlan_hdr buf, *tag;

	while (eth_type_vlan(protocol) &&
	       packet->nr_tags < ARRAY_SIZE(packet->tags)) {
		tag = skb_header_pointer(packet->skb, packet->network,
					 sizeof(buf), &buf);
		if (!tag)
			break;
		packet->tags[packet->nr_tags].proto = protocol;
		packet->tags[packet->nr_tags++].tci = ntohs(tag->h_vlan_TCI);
		packet->network += sizeof(*tag);
		protocol = tag->h_vlan_encapsulated_proto;
	}
	return protocol;
}

/**
 * ballast_classify - classify a packet
 * @packet: its skb and why are set; the rest is filled in. It may get a
 *	    reference to a socket
 *
 * Context: Softirq, under rcu_read_lock().
 * Return: its class
 */
enum ballast_class ballast_classify(struct ballast_packet *packet)
{
	switch (classify_skip_tags(packet)) {
	case htons(ETH_P_IP):
		return classify_ip4(packet);
	case htons(ETH_P_IPV6):
		return classify_ip6(packet);
	case htons(ETH_P_ARP):
		return classify_arp(packet);
	/* The link depends on these. */
	case htons(ETH_P_SLOW): /* LACP */
	case htons(ETH_P_PAE): /* 802.1X */
	case htons(ETH_P_802_2): /* spanning tree */
		packet->budget = BALLAST_BUDGET_LINK;
		return BALLAST_BUDGETED;
	/* DSA: the switch port that the tag names has a filter. */
	case htons(ETH_P_XDSA):
		return BALLAST_DISK;
	/* MACsec, PPPoE, MPLS: the same as for a tunnel's IP packets. */
	default:
		return READ_ONCE(ballast_pressure.tunneled) ? BALLAST_DISK :
							      BALLAST_UNRELATED;
	}
}
