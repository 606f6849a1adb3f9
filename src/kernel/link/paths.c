// SPDX-License-Identifier: GPL-2.0
/*
 * The interfaces to the server, and their reserves, of each link; see paths.h.
 */
#include "paths.h"

#include <linux/err.h>
#include <linux/string.h>

#include "compat.h"
#include "session.h"

/**
 * ballast_paths_find - find the interfaces of a connection
 * @session: the session
 * @sk: connected
 *
 * Context: the session's thread
 * Return: the path, whose reserves are not in use yet; or an ERR_PTR
 */
struct ballast_path *ballast_paths_find(const struct ballast_session *session,
					struct sock *sk)
{
	const struct ballast_options *opts = &session->opts;
	struct ballast_demand demand = {
		.requests = opts->queue_depth,
		.pages = opts->reserve,
		.filter = opts->filter,
		.nr_allow = opts->nr_allow,
	};

	memcpy(demand.allow, opts->allow, sizeof(demand.allow));
	return ballast_path_find(sk, &demand);
}

/**
 * ballast_paths_use - get the reserves for a connection of the attach
 * @session: the session
 * @link: has no connection yet; the first one must get its reserves in full
 * @sk: its socket
 *
 * Context: the session's thread; waits for memory: no other process can wait
 * for the disk yet
 * Return: 0 or an errno
 */
int ballast_paths_use(struct ballast_session *session,
		      struct ballast_link *link, struct sock *sk)
{
	bool first = link == session->links;
	struct ballast_path *path;
	int err;

	path = ballast_paths_find(session, sk);
	if (IS_ERR(path))
		return first ? PTR_ERR(path) : 0;
	err = ballast_path_use(path);
	if (!err && first)
		err = ballast_path_fill(path);
	if (err)
		ballast_path_put(path);
	else
		ballast_link_use_path(link, path);
	return first ? err : 0;
}

/* Return: whether @link has another path now than before */
static bool take_next_path(struct ballast_link *link)
{
	struct ballast_path *path = link->next;
	int err = path->error;

	link->next = NULL;
	if (!err)
		path = ballast_link_use_path(link, path);
	ballast_path_put_later(path);
	return !err;
}

/*
 * Until the reserves of its new route are ready, a link continues with those
 * that it has, or without any. Return: false: getting the reserves failed
 */
static bool move_path(struct ballast_session *session,
		      struct ballast_link *link, bool moved)
{
	struct ballast_path *path = link->next;

	if (path && !ballast_path_ready(path))
		return true;
	if (path && !take_next_path(link))
		return false;
	/* The route may have moved again meanwhile. */
	if (!ballast_link_update_route(link, moved || path))
		return true;
	path = ballast_paths_find(session, link->sock->sk);
	if (IS_ERR(path))
		return false;
	link->next = path;
	ballast_path_use_later(path, &session->wait);
	return true;
}

/**
 * ballast_paths_move - get the reserves of routes that may have moved
 * @session: the session
 *
 * Context: the session's thread
 * Return: jiffies until the retry for links for which that failed
 */
long ballast_paths_move(struct ballast_session *session)
{
	bool moved = xchg(&session->moved, false);
	long left = MAX_SCHEDULE_TIMEOUT;
	struct ballast_link *link;

	ballast_for_each_link(link, session) {
		if (!ballast_link_live(link) || move_path(session, link, moved))
			continue;
		link->repath_failed_at = jiffies;
		left = BALLAST_REPATH;
	}
	return left;
}
