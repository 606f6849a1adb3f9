/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a packet is, as far as the filter is concerned.
 */
#ifndef BALLAST_CLASSIFY_H
#define BALLAST_CLASSIFY_H

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
 * struct ballast_packet - a packet while it is classified
 * @skb: the packet
 * @protocol: IPPROTO_ of the transport header
 * @offset: of the transport header
 * @sk: the disk's socket, referenced, if the packet is BALLAST_DISK
 * @budget: the budget, if the packet is BALLAST_BUDGETED
 * @why: the reason to count if the packet is dropped
 */
struct ballast_packet {
	struct sk_buff *skb;
	u8 protocol;
	unsigned int offset;
	struct sock *sk;
	enum ballast_budget_class budget;
	enum ballast_drop why;
};

enum ballast_class ballast_classify(struct ballast_packet *packet);

#endif /* BALLAST_CLASSIFY_H */
