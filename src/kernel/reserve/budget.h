/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Budgets of packets that pass the filter although they are not for block I/O.
 */
#ifndef BALLAST_BUDGET_H
#define BALLAST_BUDGET_H

#include <linux/spinlock.h>
#include <linux/types.h>

struct sk_buff;

/* Classes of packets with a budget of their own on each interface. */
enum ballast_budget_class {
	BALLAST_BUDGET_LINK, /* LACP, 802.1X, spanning tree */
	BALLAST_BUDGET_NEIGHBOR, /* ARP and neighbor discovery */
	BALLAST_BUDGET_BROADCAST, /* the same, sent to many */
	BALLAST_BUDGET_ALLOW, /* allow= */
	BALLAST_BUDGET_PEER, /* TCP from the server of a guarded disk */
	BALLAST_BUDGET_MACHINE, /* allow= with an address: maybe a disk's */
	BALLAST_NR_BUDGETS
};

/**
 * struct ballast_budget - the budgets of an interface
 * @lock: spinlock, taken in softirq; none is taken under it
 * @since: when the current window began, in jiffies
 * @taken: packets that have passed in this window, by class
 */
struct ballast_budget {
	spinlock_t lock;
	unsigned long since;
	unsigned int taken[BALLAST_NR_BUDGETS];
};

void ballast_budget_init(struct ballast_budget *budget);
bool ballast_budget_take(struct ballast_budget *budget,
			 enum ballast_budget_class class,
			 const struct sk_buff *skb);
bool ballast_budget_take_unrelated(struct sk_buff *skb);
void ballast_budget_watch(void);

#endif /* BALLAST_BUDGET_H */
