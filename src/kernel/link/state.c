// SPDX-License-Identifier: GPL-2.0
/*
 * A link's lock, and what changes under it; see link.h.
 */
#include "link.h"

#include <linux/rcupdate.h>
#include <net/sock.h>

#include "compat.h"
#include "reserve/pressure.h"

/* Let lockdep check that the caller may use the state of a link. */
void ballast_link_assert_locked(const struct ballast_link *link)
{
	const struct sock *sk = rcu_access_pointer(link->sk);

	if (sk)
		sock_owned_by_me(sk);
}

/**
 * ballast_link_run - call a function under the link's lock
 * @link: the link
 * @run: called with softirqs off, unless the link has no socket
 *
 * If a process owns the socket, this can't wait for it: the retry timer then
 * reads, sends and checks after a jiffy.
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_link_run(struct ballast_link *link,
		      void (*run)(struct ballast_link *link, struct sock *sk))
{
	struct sock *sk;

	rcu_read_lock();
	local_bh_disable();
	sk = rcu_dereference(link->sk);
	if (sk) {
		bh_lock_sock(sk);
		/* The socket lives until a grace period after sk is NULL. */
		if (rcu_access_pointer(link->sk) != sk)
			;
		else if (sock_owned_by_user(sk))
			mod_timer(&link->retry, jiffies + 1);
		else
			run(link, sk);
		bh_unlock_sock(sk);
	}
	local_bh_enable();
	rcu_read_unlock();
}

/**
 * ballast_link_fail - give a connection up
 * @link: under its lock
 * @err: a negative errno
 * @why: the reason in words; the first failure is kept
 *
 * The session's thread then fences the connection, moves the requests to
 * another link and reconnects.
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_link_fail(struct ballast_link *link, int err, const char *why)
{
	ballast_link_assert_locked(link);
	if (link->failed)
		return;
	link->err = err;
	link->why = why;
	link->failed_at = get_jiffies_64();
	/* Publishes the fields above; pairs with update_outage(). */
	smp_store_release(&link->failed, true);
	wake_up(link->wait);
}

/**
 * ballast_link_note_route - check whether the connection's route has moved
 * @link: under its lock
 * @sk: its socket
 *
 * If so, the session's thread gets the reserves of the new route.
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_link_note_route(struct ballast_link *link, struct sock *sk)
{
	if (link->repath ||
	    ballast_within(link->repath_failed_at, BALLAST_REPATH) ||
	    !ballast_path_stale(link->path, sk))
		return;
	WRITE_ONCE(link->repath, true);
	wake_up(link->wait);
}

/**
 * ballast_link_ended - requests are no longer in flight on this link
 * @link: under its lock, or without a socket
 * @nr: their number
 *
 * Context: softirq, or softirqs disabled
 */
void ballast_link_ended(struct ballast_link *link, unsigned int nr)
{
	ballast_link_assert_locked(link);
	if (!nr)
		return;
	link->inflight -= nr;
	if (!link->inflight)
		ballast_path_io_end(link->path);
}
