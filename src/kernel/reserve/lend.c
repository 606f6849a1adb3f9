// SPDX-License-Identifier: GPL-2.0
/*
 * Lending: when blocks of a reserve go to the page allocator, when they
 * return, and whether the reserve is in use; see lend.h.
 *
 * A module cannot change how a driver allocates, but it can make the
 * allocation succeed: when headroom falls below what the receive ring can
 * ask for, blocks are freed, and the refill of any driver finds them. This
 * must happen before a refill fails. virtio_net's own retry waits for
 * reclaim, which waits for the disk, which waits for a packet, and then it is
 * too late. So it happens where memory is used up: for each packet that comes
 * in, for each request that is sent, and from a timer while requests are in
 * flight.
 *
 * All of it runs in softirq or with softirqs disabled, and never waits.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "lend.h"

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "headroom.h"
#include "reserve.h"

/* Headroom of so many times the mark is ample. */
#define LEND_AMPLE		4
/* Blocks that are lent before headroom is computed again. */
#define LEND_BATCH		32
/* Blocks that are taken back in one tick, at most. */
#define REFILL_BATCH		16
/*
 * The reserve stays in use until there has been no reason for it for this
 * long. With a tenth of a second, a stream into a buffer that no process
 * reads passed between two bursts of swapping, and the swapping only made
 * room for the stream.
 */
#define LEND_CALM		HZ
#define LEND_RECENT		HZ
#define LEND_TICK		max(HZ / 250, 1)
/* Requests in flight and no packet at all for this long: lend the rest. */
#define LEND_RESCUE		HZ

/* Does reclaim depend on this interface? */
static bool lend_hangs(const struct ballast_reserve *res)
{
	unsigned long memalloc_at = READ_ONCE(res->memalloc_at);

	if (ballast_reserve_busy(res))
		return true;
	if (!READ_ONCE(res->guards))
		return false;
	/*
	 * The disk belongs to another driver. Packets of its sockets, or pages
	 * under writeback, show that it is busy.
	 */
	return time_before(jiffies, memalloc_at + LEND_RECENT) ||
	       global_node_page_state(NR_WRITEBACK);
}

static unsigned int lend_blocks(struct ballast_reserve *res, unsigned int nr)
	__must_hold(&res->lock)
{
	unsigned int lent;

	lockdep_assert_held(&res->lock);
	lent = ballast_blocks_lend(res->blocks, nr);
	WRITE_ONCE(res->lends, res->lends + lent);
	return lent;
}

/*
 * Lend until headroom reaches @mark. A fixed number of blocks would not do: a
 * zone may be far below the point where headroom begins, and the first pages
 * that are freed stay on this processor's own list, which no watermark
 * counts. Return: the headroom afterwards, in pages
 */
static long lend_up_to(struct ballast_reserve *res, long headroom, long mark)
	__must_hold(&res->lock)
{
	while (headroom < mark && lend_blocks(res, LEND_BATCH))
		headroom = ballast_headroom(READ_ONCE(res->order));
	return headroom;
}

/*
 * Take back what is not needed, without reclaim. Memory may never stay above
 * its high watermarks for long. If reclaim does not depend on the interface,
 * pages above the reserve's own mark are not needed either.
 */
static void lend_refill(struct ballast_reserve *res, long headroom)
	__must_hold(&res->lock)
{
	unsigned int order = READ_ONCE(res->order);
	long surplus = ballast_surplus() >> order;
	unsigned int taken;

	lockdep_assert_held(&res->lock);
	if (surplus <= 0 && !lend_hangs(res))
		surplus = (headroom - READ_ONCE(res->filter_below)) >> order;
	if (surplus <= 0)
		return;
	/* It may take less; the next tick tries again. */
	taken = ballast_blocks_refill(res->blocks,
				      min_t(long, surplus, REFILL_BATCH), 0);
	WRITE_ONCE(res->refills, res->refills + taken);
}

/*
 * Is there a reason to be in use? While reclaim does not depend on the
 * interface, it makes progress by itself. A busy machine comes close to its
 * last page all the time, and receives packets from the emergency reserves
 * when a softirq interrupts kswapd. That alone is no reason to drop packets,
 * unless all blocks are lent and headroom is below the floor.
 */
static bool lend_called_for(const struct ballast_reserve *res, long headroom)
	__must_hold(&res->lock)
{
	long filter_below = READ_ONCE(res->filter_below);

	lockdep_assert_held(&res->lock);
	/* To leave the state takes a quarter more headroom than to enter it. */
	if (res->in_use)
		filter_below += filter_below / 4;
	if (lend_hangs(res))
		return ballast_blocks_lent(res->blocks) ||
		       headroom < filter_below ||
		       time_before(jiffies, READ_ONCE(res->pfmemalloc_at) +
						    LEND_CALM);
	return headroom < READ_ONCE(res->floor) &&
	       !ballast_blocks_available(res->blocks);
}

/*
 * Headroom below which to lend, in pages. If reclaim does not depend on the
 * interface, a quarter is enough to keep refills from failing until it does.
 */
static long lend_mark(const struct ballast_reserve *res)
{
	long mark = READ_ONCE(res->lend_below);

	return lend_hangs(res) ? mark : mark / 4;
}

static void lend_enter(struct ballast_reserve *res)
	__must_hold(&res->lock)
{
	lockdep_assert_held(&res->lock);
	WRITE_ONCE(res->activations, res->activations + 1);
	res->used_since = jiffies;
	res->calm_since = jiffies;
	WRITE_ONCE(res->in_use, true);
	mod_timer(&res->timer, jiffies + LEND_TICK);
}

static void lend_leave(struct ballast_reserve *res)
	__must_hold(&res->lock)
{
	lockdep_assert_held(&res->lock);
	res->in_use_ms += jiffies_to_msecs(jiffies - res->used_since);
	WRITE_ONCE(res->in_use, false);
}

/* Lend if headroom, in pages, is low, and bring in_use up to date. */
static void lend_update(struct ballast_reserve *res, long headroom)
	__must_hold(&res->lock)
{
	long mark = lend_mark(res);

	lockdep_assert_held(&res->lock);
	if (res->stopping)
		return;
	if (headroom < mark) {
		headroom = lend_up_to(res, headroom, mark);
		if (!timer_pending(&res->timer))
			mod_timer(&res->timer, jiffies + LEND_TICK);
	}

	if (lend_called_for(res, headroom)) {
		if (res->in_use)
			res->calm_since = jiffies;
		else
			lend_enter(res);
	} else if (res->in_use &&
		   time_after(jiffies, res->calm_since + LEND_CALM)) {
		lend_leave(res);
	}
}

/**
 * ballast_lend_update - lend blocks if headroom is low
 * @res: the reserve of the interface that a packet came in on, or that a
 *	 packet is about to go out on
 *
 * Also determines whether the reserve is in use: see
 * ballast_reserve_in_use().
 *
 * Context: Softirq, or softirqs disabled. Takes @res->lock if it is free.
 */
void ballast_lend_update(struct ballast_reserve *res)
{
	long headroom = ballast_headroom(READ_ONCE(res->order));
	long filter_below = READ_ONCE(res->filter_below);
	bool ample = headroom >= LEND_AMPLE * filter_below;

	lockdep_assert_in_softirq();
	if (READ_ONCE(res->ample) != ample)
		WRITE_ONCE(res->ample, ample);
	if (likely(!READ_ONCE(res->in_use) && headroom >= filter_below))
		return;
	/* The holder of the lock is doing the same. */
	if (spin_trylock(&res->lock)) {
		lend_update(res, headroom);
		spin_unlock(&res->lock);
	}
}

/*
 * No packet came in although requests are in flight. Whatever the driver
 * waits for, lend all blocks and have it poll. This cannot help a driver that
 * has disabled NAPI.
 */
static void lend_rescue(struct ballast_reserve *res)
	__must_hold(&res->lock)
{
	/* Not NULL: the timer, which calls this, ends before it is cleared. */
	struct net_device *dev = READ_ONCE(res->dev);
	struct napi_struct *napi;

	lend_blocks(res, UINT_MAX);
	res->rescued_at = jiffies;
	WRITE_ONCE(res->rescues, res->rescues + 1);
	rcu_read_lock();
	list_for_each_entry_rcu(napi, &dev->napi_list, dev_list)
		napi_schedule(napi);
	rcu_read_unlock();
	pr_warn_once("%s: requests are in flight, but no packet was received for %u s: lent the whole reserve and scheduled the driver's NAPI (logged once; the file rescues counts)\n",
		     dev->name, LEND_RESCUE / HZ);
}

/* Are requests in flight, but no packet has come in for LEND_RESCUE? */
static bool lend_stuck(const struct ballast_reserve *res, long headroom)
	__must_hold(&res->lock)
{
	unsigned long since = READ_ONCE(res->busy_since);
	unsigned long rx_at = READ_ONCE(res->rx_at);

	lockdep_assert_held(&res->lock);
	if (!atomic_read(&res->busy) ||
	    headroom >= READ_ONCE(res->filter_below))
		return false;
	if (time_after(rx_at, since))
		since = rx_at;
	if (time_after(res->rescued_at, since))
		since = res->rescued_at;
	return time_after(jiffies, since + LEND_RESCUE);
}

static void lend_tick(struct timer_list *timer)
{
	struct ballast_reserve *res = timer_container_of(res, timer, timer);
	long headroom;

	ballast_headroom_sample();
	headroom = ballast_headroom(READ_ONCE(res->order));
	spin_lock(&res->lock);
	lend_update(res, headroom);
	if (lend_stuck(res, headroom))
		lend_rescue(res);
	else if (ballast_blocks_lent(res->blocks))
		lend_refill(res, headroom);
	if (!res->stopping && (ballast_reserve_busy(res) || res->in_use ||
			       ballast_blocks_lent(res->blocks)))
		mod_timer(&res->timer, jiffies + LEND_TICK);
	spin_unlock(&res->lock);
}

/**
 * ballast_lend_io_begin - a user has requests in flight from now on
 * @res: the reserve of its interface
 *
 * Context: Softirq, or softirqs disabled. Takes @res->lock.
 */
void ballast_lend_io_begin(struct ballast_reserve *res)
{
	lockdep_assert_in_softirq();
	WRITE_ONCE(res->busy_since, jiffies);
	atomic_inc(&res->busy);
	if (!timer_pending(&res->timer)) {
		spin_lock(&res->lock);
		if (!res->stopping)
			mod_timer(&res->timer, jiffies + LEND_TICK);
		spin_unlock(&res->lock);
	}
}

/**
 * ballast_lend_io_end - the user has no requests in flight any more
 * @res: the reserve of its interface
 *
 * Context: Any. Takes no lock.
 */
void ballast_lend_io_end(struct ballast_reserve *res)
{
	WRITE_ONCE(res->io_at, jiffies);
	atomic_dec(&res->busy);
}

/**
 * ballast_lend_in_use_ms - for how long the reserve has been in use
 * @res: the reserve
 *
 * Context: Any but hard interrupt. Takes @res->lock.
 * Return: the sum of all periods, the present one included, in milliseconds
 */
u64 ballast_lend_in_use_ms(struct ballast_reserve *res)
{
	u64 ms;

	spin_lock_bh(&res->lock);
	ms = res->in_use_ms;
	if (res->in_use)
		ms += jiffies_to_msecs(jiffies - res->used_since);
	spin_unlock_bh(&res->lock);
	return ms;
}

/**
 * ballast_lend_start - prepare a new reserve for lending
 * @res: the reserve; no other context sees it yet
 *
 * The timer starts with the first request or with the first block lent.
 *
 * Context: Process context.
 */
void ballast_lend_start(struct ballast_reserve *res)
{
	spin_lock_init(&res->lock);
	timer_setup(&res->timer, lend_tick, 0);
	res->pfmemalloc_at = jiffies - LEND_RECENT;
	res->memalloc_at = jiffies - LEND_RECENT;
	res->rx_at = jiffies;
	res->io_at = jiffies - BALLAST_BUSY;
	res->rescued_at = jiffies;
}

/**
 * ballast_lend_stop - end lending for good
 * @res: the reserve
 *
 * The timer has run for the last time on return, and the reserve is not in
 * use. Blocks that are lent stay lent.
 *
 * Context: Process context; waits for the timer. Takes @res->lock.
 */
void ballast_lend_stop(struct ballast_reserve *res)
{
	spin_lock_bh(&res->lock);
	res->stopping = true;
	if (res->in_use)
		lend_leave(res);
	spin_unlock_bh(&res->lock);
	timer_shutdown_sync(&res->timer);
}
