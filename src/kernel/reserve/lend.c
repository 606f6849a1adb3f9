// SPDX-License-Identifier: GPL-2.0
/*
 * Lending: when blocks of a reserve go to the page allocator and when they
 * return.
 *
 * A module cannot change how a driver allocates, but it can make the
 * allocation succeed: when headroom falls below what the receive ring can
 * ask for, it frees blocks, which the refill of any driver can then allocate.
 * This must happen before a refill fails: virtio_net's retry waits for
 * reclaim, which waits for the disk, which waits for a packet.
 *
 * All of it runs in softirq or with softirqs disabled, under rcu_read_lock()
 * and the lock of the machine's state (pressure.h), and never waits.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "lend.h"

#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>

#include "headroom.h"
#include "reserve.h"

/* Blocks that are lent before headroom is computed again. */
#define LEND_BATCH		32
/* Blocks that are taken back in one tick, at most. */
#define REFILL_BATCH		16
/* Requests in flight and no packet at all for this long: lend the rest. */
#define LEND_RESCUE		HZ

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
 * Lend until headroom reaches @mark. A fixed number of blocks is not enough: a
 * zone may be far below the point where headroom begins, and the first pages
 * freed stay on this CPU's list, which no watermark counts. Return: the
 * headroom afterwards, in pages
 */
static long lend_up_to(struct ballast_reserve *res, long headroom, long mark)
	__must_hold(&res->lock)
{
	while (headroom < mark && lend_blocks(res, LEND_BATCH))
		headroom = ballast_headroom(READ_ONCE(res->order));
	return headroom;
}

/*
 * Take back what is not needed, without reclaim: pages above the high
 * watermarks. On some machines free memory never stays there for long. So while
 * reclaim does not depend on the network, pages above the reserve's own mark
 * count too.
 */
static void lend_refill(struct ballast_reserve *res, long headroom, bool hangs)
	__must_hold(&res->lock)
{
	unsigned int order = READ_ONCE(res->order);
	long surplus = ballast_surplus() >> order;
	unsigned int taken;

	lockdep_assert_held(&res->lock);
	if (surplus <= 0 && !hangs)
		surplus = (headroom - READ_ONCE(res->filter_below)) >> order;
	if (surplus <= 0)
		return;
	/* It may take less; the next tick tries again. */
	taken = ballast_blocks_refill(res->blocks,
				      min_t(long, surplus, REFILL_BATCH), 0);
	WRITE_ONCE(res->refills, res->refills + taken);
}

/*
 * The grade that this reserve calls for. While reclaim does not depend on the
 * network, it makes progress by itself. A busy machine comes close to its last
 * page all the time, so packets are dropped only if all blocks are lent and
 * headroom is below the floor.
 */
static enum ballast_grade lend_called_for(const struct ballast_reserve *res,
					  const struct ballast_lend_view *view)
	__must_hold(&res->lock)
{
	long filter_below = READ_ONCE(res->filter_below);
	long critical = READ_ONCE(res->lend_below) / 2;

	lockdep_assert_held(&res->lock);
	if (!view->hangs)
		return view->headroom < READ_ONCE(res->floor) &&
				       !ballast_blocks_available(res->blocks) ?
			       BALLAST_CRITICAL :
			       BALLAST_CALM;
	/* Hysteresis: leaving a grade requires more headroom. */
	if (view->grade != BALLAST_CALM)
		filter_below += filter_below / 4;
	if (view->grade == BALLAST_CRITICAL)
		critical += critical / 2;
	if (view->headroom < critical)
		return BALLAST_CRITICAL;
	return ballast_blocks_lent(res->blocks) ||
			       view->headroom < filter_below ?
		       BALLAST_TIGHT :
		       BALLAST_CALM;
}

/**
 * ballast_lend - lend blocks if headroom is low
 * @res: the reserve
 * @view: hangs and grade are set by the caller, headroom and lent by this
 *
 * If reclaim does not depend on the network, a quarter of the mark is enough
 * to keep refills from failing until it does.
 *
 * Context: Softirq, or softirqs disabled. Takes @res->lock.
 * Return: the grade that this reserve calls for
 */
enum ballast_grade ballast_lend(struct ballast_reserve *res,
				struct ballast_lend_view *view)
{
	long mark = READ_ONCE(res->lend_below);
	enum ballast_grade grade;

	spin_lock(&res->lock);
	view->headroom = lend_up_to(res,
				    ballast_headroom(READ_ONCE(res->order)),
				    view->hangs ? mark : mark / 4);
	view->lent |= ballast_blocks_lent(res->blocks);
	grade = lend_called_for(res, view);
	spin_unlock(&res->lock);
	return grade;
}

/*
 * No packet came in although requests are in flight: the driver's refill may
 * have failed. Lend all blocks and make the driver poll. This cannot help a
 * driver that has disabled NAPI.
 */
static void lend_rescue(struct ballast_reserve *res) __must_hold(&res->lock)
{
	/* Not NULL: it is cleared a grace period after the reserve is unlisted. */
	struct net_device *dev = READ_ONCE(res->dev);
	struct napi_struct *napi;

	lend_blocks(res, UINT_MAX);
	res->rescued_at = jiffies;
	WRITE_ONCE(res->rescues, res->rescues + 1);
	list_for_each_entry_rcu(napi, &dev->napi_list, dev_list)
		napi_schedule(napi);
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

/**
 * ballast_lend_tick - take blocks back, or rescue a driver that is stuck
 * @res: the reserve
 * @hangs: reclaim depends on the network
 *
 * Context: Softirq, every 4 ms. Takes @res->lock.
 * Return: whether blocks are still lent
 */
bool ballast_lend_tick(struct ballast_reserve *res, bool hangs)
{
	long headroom = ballast_headroom(READ_ONCE(res->order));
	bool lent;

	spin_lock(&res->lock);
	if (lend_stuck(res, headroom))
		lend_rescue(res);
	else if (ballast_blocks_lent(res->blocks))
		lend_refill(res, headroom, hangs);
	lent = ballast_blocks_lent(res->blocks);
	spin_unlock(&res->lock);
	return lent;
}
