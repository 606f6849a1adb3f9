/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finds the interfaces between a session's links and the server, and follows
 * their routes.
 */
#ifndef BALLAST_PATHS_H
#define BALLAST_PATHS_H

struct ballast_link;
struct ballast_path;
struct ballast_session;
struct sock;

struct ballast_path *ballast_paths_find(const struct ballast_session *session,
					struct sock *sk);
int ballast_paths_use(struct ballast_session *session,
		      struct ballast_link *link, struct sock *sk);
long ballast_paths_move(struct ballast_session *session);

#endif /* BALLAST_PATHS_H */
