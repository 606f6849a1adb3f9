/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The session with one server: the connections, the requests in flight on
 * them, and the thread that restores connections. Its owner, a disk, embeds it
 * and submits requests to it.
 */
#ifndef BALLAST_SESSION_H
#define BALLAST_SESSION_H

#include <linux/completion.h>
#include <linux/notifier.h>
#include <linux/wait.h>

#include "fence.h"
#include "link.h"
#include "move.h"
#include "options.h"
#include "target.h"
#include "verify.h"
#include "wire.h"

struct dst_entry;
struct net;
struct socket;
struct task_struct;

#define BALLAST_NAME_LEN	32
#define BALLAST_REASON_LEN 160

/**
 * struct ballast_news - values whose change user space may poll for
 * @state: see ballast_session_state()
 * @verify: see &struct ballast_verify_stats
 * @reconnects: number of connections restored: an outage may end before user
 *		space reads the state
 */
struct ballast_news {
	const char *state;
	const char *verify;
	unsigned int reconnects;
};

/**
 * struct ballast_session - the session with one server
 * @name: of the disk, for the log and for the thread
 * @opts: the attach options; @target has the server and the export
 * @net: the attaching task's network namespace, held
 * @target: the server; changes under the lock of @move
 * @move: to another server
 * @export: the server's description of the export; fixed after the first
 *	    connection, except that its size may grow
 * @memalloc: see ballast_socket_get_memalloc()
 * @links: @opts.connections of them; link i serves hardware queue i
 * @slots: the requests in flight by index, shared by @links
 * @nr_slots: number of @slots
 * @fences: the old connections
 * @verify: checks that a server has the written data; NULL: verify=off
 * @thread: makes and restores the connections, see reconnect.c; NULL: it was
 *	    stopped, and there are no connections
 * @wait: wakes @thread, and waiters for @links
 * @notifier: of the interfaces in @net
 * @moved: interfaces or their stacking changed: routes may have moved
 * @ready: the first round of connecting has ended, with @error
 * @error: 0: every link is connected
 * @reconnects: number of connections restored
 * @stopping: @thread must end
 * @attach_by: jiffies; until then the server must have answered the attach's
 *	       reads; 0: no limit
 * @outage: requests wait for a server that does not answer
 * @outage_at: get_jiffies_64(); when that began, if @outage
 * @expired: it has lasted for @opts.deadline seconds, so I/O fails until there
 *	     is a connection
 * @failing: every request fails from now on
 * @grown: called by @thread after @export.size has grown; must not wait for
 *	   memory
 * @changed: called by @thread after the state, @verify's or @reconnects has
 *	     changed; must not wait for memory
 * @told: their values at the last call
 * @reason: why the last connection was lost, or an attempt to restore one
 *	    failed; under the lock of @move
 */
struct ballast_session {
	char name[BALLAST_NAME_LEN];
	struct ballast_options opts;
	struct net *net;
	struct ballast_target target;
	struct ballast_move move;
	struct wire_export export;
	struct socket *memalloc;
	struct ballast_link *links;
	struct ballast_slot *slots;
	u32 nr_slots;
	struct ballast_fences fences;
	struct ballast_verify *verify;

	struct task_struct *thread;
	wait_queue_head_t wait;
	struct notifier_block notifier;
	bool moved;
	struct completion ready;
	int error;
	unsigned int reconnects;
	bool stopping;
	unsigned long attach_by;
	bool outage;
	u64 outage_at;
	bool expired;
	bool failing;
	void (*grown)(struct ballast_session *session);
	void (*changed)(struct ballast_session *session);
	struct ballast_news told;
	char reason[BALLAST_REASON_LEN];
};

int ballast_session_init(struct ballast_session *session,
			 const struct ballast_options *opts, const char *name,
			 void (*grown)(struct ballast_session *session),
			 void (*changed)(struct ballast_session *session));
int ballast_session_resolve(struct ballast_session *session,
			    struct ballast_target *target);
void ballast_session_free(struct ballast_session *session);
int ballast_session_start(struct ballast_session *session);
void ballast_session_end(struct ballast_session *session);
bool ballast_session_attached(struct ballast_session *session);
void ballast_session_abort(struct ballast_session *session);
void ballast_session_fail_requests(struct ballast_session *session);

void ballast_session_submit(struct ballast_session *session, unsigned int queue,
			    struct ballast_cmd *cmd, bool last);
void ballast_session_commit(struct ballast_session *session);

__printf(2, 3) void ballast_session_set_reason(struct ballast_session *session,
					       const char *format, ...);
bool ballast_session_has_news(const struct ballast_session *session);
void ballast_session_tell(struct ballast_session *session);
const char *ballast_session_state(const struct ballast_session *session);
struct dst_entry *ballast_session_dst(const struct ballast_session *session);

#define ballast_for_each_link(_link, _session)        \
	for ((_link) = (_session)->links;             \
	     (_link) < (_session)->links +            \
			       (_session)->opts.connections; \
	     (_link)++)

/* Does the session accept requests? Else they fail. */
static inline bool
ballast_session_accepts(const struct ballast_session *session)
{
	return !READ_ONCE(session->failing) && !READ_ONCE(session->expired);
}

/* Return: a link with a connection, or NULL */
static inline struct ballast_link *
ballast_session_find_live(const struct ballast_session *session)
{
	struct ballast_link *link;

	ballast_for_each_link(link, session)
		if (ballast_link_live(link))
			return link;
	return NULL;
}

#endif /* BALLAST_SESSION_H */
