/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Moving a session to another server that has the same data.
 *
 * A process requests it and waits. The session's thread connects to the new
 * server and checks its export and its data, while the old connections still
 * carry requests. Only then it gives them up, as in an outage: unanswered
 * requests are fenced and sent to the new server. If the new server is refused,
 * the session keeps the old one.
 */
#ifndef BALLAST_MOVE_H
#define BALLAST_MOVE_H

#include <linux/spinlock.h>
#include <linux/wait.h>

#include "target.h"
#include "wire.h"

struct ballast_path;
struct ballast_session;
struct socket;

/**
 * enum ballast_move_state - the progress of a move
 * @BALLAST_MOVE_IDLE: there is none
 * @BALLAST_MOVE_WANTED: a process waits for the thread to begin
 * @BALLAST_MOVE_TRYING: the thread tries the new server
 * @BALLAST_MOVE_CANCELLED: likewise, but the process was interrupted
 * @BALLAST_MOVE_COMMITTED: the old connections are being given up
 * @BALLAST_MOVE_DONE: the thread has finished
 */
enum ballast_move_state {
	BALLAST_MOVE_IDLE,
	BALLAST_MOVE_WANTED,
	BALLAST_MOVE_TRYING,
	BALLAST_MOVE_CANCELLED,
	BALLAST_MOVE_COMMITTED,
	BALLAST_MOVE_DONE,
};

/**
 * struct ballast_move - the move of a session
 * @lock: guards @state, @closed, and the session's target against readers in
 *	  sysfs; process context; a leaf
 * @state: its progress; written under @lock
 * @closed: the session ends: no move begins any more
 * @target: the new server; the old one's export after a move
 * @wait: wakes the process
 * @error: result, if @state is BALLAST_MOVE_DONE
 * @sock: to the new server; only the thread uses this and what follows
 * @export: the new server's description of its export
 * @path: the interfaces to the new server; a work queue gets their reserves
 */
struct ballast_move {
	spinlock_t lock;
	enum ballast_move_state state;
	bool closed;
	struct ballast_target target;
	wait_queue_head_t wait;
	int error;
	struct socket *sock;
	struct wire_export export;
	struct ballast_path *path;
};

/* From any process. */
int ballast_move_request(struct ballast_session *session,
			 const struct ballast_options *opts);
void ballast_move_close(struct ballast_session *session);

/* From the session's thread, or before it starts and after it has ended. */
void ballast_move_init(struct ballast_move *move);
bool ballast_move_has_work(const struct ballast_move *move);
bool ballast_move_interrupts(const struct ballast_move *move, bool trying);
bool ballast_move_begin(struct ballast_move *move);
bool ballast_move_is_ready(const struct ballast_move *move);
bool ballast_move_commit(struct ballast_move *move);
void ballast_move_swap(struct ballast_session *session);
void ballast_move_drop(struct ballast_move *move);
void ballast_move_finish(struct ballast_move *move, int err);
void ballast_move_end(struct ballast_move *move);

#endif /* BALLAST_MOVE_H */
