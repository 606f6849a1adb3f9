/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes a new connection of a session, over which requests can then be sent.
 */
#ifndef BALLAST_CONNECT_H
#define BALLAST_CONNECT_H

#include <linux/types.h>

struct ballast_session;
struct ballast_target;
struct socket;
struct wire_export;

/**
 * struct ballast_attempt - how to connect
 * @session: the session
 * @target: the server and its export
 * @attach: for the attach, when no process can wait for the disk yet
 * @first: the first connection of the session, whose export is the disk's
 * @move: to the new server of a move; if refused, the session keeps its own
 * @quiet: log no failure
 * @live_at: get_jiffies_64() when a link of @session was last seen live; 0: not
 *	     since the attempt began
 * @poll: see &struct ballast_wait; called with the attempt, if not @attach
 */
struct ballast_attempt {
	struct ballast_session *session;
	struct ballast_target *target;
	bool attach;
	bool first;
	bool move;
	bool quiet;
	u64 live_at;
	int (*poll)(void *attempt);
};

struct socket *ballast_connect(struct ballast_attempt *how,
			       struct wire_export *export);
void ballast_connect_report(const struct ballast_attempt *how, const char *step,
			    int err, const char *why);

#endif /* BALLAST_CONNECT_H */
