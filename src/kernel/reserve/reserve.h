/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reserve of packet memory of an interface that carries block I/O: a set
 * of page blocks, the filter that drops other traffic while they are needed,
 * and the counters of both.
 *
 * reserve.c makes, resizes and ends reserves, in process context; size.c
 * computes their size. blocks.c has the blocks. lend.c decides in softirq
 * when blocks go to the page allocator, when they return, and whether the
 * reserve is in use. ingress.c is the filter. netsysfs.c is the directory in
 * sysfs.
 */
#ifndef BALLAST_RESERVE_H
#define BALLAST_RESERVE_H

#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "blocks.h"
#include "options.h"

struct ballast_demand;
struct ballast_ingress_stats;
struct net_device;

/**
 * struct ballast_reserve - the reserve of one interface
 * @ref: one reference of the registry while @dev is there, one of each user,
 *	 one of @kobj
 * @kobj: directory in sysfs
 * @hook: the filter; registered while @dev is there. Its priv is the reserve,
 *	  which is freed only a grace period after the hook is unregistered
 * @stats: counters of the filter, per CPU
 * @entry: in the registry
 * @dev: the interface, referenced; NULL after it is gone. It is set before
 *	 @timer can run and cleared after @timer is shut down, so the timer
 *	 reads it without a lock
 * @demands: what the users ask for, &struct ballast_demand
 * @fixed_pages: value written to size_pages, or BALLAST_RESERVE_AUTO
 * @fixed_packets: value written to packet_limit, or 0
 * @fixed_lend_below: value written to lend_below, or BALLAST_RESERVE_AUTO
 * @frame: size of a packet, link header included, in bytes
 * @ring: size of the driver's receive ring in packets; 0: unknown
 * @packets: number of packets that it is sized for
 * @order: of a block
 * @lend_below: headroom in pages; below it blocks are lent
 * @filter_below: headroom in pages; below it the reserve is in use while I/O
 *		  is in flight
 * @floor: headroom in pages; below it the reserve is in use without I/O in
 *	   flight, once all blocks are lent
 * @guards: number of users whose requests are not visible to the module
 * @filter: drop unrelated packets while in use
 * @nr_allow: number of entries in @allow
 * @allow: the union of the users'. The filter reads it without a lock; while
 *	   an entry is replaced, one packet may be misjudged
 * @busy: number of users with requests in flight
 * @ample: headroom was far above all marks when it was last computed
 * @pfmemalloc_at: when the last packet from the emergency reserves came in,
 *		   in jiffies, as all times below
 * @memalloc_at: when the last packet for block I/O came in
 * @rx_at: when the last packet came in
 * @io_at: when the last request in flight was answered
 * @busy_since: when @busy last rose
 * @lock: spinlock, taken in softirq or with softirqs disabled; no lock but
 *	  the page allocator's, mempool's and the timer's is taken under it
 * @blocks: the page blocks; NULL: the size is 0, or @dev is gone. The pointer
 *	    changes under both the mutex and @lock; either suffices to read it
 * @timer: updates the reserve every 4 ms while @busy, @in_use or blocks are
 *	   lent
 * @stopping: @timer must not be armed any more
 * @in_use: see the model in docs/how-it-works.md; read without @lock
 * @calm_since: when the last reason to be in use was seen
 * @used_since: when @in_use became true
 * @rescued_at: when the last rescue was
 * @in_use_ms: how long it was in use, in ms, without the present period
 * @activations: number of times that it came into use
 * @lends: number of blocks lent, ever
 * @refills: number of blocks taken back, ever
 * @rescues: number of times that all blocks were lent because no packet came
 * @budget_at: when the current window of the budget began
 * @budget_left: packets that may still pass in this window
 */
struct ballast_reserve {
	/* Constant while the reserve is in the registry. */
	struct kref ref;
	struct kobject kobj;
	struct nf_hook_ops hook;
	struct ballast_ingress_stats __percpu *stats;

	/* Under reserves_mutex (reserve.c). */
	struct list_head entry;
	struct net_device *dev;
	struct list_head demands;
	int fixed_pages;
	int fixed_packets;
	int fixed_lend_below;
	unsigned int frame;
	unsigned int ring;

	/* Written under reserves_mutex, read anywhere: READ_ONCE. */
	unsigned int packets;
	unsigned int order;
	long lend_below;
	long filter_below;
	long floor;
	unsigned int guards;
	bool filter;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOW];

	/* Written and read without a lock: READ_ONCE and WRITE_ONCE. */
	atomic_t busy;
	bool ample;
	unsigned long pfmemalloc_at;
	unsigned long memalloc_at;
	unsigned long rx_at;
	unsigned long io_at;
	unsigned long busy_since;

	/*
	 * Written under @lock. WRITE_ONCE for what is also read without it:
	 * @in_use and the four counters that sysfs shows.
	 */
	spinlock_t lock;
	struct ballast_blocks *blocks;
	struct timer_list timer;
	bool stopping;
	bool in_use;
	unsigned long calm_since;
	unsigned long used_since;
	unsigned long rescued_at;
	u64 in_use_ms;
	u64 activations;
	u64 lends;
	u64 refills;
	u64 rescues;
	unsigned long budget_at;
	unsigned int budget_left;
};

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

/* Is the reserve in use? Any context; the answer may be stale at once. */
static inline bool ballast_reserve_in_use(const struct ballast_reserve *res)
{
	return READ_ONCE(res->in_use);
}

/*
 * Are requests in flight, or were there any within the last tenth of a
 * second? On a machine that swaps, requests in flight drop to none for a
 * moment again and again. In such a moment a burst of packets could take all
 * the memory that the driver's next refill needs.
 */
#define BALLAST_BUSY		(HZ / 10)
static inline bool ballast_reserve_busy(const struct ballast_reserve *res)
{
	return atomic_read(&res->busy) ||
	       time_before(jiffies, READ_ONCE(res->io_at) + BALLAST_BUSY);
}

#endif /* BALLAST_RESERVE_H */
