// SPDX-License-Identifier: GPL-2.0
/*
 * The state of the machine, see pressure.h: when it changes, and its timer.
 *
 * It must change before a driver's refill fails. So headroom is computed where
 * memory is used up: for packets that come in, for requests that are sent, and
 * from a timer while requests are in flight.
 *
 * All of it runs in softirq or with softirqs disabled, and never waits, unless
 * a function says otherwise.
 */
#include "pressure.h"

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/vmstat.h>

#include "budget.h"
#include "compat.h"
#include "headroom.h"
#include "lend.h"
#include "netsysfs.h"
#include "reserve.h"

/* Headroom of this many times the mark is ample. */
#define PRESSURE_AMPLE		4
/* A grade falls after there was no reason for it for this long. */
#define PRESSURE_STAY		(HZ / 10)
/*
 * A packet from the emergency reserves, or a flood, is a reason for longer.
 * Otherwise a stream into a socket that no process reads would pass between two
 * bursts of swapping, and take the memory that swapping frees.
 */
#define PRESSURE_REASON		HZ
#define PRESSURE_RECENT		HZ
/* The kernel's counters of pages are up to date after two seconds. */
#define PRESSURE_SETTLED	(3 * HZ)
#define PRESSURE_TICK		max(HZ / 250, 1)

struct ballast_pressure ballast_pressure;

/* Has no packet of another driver's disk come in for PRESSURE_SETTLED? */
static bool pressure_is_silent(const struct ballast_pressure *p)
{
	return !ballast_within(READ_ONCE(p->memalloc_at), PRESSURE_SETTLED);
}

/*
 * The disk of another driver is silent. Are its requests unanswered, or are
 * there none? Only pages under writeback, to all disks of the machine, are
 * visible. Those that were under writeback when the disk fell silent may be
 * its own, until as many have been written: then other disks wrote them, and
 * reclaim makes progress without the network.
 */
static bool pressure_is_stalled(struct ballast_pressure *p)
	__must_hold(&p->lock)
{
	unsigned long at = READ_ONCE(p->memalloc_at);
	unsigned long writeback = global_node_page_state(NR_WRITEBACK);
	unsigned long written = global_node_page_state(NR_WRITTEN);

	lockdep_assert_held(&p->lock);
	if (p->stall_of != at) {
		if (!pressure_is_silent(p))
			return writeback;
		WRITE_ONCE(p->stall_of, at);
		p->stall_writeback = writeback;
		p->stall_written = written;
	}
	return writeback && written - p->stall_written < p->stall_writeback;
}

/* Does reclaim depend on the network? */
static bool pressure_hangs(struct ballast_pressure *p) __must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);
	if (ballast_pressure_busy())
		return true;
	/* Guards: another driver's packets are visible, its requests not. */
	return READ_ONCE(p->guards) &&
	       (ballast_within(READ_ONCE(p->memalloc_at), PRESSURE_RECENT) ||
		pressure_is_stalled(p));
}

/* Must the state be updated even if memory is ample? */
static bool pressure_must_judge(const struct ballast_pressure *p)
{
	return ballast_pressure_in_use() ||
	       (READ_ONCE(p->guards) &&
		READ_ONCE(p->stall_of) != READ_ONCE(p->memalloc_at) &&
		pressure_is_silent(p));
}

/* Was there a recent reason to be tight besides headroom? */
static bool pressure_saw_reason(const struct ballast_pressure *p)
{
	return ballast_within(READ_ONCE(p->pfmemalloc_at), PRESSURE_REASON) ||
	       ballast_within(READ_ONCE(p->flood_at), PRESSURE_REASON);
}

static void pressure_arm(struct ballast_pressure *p) __must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);
	if (!p->stopping && !timer_pending(&p->timer))
		mod_timer(&p->timer, jiffies + PRESSURE_TICK);
}

/* Change the grade; count and time the change. */
static void pressure_set_grade(struct ballast_pressure *p,
			       enum ballast_grade grade) __must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);
	if (p->grade == BALLAST_CALM) {
		WRITE_ONCE(p->activations, p->activations + 1);
		p->tight_since = jiffies;
	}
	if (p->grade == BALLAST_CRITICAL)
		p->critical_ms += jiffies_to_msecs(jiffies - p->critical_since);
	if (grade == BALLAST_CRITICAL)
		WRITE_ONCE(p->critical_since, jiffies);
	if (grade == BALLAST_CALM)
		p->in_use_ms += jiffies_to_msecs(jiffies - p->tight_since);
	WRITE_ONCE(p->grade, grade);
	p->reason_at = jiffies;
	ballast_netsysfs_notify();
}

/* Rise at once; fall by one grade, PRESSURE_STAY after the last reason. */
static void pressure_follow(struct ballast_pressure *p,
			    enum ballast_grade called_for) __must_hold(&p->lock)
{
	lockdep_assert_held(&p->lock);
	if (called_for > p->grade)
		pressure_set_grade(p, called_for);
	else if (called_for == p->grade)
		p->reason_at = jiffies;
	else if (time_after(jiffies, p->reason_at + PRESSURE_STAY))
		pressure_set_grade(p, p->grade - 1);
}

/* Publish whether headroom, just computed, is ample for all reserves. */
static void pressure_note(struct ballast_pressure *p, bool ample)
{
	unsigned long at = jiffies;

	if (READ_ONCE(p->ample) != ample)
		WRITE_ONCE(p->ample, ample);
	if (!ample || ballast_pressure_in_use())
		at--;
	if (READ_ONCE(p->ample_at) != at)
		WRITE_ONCE(p->ample_at, at);
}

static bool pressure_is_ample(const struct ballast_reserve *res, long headroom)
{
	return headroom >= PRESSURE_AMPLE * READ_ONCE(res->filter_below);
}

/*
 * Lend where headroom is low, and update the state. Return: whether reclaim
 * depends on the network
 */
static bool pressure_judge(struct ballast_pressure *p) __must_hold(&p->lock)
{
	struct ballast_lend_view view = {
		.hangs = pressure_hangs(p),
		.grade = p->grade,
	};
	enum ballast_grade called_for = BALLAST_CALM;
	long least = LONG_MAX, enough = 0;
	struct ballast_reserve *res;
	bool ample = true;

	lockdep_assert_held(&p->lock);
	list_for_each_entry_rcu(res, &p->reserves, tight_entry) {
		enum ballast_grade grade = ballast_lend(res, &view);

		called_for = max(called_for, grade);
		ample &= pressure_is_ample(res, view.headroom);
		if (view.headroom < least) {
			least = view.headroom;
			enough = READ_ONCE(res->lend_below);
		}
	}
	if (called_for == BALLAST_CALM && view.hangs && least != LONG_MAX &&
	    pressure_saw_reason(p))
		called_for = BALLAST_TIGHT;
	WRITE_ONCE(p->headroom, least);
	WRITE_ONCE(p->enough, enough);
	pressure_follow(p, called_for);
	pressure_note(p, ample);
	if (p->grade != BALLAST_CALM || view.lent)
		pressure_arm(p);
	return view.hangs;
}

/* Is headroom below a reserve's mark? Also publishes whether it is ample. */
static bool pressure_look(struct ballast_pressure *p)
{
	bool low = false, ample = true;
	struct ballast_reserve *res;

	list_for_each_entry_rcu(res, &p->reserves, tight_entry) {
		long headroom = ballast_headroom(READ_ONCE(res->order));

		low |= headroom < READ_ONCE(res->filter_below);
		ample &= pressure_is_ample(res, headroom);
	}
	pressure_note(p, ample);
	return low;
}

/**
 * ballast_pressure_update - compute headroom, lend, and set the grade
 *
 * For a packet that came in on any interface, or before requests are sent.
 *
 * Context: Softirq, or softirqs disabled. Takes the lock of the state if it is
 * free, and those of reserves.
 */
void ballast_pressure_update(void)
{
	struct ballast_pressure *p = &ballast_pressure;

	lockdep_assert_in_softirq();
	rcu_read_lock();
	/* If the lock is taken, its holder updates the state. */
	if (unlikely(pressure_must_judge(p) || pressure_look(p)) &&
	    spin_trylock(&p->lock)) {
		pressure_judge(p);
		spin_unlock(&p->lock);
	}
	rcu_read_unlock();
}

static void pressure_tick(struct timer_list *timer)
{
	struct ballast_pressure *p = timer_container_of(p, timer, timer);
	bool hangs, lent = false;
	struct ballast_reserve *res;

	ballast_headroom_sample();
	rcu_read_lock();
	spin_lock(&p->lock);
	hangs = pressure_judge(p);
	list_for_each_entry_rcu(res, &p->reserves, tight_entry)
		lent |= ballast_lend_tick(res, hangs);
	if (hangs || p->grade != BALLAST_CALM || lent)
		pressure_arm(p);
	spin_unlock(&p->lock);
	rcu_read_unlock();
	if (hangs)
		ballast_budget_watch();
}

static void pressure_start_timer(struct ballast_pressure *p)
{
	if (timer_pending(&p->timer))
		return;
	spin_lock(&p->lock);
	pressure_arm(p);
	spin_unlock(&p->lock);
}

/**
 * ballast_pressure_io_begin - a user has requests in flight from now on
 * @res: the reserve of its interface
 *
 * Context: Softirq, or softirqs disabled. Takes the lock of the state.
 */
void ballast_pressure_io_begin(struct ballast_reserve *res)
{
	struct ballast_pressure *p = &ballast_pressure;

	lockdep_assert_in_softirq();
	WRITE_ONCE(res->busy_since, jiffies);
	atomic_inc(&res->busy);
	atomic_inc(&p->busy);
	pressure_start_timer(p);
}

/**
 * ballast_pressure_io_end - the user has no requests in flight any more
 * @res: the reserve of its interface
 *
 * Context: Any. Takes no lock.
 */
void ballast_pressure_io_end(struct ballast_reserve *res)
{
	WRITE_ONCE(ballast_pressure.io_at, jiffies);
	atomic_dec(&res->busy);
	atomic_dec(&ballast_pressure.busy);
}

/**
 * ballast_pressure_notice - a packet of another driver's disk has come in
 *
 * Only while @guards. The requests of that driver are not seen, so its packets
 * stand for them.
 *
 * Context: Softirq. Takes the lock of the state.
 */
void ballast_pressure_notice(void)
{
	struct ballast_pressure *p = &ballast_pressure;

	lockdep_assert_in_softirq();
	WRITE_ONCE(p->memalloc_at, jiffies);
	pressure_start_timer(p);
}

/**
 * ballast_pressure_times - for how long the reserves have been in use
 *
 * Context: Any but hard interrupt. Takes the lock of the state.
 * Return: totals since the module was loaded, including the current period
 */
struct ballast_pressure_times ballast_pressure_times(void)
{
	struct ballast_pressure *p = &ballast_pressure;
	struct ballast_pressure_times times;

	spin_lock_bh(&p->lock);
	times = (struct ballast_pressure_times){
		.in_use_ms = p->in_use_ms,
		.critical_ms = p->critical_ms,
		.activations = p->activations,
	};
	if (p->grade != BALLAST_CALM)
		times.in_use_ms += jiffies_to_msecs(jiffies - p->tight_since);
	if (p->grade == BALLAST_CRITICAL)
		times.critical_ms +=
			jiffies_to_msecs(jiffies - p->critical_since);
	spin_unlock_bh(&p->lock);
	return times;
}

/**
 * ballast_pressure_add - add a reserve to the machine's state
 * @res: the reserve; it has a demand from now on
 *
 * Context: Process context, under reserves_mutex.
 */
void ballast_pressure_add(struct ballast_reserve *res)
{
	list_add_rcu(&res->tight_entry, &ballast_pressure.reserves);
}

/**
 * ballast_pressure_remove - remove a reserve from the machine's state
 * @res: the reserve; it has no demand any more
 *
 * No CPU uses it there on return. Removing the last one makes the machine calm.
 *
 * Context: Process context, under reserves_mutex. Waits for a grace period.
 */
void ballast_pressure_remove(struct ballast_reserve *res)
{
	struct ballast_pressure *p = &ballast_pressure;

	list_del_rcu(&res->tight_entry);
	synchronize_net();
	spin_lock_bh(&p->lock);
	if (list_empty(&p->reserves) && p->grade != BALLAST_CALM)
		pressure_set_grade(p, BALLAST_CALM);
	spin_unlock_bh(&p->lock);
}

/**
 * ballast_pressure_init - initialize the state as calm
 *
 * Context: Process context, when the module is loaded.
 */
void __init ballast_pressure_init(void)
{
	struct ballast_pressure *p = &ballast_pressure;

	spin_lock_init(&p->lock);
	INIT_LIST_HEAD(&p->reserves);
	timer_setup(&p->timer, pressure_tick, 0);
	p->ample_at = jiffies - 1;
	p->pfmemalloc_at = jiffies - PRESSURE_REASON;
	p->flood_at = jiffies - PRESSURE_REASON;
	p->memalloc_at = jiffies - PRESSURE_RECENT;
	p->stall_of = p->memalloc_at;
	p->io_at = jiffies - BALLAST_BUSY;
}

/**
 * ballast_pressure_exit - undo ballast_pressure_init()
 *
 * Context: Process context, when the module is unloaded and there is no
 * reserve. Waits for the timer.
 */
void ballast_pressure_exit(void)
{
	struct ballast_pressure *p = &ballast_pressure;

	spin_lock_bh(&p->lock);
	p->stopping = true;
	spin_unlock_bh(&p->lock);
	timer_shutdown_sync(&p->timer);
}
