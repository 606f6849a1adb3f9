/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The classes of packets that the filter distinguishes.
 */
#ifndef BALLAST_CLASSIFY_H
#define BALLAST_CLASSIFY_H

#include <linux/in6.h>
#include <linux/types.h>

#include "budget.h"
#include "ingress.h"

struct sk_buff;
struct sock;

enum ballast_class {
	BALLAST_UNRELATED,
	BALLAST_DISK, /* for block I/O: passes */
	BALLAST_BUDGETED, /* passes within a budget */
};

/**
 * struct ballast_tag - a VLAN tag in a packet's data
 * @proto: ETH_P_8021Q or ETH_P_8021AD
 * @tci: VLAN and priority
 */
struct ballast_tag {
	__be16 proto;
	u16 tci;
};

/**
 * struct ballast_packet - a packet while it is classified
 * @skb: the packet
 * @nr_tags: number of entries in @tags
 * @tags: VLAN tags that are still in the data, the outermost first
 * @network: offset of the network header
 * @from: source address, IPv4 as a mapped address
 * @protocol: IPPROTO_ of the transport header
 * @offset: of the transport header
 * @sk: the disk's socket, referenced, if the packet is BALLAST_DISK; NULL: it
 *	is not known
 * @budget: the budget, if the packet is BALLAST_BUDGETED
 * @why: the reason to count if the packet is dropped
 */
struct ballast_packet {
	struct sk_buff *skb;
	unsigned int nr_tags;
	struct ballast_tag tags[2];
	unsigned int network;
	struct in6_addr from;
	u8 protocol;
	unsigned int offset;
	struct sock *sk;
	enum ballast_budget_class budget;
	enum ballast_drop why;
};

enum ballast_class ballast_classify(struct ballast_packet *packet);

#endif /* BALLAST_CLASSIFY_H */
