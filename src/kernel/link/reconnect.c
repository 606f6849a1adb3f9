// SPDX-License-Identifier: GPL-2.0
/*
 * The thread of a session; see reconnect.h and session.h.
 *
 * It exists from the attach on, since no thread can be created when memory has
 * run out. Usually it sleeps. It runs with access to the memory reserves and
 * without reclaim: reclaim may wait for the disk whose connection the thread
 * restores.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "reconnect.h"

#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "compat.h"
#include "connect.h"
#include "move.h"
#include "paths.h"
#include "reserve/pressure.h"
#include "send.h"
#include "session.h"
#include "socket.h"

#define RECONNECT_FIRST_PAUSE	(HZ / 10)
/* The mean delay after a server returns is half of it. */
#define RECONNECT_LONGEST_PAUSE	HZ
/* How long the attach waits for its reads of the partition table. */
#define RECONNECT_ATTACH	(10 * HZ)
/* How long a new server keeps the thread from the old one when that is lost. */
#define RECONNECT_MOVE		(5 * HZ)
/*
 * A server may need longer than timeout= for a trim or a write of zeroes. The
 * request fails after it has cost this many connections.
 */
#define RECONNECT_TIMEOUTS	2

static const char *reserve_why(int err)
{
	return err == -ENOMEM ?
		       "not enough free memory; free some, or use a smaller reserve=PAGES" :
		       "making the reserve or the filter failed";
}

/* Has @link answered a request, or has it none to answer? */
static bool link_works(const struct ballast_link *link)
{
	return ballast_link_live(link) &&
	       (READ_ONCE(link->answered) ||
		(!READ_ONCE(link->inflight) && llist_empty(&link->submitted)));
}

/*
 * An outage begins when no link is connected. While requests wait, it ends when
 * one is answered, not when a connection is made: a server may accept
 * connections and answer nothing.
 */
static void update_outage(struct ballast_session *session)
{
	struct ballast_link *link;
	bool works = false;
	u64 lost_at = 0;

	smp_rmb(); /* links were seen to have failed; pairs with ballast_link_fail() */
	ballast_for_each_link(link, session) {
		if (link_works(link))
			works = true;
		/* Even if it has failed since: that begins another outage. */
		if (works || (link->sock && link->answered))
			session->outage = false;
		lost_at = max(lost_at, link->failed_at);
	}
	if (!works && !session->outage && !ballast_session_find_live(session)) {
		session->outage = true;
		session->outage_at = lost_at;
	}
}

/* Has a request of unlimited duration used up its attempts? */
static bool is_hopeless(const struct ballast_cmd *cmd)
{
	return cmd->timeouts >= RECONNECT_TIMEOUTS &&
	       (cmd->type == NBD_CMD_TRIM || cmd->type == NBD_CMD_WRITE_ZEROES);
}

/*
 * Move the requests of a link without a connection to one that has one. A
 * connection that has failed is fenced first.
 */
static void move_requests(struct ballast_session *session,
			  struct ballast_link *from)
{
	struct ballast_link *to = ballast_session_find_live(session) ?: from;
	struct ballast_cmd *cmd, *next;
	struct socket *sock;
	LIST_HEAD(cmds);

	sock = ballast_link_release(from, &cmds);
	if (sock)
		ballast_fence_begin(&session->fences, from, sock, &cmds);
	list_for_each_entry_safe(cmd, next, &cmds, entry) {
		if (!is_hopeless(cmd)) {
			ballast_send_submit(to, cmd);
			continue;
		}
		cmd->error = -ETIMEDOUT;
		if (!ballast_fences_hold(&session->fences, cmd))
			ballast_cmd_end(cmd);
	}
	ballast_send_kick(to);
}

/*
 * Give up the connections that have failed. If a lost connection had answered a
 * request, @answered becomes true: the thread then retries without backoff.
 * Return: the number of links without a connection
 */
static unsigned int drop_failed(struct ballast_session *session, bool *answered)
{
	struct ballast_link *link;
	unsigned int down = 0;

	/* First, since move_requests() drops the links' connections. */
	update_outage(session);
	ballast_for_each_link(link, session) {
		if (ballast_link_live(link))
			continue;
		down++;
		ballast_link_outage(link, true);
		if (link->sock && ballast_fences_full(&session->fences))
			continue;
		*answered |= link->sock && link->answered;
		if (link->sock)
			ballast_session_set_reason(session,
						   "connection %td: %s",
						   link - session->links,
						   link->why);
		if (link->sock && __ratelimit(&link->said))
			pr_err("%s: connection %td to %pISpc: %s (error %d)\n",
			       session->name, link - session->links,
			       &session->target.addr, link->why, link->err);
		if (link->sock || ballast_session_find_live(session))
			move_requests(session, link);
	}
	return down;
}

/* Return: jiffies until the server must have answered the attach's reads */
static long check_attach(struct ballast_session *session)
{
	unsigned long by = READ_ONCE(session->attach_by);

	if (!by)
		return MAX_SCHEDULE_TIMEOUT;
	if (time_before(jiffies, by))
		return by - jiffies;
	if (xchg(&session->attach_by, 0)) {
		pr_err("%s: server %pISpc: no answer to the reads of the attach in %u s\n",
		       session->name, &session->target.addr, RECONNECT_ATTACH / HZ);
		WRITE_ONCE(session->failing, true);
		ballast_session_fail_requests(session);
	}
	return MAX_SCHEDULE_TIMEOUT;
}

/* During an outage: jiffies until deadline= expires; 0 or less: it has. */
static s64 deadline_left(const struct ballast_session *session)
{
	if (!session->opts.deadline)
		return MAX_SCHEDULE_TIMEOUT;
	return session->outage_at + session->opts.deadline * HZ -
	       get_jiffies_64();
}

/*
 * When an outage has lasted for deadline=, I/O fails until a link is connected.
 * Return: jiffies until then
 */
static long check_deadline(struct ballast_session *session)
{
	s64 left;

	update_outage(session);
	if (!session->outage)
		return MAX_SCHEDULE_TIMEOUT;
	left = deadline_left(session);
	if (left > 0)
		return left;
	if (!session->expired)
		pr_err("%s: no answer for %u s: I/O fails from now on (deadline=)\n",
		       session->name, session->opts.deadline);
	WRITE_ONCE(session->expired, true);
	ballast_session_set_reason(session, "no answer for %u s",
				   session->opts.deadline);
	ballast_session_fail_requests(session);
	return MAX_SCHEDULE_TIMEOUT;
}

static void end_expiry(struct ballast_session *session)
{
	if (!session->expired || !ballast_session_find_live(session))
		return;
	session->outage = false;
	pr_info("%s: I/O works again\n", session->name);
	WRITE_ONCE(session->expired, false);
}

/*
 * While the thread waits for a server: serve the other links, and see whether to
 * go on waiting. An attempt may take long. If the last live link is lost
 * meanwhile, that link has its turn, and during a move, the old server.
 * Return: 0, or an errno for ballast_connect_report()
 */
static int poll_attempt(void *attempt)
{
	struct ballast_attempt *how = attempt;
	struct ballast_session *session = how->session;
	bool answered = false;

	ballast_paths_move(session);
	drop_failed(session, &answered);
	end_expiry(session);
	if (!session->expired)
		check_deadline(session);
	check_attach(session);
	ballast_session_tell(session);
	ballast_fences_check(&session->fences);
	if (ballast_move_interrupts(&session->move, how->move))
		return -EINTR;
	if (ballast_session_find_live(session)) {
		how->live_at = get_jiffies_64();
		return 0;
	}
	if (!how->live_at)
		return 0;
	if (!how->move)
		return -EINTR;
	if (get_jiffies_64() - how->live_at >= RECONNECT_MOVE)
		return -ECANCELED;
	return 0;
}

static void grow(struct ballast_session *session, u64 size)
{
	if (size <= session->export.size)
		return;
	pr_info("%s: the export has grown from %llu to %llu bytes\n",
		session->name, session->export.size, size);
	WRITE_ONCE(session->export.size, size);
	session->grown(session);
}

static int connect_link(struct ballast_session *session,
			struct ballast_link *link, bool attach, bool quiet)
{
	struct ballast_attempt how = {
		.session = session,
		.target = &session->target,
		.attach = attach,
		.first = attach && link == session->links,
		.quiet = quiet,
		.poll = poll_attempt,
	};
	struct wire_export export;
	struct socket *sock;
	int err;

	sock = ballast_connect(&how, &export);
	if (IS_ERR(sock))
		return PTR_ERR(sock);
	err = attach ? ballast_paths_use(session, link, sock->sk) : 0;
	if (err) {
		ballast_connect_report(&how, "reserve", err, reserve_why(err));
		ballast_socket_abort(sock);
		return err;
	}
	grow(session, export.size);
	ballast_link_outage(link, false);
	ballast_link_start(link, sock, export.structured);
	return 0;
}

static int connect_down(struct ballast_session *session, bool first, bool quiet)
{
	struct ballast_link *link;
	int err;

	ballast_for_each_link(link, session) {
		/* A failed link keeps its socket while all fences are in use. */
		if (ballast_link_live(link) || link->sock)
			continue;
		err = connect_link(session, link, first, quiet);
		if (err)
			return err;
		if (first)
			continue;
		WRITE_ONCE(session->reconnects, session->reconnects + 1);
		if (__ratelimit(&link->said))
			pr_info("%s: connection %td to %pISpc is restored\n",
				session->name, link - session->links,
				&session->target.addr);
	}
	return 0;
}

/* Connect to the new server, and start to get its interfaces' reserves. */
static void try_move(struct ballast_session *session)
{
	struct ballast_move *move = &session->move;
	struct ballast_attempt how = {
		.session = session,
		.target = &move->target,
		.move = true,
		.poll = poll_attempt,
	};
	struct ballast_path *path;
	struct socket *sock;

	sock = ballast_connect(&how, &move->export);
	if (IS_ERR(sock)) {
		ballast_move_finish(move, PTR_ERR(sock));
		return;
	}
	path = ballast_paths_find(session, sock->sk);
	if (IS_ERR(path)) {
		ballast_connect_report(&how, "reserve", PTR_ERR(path),
				       reserve_why(PTR_ERR(path)));
		ballast_socket_abort(sock);
		ballast_move_finish(move, PTR_ERR(path));
		return;
	}
	move->sock = sock;
	move->path = path;
	ballast_path_use_later(path, &session->wait);
}

/* The path of a link without a connection leads to the old server. */
static void drop_path(struct ballast_link *link)
{
	struct ballast_path *path;

	if (link->sock)
		return;
	path = ballast_link_use_path(link, NULL);
	ballast_path_put_later(path);
}

/*
 * The old connections are gone. The first link gets the new one, unless it has
 * its old socket because all fences are in use. The others reconnect and find
 * their own paths.
 */
static void start_moved(struct ballast_session *session)
{
	struct ballast_link *first = session->links, *link;
	struct ballast_move *move = &session->move;

	if (!first->sock) {
		ballast_for_each_link(link, session)
			drop_path(link);
		ballast_link_use_path(first, move->path);
		grow(session, move->export.size);
		ballast_link_outage(first, false);
		ballast_link_start(first, move->sock, move->export.structured);
		move->sock = NULL;
		move->path = NULL;
	}
	ballast_move_drop(move);
}

/* Return: whether the links now belong to another server */
static bool work_on_move(struct ballast_session *session)
{
	struct ballast_move *move = &session->move;
	const struct ballast_attempt how = {
		.session = session,
		.target = &move->target,
		.move = true,
	};
	struct ballast_link *link;
	bool answered = false;
	int err;

	if (ballast_move_begin(move))
		try_move(session);
	if (!ballast_move_is_ready(move))
		return false;
	err = move->path->error;
	if (err)
		ballast_connect_report(&how, "reserve", err, reserve_why(err));
	if (err || !ballast_move_commit(move)) {
		ballast_move_drop(move);
		ballast_move_finish(move, err);
		return false;
	}
	ballast_for_each_link(link, session)
		ballast_link_give_up(link, "the disk moves to another server");
	drop_failed(session, &answered);
	ballast_move_swap(session);
	start_moved(session);
	pr_info("%s: moved to %pISpc, export \"%s\"\n", session->name,
		&session->target.addr, session->target.export);
	ballast_move_finish(move, 0);
	return true;
}

static bool link_has_path_work(const struct ballast_link *link)
{
	if (link->next)
		return ballast_path_ready(link->next);
	return READ_ONCE(link->repath) &&
	       !ballast_within(link->repath_failed_at, BALLAST_REPATH);
}

static bool has_work(struct ballast_session *session)
{
	bool live = ballast_session_find_live(session);
	struct ballast_link *link;

	ballast_for_each_link(link, session) {
		if (link->sock && !ballast_link_live(link) &&
		    !ballast_fences_full(&session->fences))
			return true;
		if (ballast_link_live(link) && link_has_path_work(link))
			return true;
		if (live && !link->sock && !llist_empty(&link->submitted))
			return true;
	}
	return READ_ONCE(session->stopping) || READ_ONCE(session->moved) ||
	       ballast_move_has_work(&session->move) ||
	       ballast_session_has_news(session);
}

static long check_fences(struct ballast_session *session)
{
	if (ballast_session_find_live(session))
		ballast_fences_push(&session->fences);
	return ballast_fences_check(&session->fences);
}

/* Restore connections until the session stops. */
static void keep_connected(struct ballast_session *session)
{
	unsigned long next = jiffies, pause = 0;
	bool quiet = false;

	while (!READ_ONCE(session->stopping)) {
		bool moved = READ_ONCE(session->moved);
		long left = check_attach(session);
		bool answered = false;
		unsigned int down;
		int err;

		left = min(left, ballast_paths_move(session));
		if (work_on_move(session)) {
			moved = true;
			quiet = false;
		}
		end_expiry(session);
		left = min(left, check_deadline(session));
		down = drop_failed(session, &answered);
		ballast_session_tell(session);
		if (moved || answered) {
			next = jiffies;
			pause = 0;
		}
		left = min(left, check_fences(session));
		if (!down) {
			quiet = false;
		} else if (time_after_eq(jiffies, next)) {
			/* The time of an attempt is part of the pause. */
			pause = clamp_t(unsigned long, 2 * pause,
					RECONNECT_FIRST_PAUSE,
					RECONNECT_LONGEST_PAUSE);
			next = jiffies + pause;
			err = connect_down(session, false, quiet);
			/* An attempt that was not finished has logged nothing. */
			if (err != -EINTR)
				quiet = err;
			continue;
		}
		if (down)
			left = clamp_t(long, next - jiffies, 1, left);
		wait_event_interruptible_timeout(session->wait,
						 has_work(session), left);
		if (!READ_ONCE(session->stopping))
			flush_signals(current);
	}
}

static void wait_for_stop(void)
{
	flush_signals(current);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
		flush_signals(current);
	}
}

/**
 * ballast_reconnect_thread - connect a session and keep it connected
 * @session: a &struct ballast_session; its @error and @ready are set after the
 *	     first round
 *
 * Context: a kthread; kthread_stop() ends it
 * Return: 0
 */
int ballast_reconnect_thread(void *session)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	struct ballast_session *s = session;

	/* Used only to interrupt waiting for a server. */
	allow_signal(SIGKILL);

	s->error = connect_down(s, true, false);
	s->attach_by = (jiffies + RECONNECT_ATTACH) | 1;
	complete(&s->ready);
	if (!s->error)
		keep_connected(s);

	memalloc_noreclaim_restore(noreclaim);
	wait_for_stop();
	return 0;
}
