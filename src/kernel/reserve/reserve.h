/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reserve of packet memory that an interface has while it carries block
 * I/O: a pool of page blocks, the filter that keeps other traffic off it,
 * and the figures of both.
 *
 * reserve.c makes and ends reserves and sizes them, in process context.
 * lend.c decides, in softirq, when blocks go to the page allocator, when
 * they come back, and whether the reserve is in use. ingress.c is the
 * filter. netsysfs.c shows it all.
 */
#ifndef BALLAST_RESERVE_H
#define BALLAST_RESERVE_H

#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "options.h"

/* Why a packet was dropped while the reserve was in use. */
enum ballast_drop {
	BALLAST_DROP_OTHER_SOCKET,	/* TCP that is not for block I/O */
	BALLAST_DROP_PROTOCOL,		/* UDP, ICMP and others */
	BALLAST_DROP_FRAGMENT,		/* can't be matched to a socket */
	BALLAST_DROP_BUDGET,		/* allowed, but too many of them */
	BALLAST_DROP_MALFORMED,
	BALLAST_NR_DROPS
};

/**
 * struct ballast_demand - what one user of an interface asks of its reserve
 * @entry: in &ballast_reserve.demands
 * @requests: that it can have in flight
 * @pages: the reserve's size where the administrator gave one, else
 *	   BALLAST_RESERVE_AUTO
 * @filter: other traffic is to be dropped while the reserve is in use
 * @guard: its requests are not seen; the packets of its sockets tell
 * @nr_allow: entries in @allow
 * @allow: what the administrator lets pass
 */
struct ballast_demand {
	struct list_head entry;
	unsigned int requests;
	int pages;
	bool filter;
	bool guard;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOW];
};

/* Packets that the filter saw while the reserve was in use. */
struct ballast_reserve_stats {
	u32 seen;	/* at any time; only to look at every so manyth */
	u64 kept;
	u64 allowed;
	u64 dropped_bytes;
	u64 dropped[BALLAST_NR_DROPS];
};

/**
 * struct ballast_blocks - a pool of page blocks
 * @pool: of them
 * @order: of each
 * @node: memory node that they come from
 */
struct ballast_blocks {
	mempool_t pool;
	unsigned int order;
	int node;
};

/**
 * struct ballast_reserve - of one interface
 * @ref: one for the registry while @dev is there, one for each user
 * @entry: in the registry
 * @dev: the interface, held; NULL when it is gone
 * @demands: what its users ask for; under the registry's mutex
 * @fixed_pages: written to size_pages, or BALLAST_RESERVE_AUTO
 * @fixed_packets: written to packet_limit, or 0
 * @fixed_lend_below: written to lend_below, or BALLAST_RESERVE_AUTO
 * @packets: the packets it is sized for
 * @frame: the size of a packet, bytes
 * @order: of a block
 * @blocks: the pool; NULL: the size is 0, or @dev is gone. As many blocks
 *	    are lent as it lacks.
 * @ring: the driver's receive ring, packets; 0: unknown
 * @lend_below: headroom, in pages, under which blocks are lent
 * @filter_below: headroom under which it is in use while I/O is in flight
 * @floor: headroom under which it is in use with nothing in flight, once all
 *	   blocks are lent
 * @busy: users with requests in flight
 * @guards: users whose requests are not seen
 * @filter: drop other traffic while in use
 * @ample: headroom was far over all this when it was looked at last
 * @in_use: see the model in docs/how-it-works.md
 * @stopping: @timer is not armed any more
 * @lock: guards what follows, and @blocks; taken in softirq and
 *	  with softirqs off; a leaf but for the page allocator's locks
 * @timer: looks after the reserve while @busy, @in_use or blocks are lent
 * @calm_since: jiffies; since when nothing calls for being in use
 * @pfmemalloc_at: jiffies; when a packet from the emergency reserves came
 * @memalloc_at: jiffies; when a packet for block I/O came last
 * @rx_at: jiffies; when any packet came last
 * @io_at: jiffies; when the last request in flight was answered
 * @busy_since: jiffies; when requests came in flight
 * @rescued_at: jiffies; when the last rescue was
 * @used_since: jiffies; when @in_use became true
 * @in_use_ms: how long it was in use, without the present time
 * @activations: how often it came in use
 * @lends: blocks lent, ever
 * @refills: blocks taken back, ever
 * @rescues: how often all was lent since no packet came any more
 * @budget_at: jiffies; the window of @budget_left
 * @budget_left: packets that may pass beside block I/O in this window
 * @nr_allow: entries in @allow
 * @allow: union of the users'
 * @hook: the filter, registered while @dev is there
 * @stats: per CPU
 * @kobj: its directory in sysfs
 */
struct ballast_reserve {
	struct kref ref;
	struct list_head entry;
	struct net_device *dev;
	struct list_head demands;
	int fixed_pages;
	int fixed_packets;
	int fixed_lend_below;
	unsigned int packets;
	unsigned int frame;
	unsigned int order;
	struct ballast_blocks *blocks;
	unsigned int ring;
	long lend_below;
	long filter_below;
	long floor;
	atomic_t busy;
	unsigned int guards;
	bool filter;
	bool ample;
	bool in_use;
	bool stopping;

	spinlock_t lock;
	struct timer_list timer;
	unsigned long calm_since;
	unsigned long pfmemalloc_at;
	unsigned long memalloc_at;
	unsigned long rx_at;
	unsigned long io_at;
	unsigned long busy_since;
	unsigned long rescued_at;
	unsigned long used_since;
	u64 in_use_ms;
	u64 activations;
	u64 lends;
	u64 refills;
	u64 rescues;
	unsigned long budget_at;
	unsigned int budget_left;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOW];

	struct nf_hook_ops hook;
	struct ballast_reserve_stats __percpu *stats;
	struct kobject kobj;
};

/* reserve.c: process context */
int ballast_reserve_init(void);
void ballast_reserve_exit(void);
struct ballast_reserve *ballast_reserve_get(struct net_device *dev,
					    struct ballast_demand *demand);
void ballast_reserve_put(struct ballast_reserve *res,
			 struct ballast_demand *demand);
int ballast_reserve_fill(struct ballast_reserve *res);
void ballast_reserve_unref(struct ballast_reserve *res);
unsigned int ballast_reserve_generation(void);
int ballast_reserve_set_pages(struct ballast_reserve *res, int pages);
int ballast_reserve_set_packets(struct ballast_reserve *res, int packets);
int ballast_reserve_set_lend_below(struct ballast_reserve *res, int pages);
unsigned long ballast_reserve_max_pages(void);
ssize_t ballast_reserve_explain(struct ballast_reserve *res, char *buf);

/* lend.c: softirq, or softirqs off, unless said otherwise */
void ballast_lend_start(struct ballast_reserve *res);
void ballast_lend_stop(struct ballast_reserve *res);
void ballast_lend_io_begin(struct ballast_reserve *res);
void ballast_lend_io_end(struct ballast_reserve *res);
bool ballast_lend_check(struct ballast_reserve *res);
u64 ballast_lend_in_use_ms(struct ballast_reserve *res);

/* ingress.c */
unsigned int ballast_ingress_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);

/* netsysfs.c: process context */
int ballast_netsysfs_add(struct ballast_reserve *res);
void ballast_netsysfs_remove(struct ballast_reserve *res);

/*
 * Are requests in flight, or were just now? A machine that swaps has none for
 * a moment again and again, and in such a moment a burst of packets takes all
 * that the next refill would need.
 */
#define BALLAST_BUSY		(HZ / 10)
static inline bool ballast_reserve_busy(const struct ballast_reserve *res)
{
	return atomic_read(&res->busy) ||
	       time_before(jiffies, READ_ONCE(res->io_at) + BALLAST_BUSY);
}

/* Blocks that are with the page allocator; under the lock, or as a hint. */
static inline unsigned int ballast_reserve_lent(const struct ballast_reserve *res)
{
	const struct ballast_blocks *blocks = res->blocks;

	return blocks ? blocks->pool.min_nr - blocks->pool.curr_nr : 0;
}

#endif /* BALLAST_RESERVE_H */
