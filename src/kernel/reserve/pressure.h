/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How short of memory for packets the machine is. All interfaces share the
 * memory, so they share one state: calm, tight or critical. Each interface has
 * its own reserve.
 */
#ifndef BALLAST_PRESSURE_H
#define BALLAST_PRESSURE_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/in6.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include "demand.h"

/* Entries of allow=, next hops and peers, of all disks together. */
#define BALLAST_MAX_ALLOWED	64
#define BALLAST_MAX_HOPS	16
#define BALLAST_MAX_PEERS	16

struct ballast_reserve;

/**
 * enum ballast_grade - how short of memory for packets the machine is
 * @BALLAST_CALM: all packets pass
 * @BALLAST_TIGHT: unrelated packets pass within a budget of memory. Reserves
 *	are in use
 * @BALLAST_CRITICAL: unrelated packets are dropped, except very few in the
 *	first half second
 */
enum ballast_grade {
	BALLAST_CALM,
	BALLAST_TIGHT,
	BALLAST_CRITICAL,
};

/**
 * struct ballast_pressure - the state of the machine
 * @guards: number of demands whose requests are not visible to the module
 * @filter: drop unrelated packets
 * @tunneled: packets of tunnels pass
 * @nr_allow: number of entries in @allow
 * @allow: the union of all demands'. The filter reads it without a lock; while
 *	   an entry is replaced, one packet may be misclassified
 * @nr_hops: number of entries in @hops
 * @hops: the next hops of the disks' packets; read like @allow
 * @nr_peers: number of entries in @peers
 * @peers: the servers of disks whose sockets can't be found; read like @allow
 * @ample: headroom was far above all marks when it was last computed
 * @grade: read without @lock
 * @ample_at: the jiffy in which headroom was last computed, if @ample and calm;
 *	      else an earlier one. All times below are in jiffies, too
 * @pfmemalloc_at: when the last packet from the emergency reserves came in
 * @flood_at: when socket memory was last found to have grown too much
 * @busy: number of users with requests in flight
 * @memalloc_at: when the last packet for block I/O came in. In the calm state,
 *		 only with @guards, from a sample of the packets
 * @io_at: when the last request in flight was answered
 * @lock: spinlock, taken in softirq or with softirqs disabled. Only a
 *	  reserve's lock and the timer's are taken under it
 * @reserves: those that have a demand; RCU, changed under reserves_mutex
 * @timer: looks every 4 ms while reclaim may wait for the network, the machine
 *	   is not calm, or blocks are lent
 * @stopping: @timer must not be armed any more
 * @headroom: when last computed, in pages; of the reserve with the least
 * @enough: headroom at which the rate of unrelated packets is not limited, in
 *	    pages; of the same reserve
 * @stall_of: @memalloc_at of the packet that the next two fields belong to
 * @stall_writeback: pages under writeback PRESSURE_SETTLED after that packet
 * @stall_written: pages ever written at that time
 * @reason_at: when a reason for the current grade was last seen
 * @tight_since: when the machine was last calm
 * @critical_since: when @grade became critical; read without @lock
 * @in_use_ms: how long the machine was not calm, without the current period
 * @critical_ms: how long it was critical, without the current period
 * @activations: number of times that it left the calm state
 */
struct ballast_pressure {
	/* Written under reserves_mutex (reserve.c), read anywhere. */
	unsigned int guards;
	bool filter;
	bool tunneled;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOWED];
	unsigned int nr_hops;
	struct in6_addr hops[BALLAST_MAX_HOPS];
	unsigned int nr_peers;
	struct ballast_peer peers[BALLAST_MAX_PEERS];

	/*
	 * Read for each packet and each request, and seldom written. Without a
	 * lock, except that @grade is written under @lock.
	 */
	bool ample ____cacheline_aligned_in_smp;
	enum ballast_grade grade;
	unsigned long ample_at;
	unsigned long pfmemalloc_at;
	unsigned long flood_at;

	/* Written for requests and for a disk's packets, without a lock. */
	atomic_t busy ____cacheline_aligned_in_smp;
	unsigned long memalloc_at;
	unsigned long io_at;

	/* Written under @lock; WRITE_ONCE for what is read without it. */
	spinlock_t lock ____cacheline_aligned_in_smp;
	struct list_head reserves;
	struct timer_list timer;
	bool stopping;
	long headroom;
	long enough;
	unsigned long stall_of;
	unsigned long stall_writeback;
	unsigned long stall_written;
	unsigned long reason_at;
	unsigned long tight_since;
	unsigned long critical_since;
	u64 in_use_ms;
	u64 critical_ms;
	u64 activations;
};

/**
 * struct ballast_pressure_times - totals since the module was loaded
 * @in_use_ms: how long the machine was not calm, in milliseconds
 * @critical_ms: how long it was critical, in milliseconds
 * @activations: number of times that it left the calm state
 */
struct ballast_pressure_times {
	u64 in_use_ms;
	u64 critical_ms;
	u64 activations;
};

extern struct ballast_pressure ballast_pressure;

void ballast_pressure_init(void);
void ballast_pressure_exit(void);
void ballast_pressure_add(struct ballast_reserve *res);
void ballast_pressure_remove(struct ballast_reserve *res);
void ballast_pressure_io_begin(struct ballast_reserve *res);
void ballast_pressure_io_end(struct ballast_reserve *res);
void ballast_pressure_notice(void);
void ballast_pressure_update(void);
struct ballast_pressure_times ballast_pressure_times(void);

static inline enum ballast_grade ballast_pressure_grade(void)
{
	return READ_ONCE(ballast_pressure.grade);
}

/* Are the reserves in use? Any context; the answer may be stale at once. */
static inline bool ballast_pressure_in_use(void)
{
	return ballast_pressure_grade() != BALLAST_CALM;
}

/*
 * Was the machine calm, and headroom far above all marks, within this jiffy?
 * Then it still is: hardly anything but packets can take the memory below the
 * min watermarks.
 */
static inline bool ballast_pressure_ample(void)
{
	return READ_ONCE(ballast_pressure.ample_at) == jiffies;
}

/*
 * Is it less than @span jiffies ago? Not time_before(), which says yes for 99
 * days of each 198 on 32-bit machines. Another processor may have set @at to the
 * next jiffy already.
 */
static inline bool ballast_within(unsigned long at, unsigned long span)
{
	return jiffies - at + 1 <= span;
}

/*
 * Are requests in flight, or were there any within the last tenth of a
 * second? On a machine that swaps, requests in flight drop to none for a
 * moment again and again. In such a moment a burst of packets could take all
 * the memory that the driver's next refill needs.
 */
#define BALLAST_BUSY		(HZ / 10)
static inline bool ballast_pressure_busy(void)
{
	return atomic_read(&ballast_pressure.busy) ||
	       ballast_within(READ_ONCE(ballast_pressure.io_at), BALLAST_BUSY);
}

#endif /* BALLAST_PRESSURE_H */
