// SPDX-License-Identifier: GPL-2.0
/*
 * Budgets of packets that are not for block I/O, in windows of a tenth of a
 * second.
 *
 * Packets that the link depends on, and those that allow= names, have a budget
 * in packets for each interface and class. One that GRO or the network card has
 * made of several counts as these.
 *
 * Unrelated packets share one budget in memory. A packet that a program reads
 * at once returns its memory; an unread one does not. So the budget compares
 * the growth of the memory that all sockets hold with the headroom. The growth
 * is taken from the least that they held in this window and the last one: the
 * socket of a fast stream is full at most moments, but its program empties it
 * in each window. While the growth is too large and I/O is in flight, the
 * machine stays tight: otherwise the flood would pass whenever swapping has
 * freed memory. For a moment the growth may be twice as large, since a flood
 * shows as growth one window later.
 *
 * In addition, a few packets of each flow pass. They keep a ping, an ssh
 * session, DHCP and a heartbeat alive during a flood, which has few flows of
 * many packets. While memory is critical for a moment, as when a machine begins
 * to swap, fewer of them pass, and only if socket memory has grown little.
 *
 * While the machine is calm, all packets pass. Reclaim may keep it calm as long
 * as there is page cache to drop, and sockets could take most of the memory. So
 * growth is also checked in the calm state, while I/O is in flight. A flood
 * makes the machine tight.
 */
#include "budget.h"

#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/tcp.h>
#include <net/udp.h>

#include "compat.h"
#include "pressure.h"

#define BUDGET_WINDOW		(HZ / 10)

/*
 * Packets of a class that pass in a window. The server of a guarded disk
 * negotiates with user space. An address in allow= may be another disk: 1 GbE
 * carries 8,000 packets of 1,500 bytes in a window, before GRO.
 */
static const unsigned int budget_packets[BALLAST_NR_BUDGETS] = {
	[BALLAST_BUDGET_LINK] = 64,
	[BALLAST_BUDGET_NEIGHBOR] = 64,
	[BALLAST_BUDGET_BROADCAST] = 64,
	[BALLAST_BUDGET_ALLOW] = 64,
	[BALLAST_BUDGET_PEER] = 256,
	[BALLAST_BUDGET_MACHINE] = 8192,
};

/* This many bits of their hash distinguish flows, in each window others. */
#define BUDGET_FLOW_BITS	8
/* Packets of each flow, and of all flows, that pass in addition. */
#define BUDGET_FLOW_PACKETS	2
#define BUDGET_FLOWS_PACKETS	64
/* Of all flows while memory is critical, and for how long from its start. */
#define BUDGET_CRITICAL_FLOWS	8
#define BUDGET_CRITICAL_TIME	(HZ / 2)
/* Socket memory is added up for one packet in 8, and in each jiffy. */
#define BUDGET_UNREAD_SKIPPED	7
/* Socket memory may grow by this share of the headroom. */
#define BUDGET_GROWTH_SHARE	4
/* The same for a moment: what a program reads within a window counts too. */
#define BUDGET_MOMENT_SHARE	2
/*
 * Growth is accepted slowly: in each window this share of the memory, a
 * thirtieth of it in a minute. If it were accepted faster, a flood would fill
 * the memory that swapping frees.
 */
#define BUDGET_ACCEPTED_SHARE	16384
/* After a pause of this length, all that sockets hold is accepted. */
#define BUDGET_PAUSE		(10 * HZ)
/*
 * In the calm state, growth of socket memory by the first share of the memory
 * is a flood. The second is accepted in each window, 15 % of the memory in a
 * minute, and all after a pause.
 */
#define BUDGET_CALM_SHARE	16
#define BUDGET_CALM_ACCEPTED	4096
#define BUDGET_CALM_PAUSE	HZ

/**
 * struct budget_unrelated - the budget of unrelated packets
 * @lock: spinlock, taken in softirq; none is taken under it
 * @since: when the current window began, in jiffies
 * @bytes: memory of the packets that have passed in this window
 * @flows_packets: packets that have passed on the allowance of their flow
 * @flows: the same, by a hash of the flow
 * @unread: pages that sockets of TCP and UDP hold, when last added up
 * @unread_at: when that was
 * @countdown: packets until they are added up again
 * @least: the smallest @unread of this window
 * @lasting: the smallest of this window and the one before it
 * @accepted: pages that sockets may hold before growth counts
 * @calm_at: when growth in the calm state was last checked
 * @calm_accepted: pages that sockets may hold before growth counts there
 */
static struct budget_unrelated {
	spinlock_t lock; /* taken in softirq */
	unsigned long since;
	unsigned long bytes;
	unsigned int flows_packets;
	u8 flows[1 << BUDGET_FLOW_BITS];
	long unread;
	unsigned long unread_at;
	unsigned int countdown;
	long least;
	long lasting;
	long accepted;
	unsigned long calm_at;
	long calm_accepted;
} unrelated = {
	.lock = __SPIN_LOCK_UNLOCKED(unrelated.lock),
};

/**
 * ballast_budget_init - prepare the budgets of an interface
 * @budget: no other context sees it yet
 *
 * Context: Any.
 */
void ballast_budget_init(struct ballast_budget *budget)
{
	spin_lock_init(&budget->lock);
	budget->since = jiffies - BUDGET_WINDOW;
}

/*
 * The packets that a machine has sent, of which GRO or the network card has made
 * this one. It may hold 17 pages.
 */
static unsigned int budget_packets_in(const struct sk_buff *skb)
{
	if (!skb_is_gso(skb))
		return 1;
	return DIV_ROUND_UP(skb->len, skb_shinfo(skb)->gso_size);
}

/**
 * ballast_budget_take - take a packet from a budget of an interface
 * @budget: of the interface
 * @class: of the packet
 * @skb: the packet; it counts as those that it was made of
 *
 * Context: Softirq. Takes the lock of the budget.
 * Return: false: the budget is used up
 */
bool ballast_budget_take(struct ballast_budget *budget,
			 enum ballast_budget_class class,
			 const struct sk_buff *skb)
{
	bool taken;

	spin_lock(&budget->lock);
	if (!ballast_within(budget->since, BUDGET_WINDOW)) {
		budget->since = jiffies;
		memset(budget->taken, 0, sizeof(budget->taken));
	}
	taken = budget->taken[class] < budget_packets[class];
	if (taken)
		budget->taken[class] += budget_packets_in(skb);
	spin_unlock(&budget->lock);
	return taken;
}

/* The pages that the sockets hold. */
static long budget_count(void)
{
	return compat_proto_pages(&tcp_prot) + compat_proto_pages(&udp_prot);
}

/* Add up socket memory, for some packets only: it reads per-CPU counters. */
static void budget_add_up(struct budget_unrelated *budget,
			  const struct sk_buff *skb) __must_hold(&budget->lock)
{
	unsigned int packets = budget_packets_in(skb);

	lockdep_assert_held(&budget->lock);
	if (budget->unread_at == jiffies && budget->countdown >= packets) {
		budget->countdown -= packets;
		return;
	}
	budget->unread = budget_count();
	budget->unread_at = jiffies;
	budget->countdown = BUDGET_UNREAD_SKIPPED;
	budget->least = min(budget->least, budget->unread);
	budget->lasting = min(budget->lasting, budget->unread);
}

/*
 * The pages that sockets may hold in the next window before growth counts:
 * those of the last one, and a share of the memory for each window since
 * @since. All that they hold if that is longer ago than @pause.
 */
static long budget_accept(long accepted, long held, unsigned long share,
			  unsigned long since, unsigned long pause)
{
	unsigned long windows = (jiffies - since) / BUDGET_WINDOW;

	if (!ballast_within(since, pause))
		return held;
	return min_t(long, held,
		     accepted + windows * (1 + totalram_pages() / share));
}

static void budget_open_window(struct budget_unrelated *budget)
	__must_hold(&budget->lock)
{
	lockdep_assert_held(&budget->lock);
	budget->lasting = ballast_within(budget->since, 2 * BUDGET_WINDOW) ?
				  budget->least :
				  budget->unread;
	budget->least = budget->unread;
	budget->accepted = budget_accept(budget->accepted, budget->lasting,
					 BUDGET_ACCEPTED_SHARE, budget->since,
					 BUDGET_PAUSE);
	budget->since = jiffies;
	budget->bytes = 0;
	budget->flows_packets = 0;
	memset(budget->flows, 0, sizeof(budget->flows));
}

/*
 * The growth of socket memory, in pages, without what is read within a window.
 * Records a flood, which keeps the machine tight, if the growth would be too
 * large even with headroom restored.
 */
static long budget_growth(const struct budget_unrelated *budget, long headroom)
	__must_hold(&budget->lock)
{
	struct ballast_pressure *p = &ballast_pressure;
	long growth = budget->lasting - budget->accepted;

	lockdep_assert_held(&budget->lock);
	headroom = max(headroom, READ_ONCE(p->enough));
	if (growth > headroom / BUDGET_GROWTH_SHARE &&
	    READ_ONCE(p->flood_at) != jiffies)
		WRITE_ONCE(p->flood_at, jiffies);
	return growth;
}

/* Does the memory budget have room for a packet? */
static bool budget_has_room(const struct budget_unrelated *budget, long growth,
			    long headroom) __must_hold(&budget->lock)
{
	lockdep_assert_held(&budget->lock);
	return growth <= headroom / BUDGET_GROWTH_SHARE &&
	       budget->unread - budget->accepted <=
		       headroom / BUDGET_MOMENT_SHARE &&
	       (headroom >= READ_ONCE(ballast_pressure.enough) ||
		budget->bytes >> PAGE_SHIFT < headroom / 2);
}

/*
 * Take a packet from the allowance of its flow. @most: of all flows. A flow that
 * shares its counter with a flood gets nothing. The hash of each window is
 * another, so that this does not last: a connection sends again in a later
 * window.
 */
static bool budget_take_flow(struct budget_unrelated *budget,
			     struct sk_buff *skb, unsigned int most)
	__must_hold(&budget->lock)
{
	u32 hash = jhash_1word(skb_get_hash(skb), budget->since);
	u8 *flow = &budget->flows[hash >> (32 - BUDGET_FLOW_BITS)];
	unsigned int packets = budget_packets_in(skb);

	lockdep_assert_held(&budget->lock);
	if (*flow + packets > BUDGET_FLOW_PACKETS ||
	    budget->flows_packets + packets > most)
		return false;
	*flow += packets;
	budget->flows_packets += packets;
	return true;
}

/* Has memory been critical for so long that no unrelated packet may pass? */
static bool budget_is_closed(enum ballast_grade grade)
{
	return grade == BALLAST_CRITICAL &&
	       time_after(jiffies, READ_ONCE(ballast_pressure.critical_since) +
					   BUDGET_CRITICAL_TIME);
}

/*
 * While memory is critical, headroom may be near 0, and a quarter of it less
 * than any socket holds. So growth is compared with the mark at which lending
 * begins.
 */
static bool budget_take(struct budget_unrelated *budget, struct sk_buff *skb,
			enum ballast_grade grade) __must_hold(&budget->lock)
{
	long headroom = READ_ONCE(ballast_pressure.headroom);
	long growth = budget_growth(budget, headroom);

	lockdep_assert_held(&budget->lock);
	if (grade == BALLAST_CRITICAL)
		return growth <= READ_ONCE(ballast_pressure.enough) &&
		       budget_take_flow(budget, skb, BUDGET_CRITICAL_FLOWS);
	return budget_take_flow(budget, skb, BUDGET_FLOWS_PACKETS) ||
	       (budget_has_room(budget, growth, headroom) &&
		!skb_pfmemalloc(skb));
}

/**
 * ballast_budget_take_unrelated - may an unrelated packet pass?
 * @skb: the packet. If it holds memory from the emergency reserves, it passes
 *	 only on the allowance of its flow
 *
 * Context: Softirq. Takes the lock of the budget.
 * Return: true: it passes, and its memory is taken from the budget
 */
bool ballast_budget_take_unrelated(struct sk_buff *skb)
{
	enum ballast_grade grade = ballast_pressure_grade();
	struct budget_unrelated *budget = &unrelated;
	bool taken;

	if (budget_is_closed(grade))
		return false;
	spin_lock(&budget->lock);
	budget_add_up(budget, skb);
	if (!ballast_within(budget->since, BUDGET_WINDOW))
		budget_open_window(budget);
	taken = budget_take(budget, skb, grade);
	if (taken)
		budget->bytes += skb->truesize;
	spin_unlock(&budget->lock);
	return taken;
}

/**
 * ballast_budget_watch - detect a flood in the calm state
 *
 * Records a flood once and accepts its growth: the machine becomes tight, and
 * then the budget limits the flood.
 *
 * Context: Softirq, while reclaim may wait for the network. Takes the lock of
 * the budget.
 */
void ballast_budget_watch(void)
{
	struct budget_unrelated *budget = &unrelated;
	long held, accepted;

	if (ballast_within(READ_ONCE(budget->calm_at), BUDGET_WINDOW))
		return;
	held = budget_count();
	spin_lock(&budget->lock);
	accepted = budget_accept(budget->calm_accepted, held,
				 BUDGET_CALM_ACCEPTED, budget->calm_at,
				 BUDGET_CALM_PAUSE);
	if (held - accepted > (long)(totalram_pages() / BUDGET_CALM_SHARE)) {
		WRITE_ONCE(ballast_pressure.flood_at, jiffies);
		accepted = held;
	}
	budget->calm_accepted = accepted;
	WRITE_ONCE(budget->calm_at, jiffies);
	spin_unlock(&budget->lock);
}
