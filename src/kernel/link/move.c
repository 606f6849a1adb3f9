// SPDX-License-Identifier: GPL-2.0
/*
 * The requesting process's part of a move, and the state that it shares with
 * the session's thread; see move.h. The thread's part is in reconnect.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "move.h"

#include <linux/slab.h>

#include "compat.h"
#include "reserve/path.h"
#include "session.h"
#include "socket.h"

/* Before the session's thread starts. */
void ballast_move_init(struct ballast_move *move)
{
	spin_lock_init(&move->lock);
	init_waitqueue_head(&move->wait);
}

static int move_fill_in(struct ballast_session *session,
			const struct ballast_options *opts,
			struct ballast_target *target)
{
	struct ballast_options all = *opts;
	char *copy = NULL;
	int err;

	/* Without export=, keep the name. A move changes it under the lock. */
	if (!all.export) {
		copy = kzalloc(BALLAST_MAX_EXPORT + 1, GFP_KERNEL);
		if (!copy)
			return -ENOMEM;
		spin_lock(&session->move.lock);
		all.export_len = session->target.export_len;
		memcpy(copy, session->target.export, all.export_len);
		spin_unlock(&session->move.lock);
		all.export = copy;
	}
	err = ballast_target_init(target, &all);
	kfree(copy);
	if (!err)
		err = ballast_target_resolve(target, session->net);
	if (err == -EINVAL)
		pr_err("%s: move: server=%s: is not an IPv4 or IPv6 address\n",
		       session->name, opts->host);
	return err;
}

/* Hand the target over to the thread. */
static int move_want(struct ballast_session *session,
		     const struct ballast_target *target)
{
	struct ballast_move *move = &session->move;
	int err = 0;

	spin_lock(&move->lock);
	if (move->closed) {
		err = -ENODEV;
	} else if (move->state != BALLAST_MOVE_IDLE) {
		err = -EBUSY;
	} else {
		move->target = *target;
		WRITE_ONCE(move->state, BALLAST_MOVE_WANTED);
	}
	spin_unlock(&move->lock);
	if (err == -EBUSY)
		pr_err("%s: move: another one has not finished\n",
		       session->name);
	return err;
}

/* Return: the result; -EINPROGRESS: too late to cancel */
static int move_collect(struct ballast_move *move, char **export)
{
	int err = move->closed ? -ENODEV : -EINTR;

	lockdep_assert_held(&move->lock);
	switch (move->state) {
	case BALLAST_MOVE_DONE:
		err = move->error;
		fallthrough;
	case BALLAST_MOVE_WANTED:
		*export = move->target.export;
		move->target.export = NULL;
		move->state = BALLAST_MOVE_IDLE;
		break;
	case BALLAST_MOVE_COMMITTED:
		return -EINPROGRESS;
	default:
		WRITE_ONCE(move->state, BALLAST_MOVE_CANCELLED);
	}
	return err;
}

static bool move_is_done(const struct ballast_move *move)
{
	return READ_ONCE(move->state) == BALLAST_MOVE_DONE;
}

static bool move_has_ended(const struct ballast_move *move)
{
	return move_is_done(move) || READ_ONCE(move->closed);
}

/**
 * ballast_move_request - move a session to another server
 * @session: started
 * @opts: the server, and the export; NULL: keep the export's name
 *
 * Waits, interruptibly, until the session uses the new server, or has refused
 * it.
 *
 * Context: process; waits for memory
 * Return: 0; or an errno, and the session keeps its server: -EINVAL: no
 * address, or an invalid export; -EREMCHG: the export can't replace the one of
 * the attach, or has other data; -EBUSY: another move is in progress; -ENODEV:
 * the session ends; -EINTR; errors of a connection. The log has the reason.
 */
int ballast_move_request(struct ballast_session *session,
			 const struct ballast_options *opts)
{
	struct ballast_move *move = &session->move;
	struct ballast_target target = {};
	char *unused = NULL;
	int err;

	err = move_fill_in(session, opts, &target);
	if (!err)
		err = move_want(session, &target);
	if (err) {
		kfree(target.export);
		return err;
	}
	wake_up(&session->wait);
	wait_event_interruptible(move->wait, move_has_ended(move));
	spin_lock(&move->lock);
	err = move_collect(move, &unused);
	spin_unlock(&move->lock);
	if (err == -EINPROGRESS) {
		/* Short: the thread does not wait for a server now. */
		wait_event(move->wait, move_is_done(move));
		spin_lock(&move->lock);
		err = move_collect(move, &unused);
		spin_unlock(&move->lock);
	}
	wake_up(&session->wait);
	kfree(unused);
	return err;
}

/**
 * ballast_move_close - make the current move fail, and every later one
 * @session: will end
 *
 * Context: process
 */
void ballast_move_close(struct ballast_session *session)
{
	spin_lock(&session->move.lock);
	WRITE_ONCE(session->move.closed, true);
	spin_unlock(&session->move.lock);
	wake_up(&session->move.wait);
}

/* Is there something for the thread to do? */
bool ballast_move_has_work(const struct ballast_move *move)
{
	return READ_ONCE(move->state) == BALLAST_MOVE_WANTED ||
	       ballast_move_is_ready(move);
}

/**
 * ballast_move_interrupts - is there something better to do than to wait?
 * @move: of the session
 * @trying: the thread waits for the new server, else for the session's own
 *
 * A server may keep the thread waiting for minutes.
 *
 * Context: the session's thread
 * Return: whether the process has given the move up, or wants one
 */
bool ballast_move_interrupts(const struct ballast_move *move, bool trying)
{
	return READ_ONCE(move->state) ==
	       (trying ? BALLAST_MOVE_CANCELLED : BALLAST_MOVE_WANTED);
}

/* Return: whether the thread must try a new server, @move->target */
bool ballast_move_begin(struct ballast_move *move)
{
	bool wanted;

	if (READ_ONCE(move->state) != BALLAST_MOVE_WANTED)
		return false;
	spin_lock(&move->lock);
	wanted = move->state == BALLAST_MOVE_WANTED;
	if (wanted)
		move->state = BALLAST_MOVE_TRYING;
	spin_unlock(&move->lock);
	return wanted;
}

/* Has the work queue got the reserves of the new interfaces, or failed? */
bool ballast_move_is_ready(const struct ballast_move *move)
{
	return move->path && ballast_path_ready(move->path);
}

/**
 * ballast_move_commit - the old connections are about to be given up
 * @move: ready
 *
 * Context: the session's thread
 * Return: false: the process was interrupted, so the session keeps its server
 */
bool ballast_move_commit(struct ballast_move *move)
{
	bool commit;

	spin_lock(&move->lock);
	commit = move->state == BALLAST_MOVE_TRYING;
	if (commit)
		move->state = BALLAST_MOVE_COMMITTED;
	spin_unlock(&move->lock);
	return commit;
}

/* Make the new server the session's own. */
void ballast_move_swap(struct ballast_session *session)
{
	spin_lock(&session->move.lock);
	swap(session->target, session->move.target);
	spin_unlock(&session->move.lock);
}

/* Give the new connection and its path up. */
void ballast_move_drop(struct ballast_move *move)
{
	if (move->sock)
		ballast_socket_abort(move->sock);
	move->sock = NULL;
	ballast_path_put_later(move->path);
	move->path = NULL;
}

/* The thread has finished, with @err. */
void ballast_move_finish(struct ballast_move *move, int err)
{
	char *unused = NULL;

	spin_lock(&move->lock);
	if (move->state == BALLAST_MOVE_CANCELLED) {
		unused = move->target.export;
		move->target.export = NULL;
		move->state = BALLAST_MOVE_IDLE;
	} else {
		move->error = err;
		WRITE_ONCE(move->state, BALLAST_MOVE_DONE);
	}
	spin_unlock(&move->lock);
	kfree(unused);
	wake_up(&move->wait);
}

/* After the thread has ended, and the work queue of paths is empty. */
void ballast_move_end(struct ballast_move *move)
{
	if (move->sock)
		ballast_socket_abort(move->sock);
	ballast_path_put(move->path);
	kfree(move->target.export);
	move->sock = NULL;
	move->path = NULL;
	move->target.export = NULL;
}
