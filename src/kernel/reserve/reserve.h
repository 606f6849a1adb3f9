/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reserve of packet memory of an interface: a set of page blocks, the
 * filter that drops other traffic while they are needed, and the counters of
 * both. While a disk is attached or an interface guarded, every physical
 * interface has one. Those that carry no block I/O have only the filter, since
 * all interfaces share the memory.
 *
 * reserve.c makes, resizes and ends reserves, in process context; size.c
 * computes their size. blocks.c has the blocks. In softirq, pressure.c decides
 * whether reserves are in use, and lend.c when blocks go to the page allocator
 * and when they return. ingress.c is the filter: classify.c classifies packets
 * for it, and budget.c limits how many pass. netsysfs.c is the directory in
 * sysfs.
 */
#ifndef BALLAST_RESERVE_H
#define BALLAST_RESERVE_H

#include <linux/cache.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/netfilter.h>
#include <linux/spinlock.h>

#include "blocks.h"
#include "budget.h"
#include "pressure.h"

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
 * @before: times of the machine's state when the reserve was made
 * @grade_entry: in netsysfs.c's list of reserves whose grade can be polled
 * @grade_node: the file of the grade
 * @entry: in the registry
 * @tight_entry: in the list of the machine's state while there are @demands
 * @dev: the interface, referenced; NULL after it is gone. It is cleared a
 *	 grace period after the reserve has left the machine's state
 * @demands: the users' &struct ballast_demand; empty: the interface has a
 *	     filter, but no blocks
 * @fixed_pages: value written to size_pages, or BALLAST_RESERVE_AUTO
 * @fixed_packets: value written to packet_limit, or 0
 * @fixed_lend_below: value written to lend_below, or BALLAST_RESERVE_AUTO
 * @frame: size of a packet, link header included, in bytes
 * @ring: size of the driver's receive ring in packets; 0: unknown
 * @packets: number of packets that it is sized for, and that may hold memory
 *	     of the emergency reserves; 0 without @demands
 * @order: of a block, and of the allocations that headroom is computed for
 * @lend_below: headroom in pages; below it blocks are lent
 * @filter_below: headroom in pages; below it the reserve is in use while I/O
 *		  is in flight
 * @floor: headroom in pages; below it the reserve is in use without I/O in
 *	   flight, once all blocks are lent
 * @busy: number of users with requests in flight
 * @rx_at: when the last packet that was checked came in, in jiffies, as all
 *	   times below
 * @busy_since: when @busy last rose
 * @budget: of packets that are not for block I/O
 * @lock: spinlock, taken in softirq or with softirqs disabled; no lock but
 *	  the page allocator's and mempool's is taken under it
 * @blocks: the page blocks; NULL: the size is 0, or @dev is gone. The pointer
 *	    changes under both the mutex and @lock; either suffices to read it
 * @rescued_at: when the last rescue was
 * @lends: number of blocks lent, ever
 * @refills: number of blocks taken back, ever
 * @rescues: number of times that all blocks were lent because no packet came
 */
struct ballast_reserve {
	/* Constant while the reserve is in the registry. */
	struct kref ref;
	struct kobject kobj;
	struct nf_hook_ops hook;
	struct ballast_ingress_stats __percpu *stats;
	struct ballast_pressure_times before;
	struct list_head grade_entry;
	struct kernfs_node *grade_node;

	/* Under reserves_mutex (reserve.c). */
	struct list_head entry;
	struct list_head tight_entry;
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

	/*
	 * Written for requests: not in a cache line that packets read. Without
	 * a lock: READ_ONCE and WRITE_ONCE.
	 */
	atomic_t busy ____cacheline_aligned_in_smp;
	unsigned long rx_at;
	unsigned long busy_since;

	struct ballast_budget budget;

	/*
	 * Written under @lock. WRITE_ONCE for the three counters, which sysfs
	 * shows.
	 */
	spinlock_t lock;
	struct ballast_blocks *blocks;
	unsigned long rescued_at;
	u64 lends;
	u64 refills;
	u64 rescues;
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
ssize_t ballast_reserve_explain(struct ballast_reserve *res, char *buf);

/* The largest size that can be set, in pages, at any order of a block. */
static inline unsigned long ballast_reserve_max_pages(void)
{
	return min_t(unsigned long, totalram_pages() / 10, BALLAST_BLOCKS_MAX);
}

/* Why it is not larger, for a message. */
static inline const char *ballast_reserve_max_why(void)
{
	return ballast_reserve_max_pages() == BALLAST_BLOCKS_MAX ?
		       "the most that a reserve can have" :
		       "a tenth of memory";
}

#endif /* BALLAST_RESERVE_H */
