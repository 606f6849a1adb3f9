// SPDX-License-Identifier: GPL-2.0
/*
 * Lending: when the reserve's blocks go to the page allocator and when they
 * come back, and whether the reserve is in use; see reserve.h.
 *
 * No module can step into a driver's allocation, but it can make it
 * succeed: where headroom falls under what the receive ring can ask for,
 * blocks are freed, and any driver's refill finds them. That has to happen
 * before the refill fails: virtio_net's own retry waits for reclaim, which
 * waits for the disk, which waits for a packet, and no cure helps then. So
 * it happens where memory is being used up: for each packet that comes, for
 * each request that is sent, and from a timer while requests are in flight.
 *
 * All of it in softirq, or with softirqs off. Nothing here can wait.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "headroom.h"
#include "reserve.h"

/* Times the mark: so much headroom is plenty. */
#define LEND_AMPLE		4
/* Blocks between two looks at the headroom. */
#define LEND_BATCH		32
#define REFILL_BATCH		16
/*
 * How long nothing must call for the reserve before it is out of use. With a
 * tenth of this a stream into a buffer that nobody reads got in between two
 * bursts of swapping, and the swapping went into making room for it.
 */
#define LEND_CALM		HZ
#define LEND_RECENT		HZ
#define LEND_TICK		max(HZ / 250, 1)
/* Requests in flight and no packet at all for so long: lend the rest. */
#define LEND_RESCUE		HZ

/* Does reclaim hang on this interface? */
static bool lend_hangs(struct ballast_reserve *res)
{
	if (ballast_reserve_busy(res))
		return true;
	if (!READ_ONCE(res->guards))
		return false;
	/* Another's disk: its sockets' packets tell, and pages on their way. */
	return time_before(jiffies, READ_ONCE(res->memalloc_at) + LEND_RECENT) ||
	       global_node_page_state(NR_WRITEBACK);
}

static void lend_blocks(struct ballast_reserve *res, unsigned int blocks)
{
	struct ballast_blocks *from = res->blocks;
	struct page *page;

	while (from && blocks-- && from->pool.curr_nr) {
		/* Takes from the pool only: see blocks_alloc(). */
		page = mempool_alloc(&from->pool, GFP_NOWAIT);
		if (!page)
			return;
		__free_pages(page, from->order);
		res->lends++;
	}
}

/*
 * Lend until the headroom is up to @mark, and not just so many blocks: a zone
 * may be far below the point where headroom begins, and the first pages that
 * are freed stay on this processor's own list, where no watermark sees them.
 * Return: the headroom then
 */
static long lend_up_to(struct ballast_reserve *res, long headroom, long mark)
{
	while (headroom < mark && res->blocks && res->blocks->pool.curr_nr) {
		lend_blocks(res, LEND_BATCH);
		headroom = ballast_headroom(res->order);
	}
	return headroom;
}

/*
 * Take back what nobody misses, without reclaim. Memory may never be over
 * its high watermarks for long; when nothing hangs on the interface, what
 * is over our own mark does as well.
 */
static void lend_refill(struct ballast_reserve *res, long headroom)
{
	long surplus = ballast_surplus() >> res->order;
	unsigned int blocks = ballast_reserve_lent(res);
	struct page *page;

	if (surplus <= 0 && !lend_hangs(res))
		surplus = (headroom - res->filter_below) >> res->order;
	if (surplus <= 0)
		return;
	blocks = min3(blocks, (unsigned int)REFILL_BATCH,
		      (unsigned int)min_t(long, surplus, INT_MAX));
	while (blocks--) {
		/* Fills the pool; may fail, and is tried again. */
		page = alloc_pages_node(res->blocks->node,
					__GFP_NOMEMALLOC | __GFP_NORETRY |
						__GFP_NOWARN,
					res->blocks->order);
		if (!page)
			return;
		mempool_free(page, &res->blocks->pool);
		res->refills++;
	}
}

/*
 * Where nothing hangs on the interface reclaim goes on by itself, and a busy
 * machine comes near to its last page all the time, with packets from the
 * emergency reserves where a softirq interrupts kswapd: that alone is no
 * reason to drop anything, until the last block is lent in vain.
 */
static bool lend_called_for(struct ballast_reserve *res, long headroom,
			    bool leaving)
{
	/* To leave takes a quarter more than to enter. */
	long filter_below = res->filter_below + (leaving ? res->filter_below / 4 : 0);

	if (lend_hangs(res))
		return ballast_reserve_lent(res) || headroom < filter_below ||
		       time_before(jiffies, READ_ONCE(res->pfmemalloc_at) +
						    LEND_CALM);
	return headroom < res->floor &&
	       (!res->blocks || !res->blocks->pool.curr_nr);
}

/* Nothing in flight: only what keeps a refill from failing in between. */
static long lend_mark(struct ballast_reserve *res)
{
	return lend_hangs(res) ? res->lend_below : res->lend_below / 4;
}

/* Under the lock: lend if that is needed, and see whether it is in use. */
static void lend_update(struct ballast_reserve *res, long headroom)
{
	long mark = lend_mark(res);

	if (res->stopping)
		return;
	if (headroom < mark) {
		headroom = lend_up_to(res, headroom, mark);
		if (!timer_pending(&res->timer))
			mod_timer(&res->timer, jiffies + LEND_TICK);
	}

	if (!res->in_use) {
		if (!lend_called_for(res, headroom, false))
			return;
		res->activations++;
		res->used_since = jiffies;
		res->calm_since = jiffies;
		WRITE_ONCE(res->in_use, true);
		mod_timer(&res->timer, jiffies + LEND_TICK);
		return;
	}
	if (lend_called_for(res, headroom, true)) {
		res->calm_since = jiffies;
	} else if (time_after(jiffies, res->calm_since + LEND_CALM)) {
		res->in_use_ms += jiffies_to_msecs(jiffies - res->used_since);
		WRITE_ONCE(res->in_use, false);
	}
}

/**
 * ballast_lend_check - look after the reserve
 * @res: whose interface a packet came in on, or is about to go out on
 *
 * Return: whether it is in use
 */
bool ballast_lend_check(struct ballast_reserve *res)
{
	long headroom = ballast_headroom(res->order);
	bool ample = headroom >= LEND_AMPLE * res->filter_below;

	if (READ_ONCE(res->ample) != ample)
		WRITE_ONCE(res->ample, ample);
	if (likely(!READ_ONCE(res->in_use) && headroom >= res->filter_below))
		return false;
	/* Who holds it does the same. */
	if (spin_trylock(&res->lock)) {
		lend_update(res, headroom);
		spin_unlock(&res->lock);
	}
	return READ_ONCE(res->in_use);
}

/*
 * Nothing came in although requests are in flight: whatever the driver
 * waits for, give it all there is, and have it look. This can't help one
 * that has switched NAPI off.
 */
static void lend_rescue(struct ballast_reserve *res)
{
	struct napi_struct *napi;
	struct net_device *dev;

	lend_blocks(res, UINT_MAX);
	res->rescued_at = jiffies;
	res->rescues++;
	dev = READ_ONCE(res->dev);
	if (!dev)
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(napi, &dev->napi_list, dev_list)
		napi_schedule(napi);
	rcu_read_unlock();
	pr_warn_once("ballast: %s: requests are in flight and no packet came for %u s: lent the whole reserve and scheduled the driver (said once; see rescues)\n",
		     dev->name, LEND_RESCUE / HZ);
}

static bool lend_stuck(struct ballast_reserve *res, long headroom)
{
	unsigned long since = res->busy_since;

	if (!atomic_read(&res->busy) || headroom >= res->filter_below)
		return false;
	if (time_after(READ_ONCE(res->rx_at), since))
		since = res->rx_at;
	if (time_after(res->rescued_at, since))
		since = res->rescued_at;
	return time_after(jiffies, since + LEND_RESCUE);
}

static void lend_tick(struct timer_list *timer)
{
	struct ballast_reserve *res = timer_container_of(res, timer, timer);
	long headroom;

	ballast_headroom_sample();
	headroom = ballast_headroom(res->order);
	spin_lock(&res->lock);
	lend_update(res, headroom);
	if (lend_stuck(res, headroom))
		lend_rescue(res);
	else if (ballast_reserve_lent(res))
		lend_refill(res, headroom);
	if (!res->stopping && (ballast_reserve_busy(res) || res->in_use ||
			       ballast_reserve_lent(res)))
		mod_timer(&res->timer, jiffies + LEND_TICK);
	spin_unlock(&res->lock);
}

/**
 * ballast_lend_io_begin - a user has requests in flight from now on
 * @res: of its interface
 */
void ballast_lend_io_begin(struct ballast_reserve *res)
{
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
 * ballast_lend_io_end - it has none any more
 * @res: of its interface
 */
void ballast_lend_io_end(struct ballast_reserve *res)
{
	WRITE_ONCE(res->io_at, jiffies);
	atomic_dec(&res->busy);
}

/* How long the reserve has been in use, ms; any context but hard interrupt. */
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

/* Begin to look after a reserve; process context. */
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

/* End it; process context. */
void ballast_lend_stop(struct ballast_reserve *res)
{
	spin_lock_bh(&res->lock);
	res->stopping = true;
	if (res->in_use)
		res->in_use_ms += jiffies_to_msecs(jiffies - res->used_since);
	WRITE_ONCE(res->in_use, false);
	spin_unlock_bh(&res->lock);
	timer_shutdown_sync(&res->timer);
}
