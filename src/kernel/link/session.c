// SPDX-License-Identifier: GPL-2.0
/*
 * The session with one server: set-up, teardown and the path of a request; see
 * session.h. The thread is in reconnect.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "session.h"

#include <linux/kthread.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "compat.h"
#include "reconnect.h"
#include "reserve/reserve.h"
#include "send.h"
#include "socket.h"

/* How long the end of a session waits for the server to close its side. */
#define SESSION_CLOSE_TIMEOUT	HZ

/**
 * ballast_session_resolve - resolve a server's address again
 * @session: the session
 * @target: its server, or one that it may move to
 *
 * Context: process; takes the lock of the move
 * Return: 0 or -EINVAL: it is no address
 */
int ballast_session_resolve(struct ballast_session *session,
			    struct ballast_target *target)
{
	struct ballast_target fresh = *target;
	int err = ballast_target_resolve(&fresh, session->net);

	/* Even on error: without the scope's interface, the rest is valid. */
	spin_lock(&session->move.lock);
	target->addr = fresh.addr;
	spin_unlock(&session->move.lock);
	return err;
}

static int session_check_reserve(const struct ballast_options *opts)
{
	unsigned long max = ballast_reserve_max_pages();

	if (opts->reserve < 0 || opts->reserve <= max)
		return 0;
	pr_err("attach: reserve=%d: is over %lu pages, %s\n", opts->reserve, max,
	       ballast_reserve_max_why());
	return -EINVAL;
}

/**
 * ballast_session_init - prepare a session that has no connection
 * @session: zeroed; ballast_session_free() frees it, also after an error
 * @opts: attach options; copied
 * @name: of the disk
 * @grown: see &struct ballast_session
 * @changed: likewise
 *
 * Context: process; the caller's network namespace becomes the session's
 * Return: 0; -ENOMEM; -EINVAL, and the log names the option at fault
 */
int ballast_session_init(struct ballast_session *session,
			 const struct ballast_options *opts, const char *name,
			 void (*grown)(struct ballast_session *session),
			 void (*changed)(struct ballast_session *session))
{
	struct ballast_link *link;
	int err;

	init_waitqueue_head(&session->wait);
	init_completion(&session->ready);
	strscpy(session->name, name, sizeof(session->name));
	session->grown = grown;
	session->changed = changed;
	session->opts = *opts;
	session->nr_slots = opts->connections * opts->queue_depth;
	session->opts.export = NULL;
	ballast_move_init(&session->move);
	session->net = get_net(current->nsproxy->net_ns);
	session->links = kcalloc(opts->connections, sizeof(*session->links),
				 GFP_KERNEL);
	session->slots = kvcalloc(session->nr_slots, sizeof(*session->slots),
				  GFP_KERNEL);
	err = ballast_fences_init(&session->fences, opts->connections,
				  opts->fence, session->name, &session->wait);
	if (err || ballast_target_init(&session->target, opts) ||
	    !session->links || !session->slots)
		return -ENOMEM;
	ballast_for_each_link(link, session) {
		link->index = link - session->links;
		link->slots = session->slots;
		link->nr_slots = session->nr_slots;
		link->fences = &session->fences;
		ballast_link_init(link, opts->timeout, &session->wait);
	}
	if (opts->verify) {
		session->verify = ballast_verify_alloc();
		if (!session->verify)
			return -ENOMEM;
	}
	err = session_check_reserve(opts);
	if (err)
		return err;
	err = ballast_session_resolve(session, &session->target);
	if (err)
		pr_err("attach: server=%s: is not an IPv4 or IPv6 address\n",
		       session->target.host);
	return err;
}

/**
 * ballast_session_free - undo ballast_session_init()
 * @session: not started, or ended; zeroed is allowed
 *
 * Context: process
 */
void ballast_session_free(struct ballast_session *session)
{
	ballast_fences_free(&session->fences);
	ballast_verify_free(session->verify);
	kvfree(session->slots);
	kfree(session->links);
	if (session->net)
		put_net(session->net);
	kfree(session->target.export);
}

static int session_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct ballast_session *session =
		container_of(nb, struct ballast_session, notifier);

	if (event == NETDEV_UP || event == NETDEV_UNREGISTER ||
	    event == NETDEV_CHANGEUPPER) {
		WRITE_ONCE(session->moved, true);
		wake_up(&session->wait);
	}
	return NOTIFY_DONE;
}

/**
 * ballast_session_start - start the thread, and connect
 * @session: from ballast_session_init()
 *
 * Waits, interruptibly, until every link is connected or one has failed.
 *
 * Context: process
 * Return: 0; -EINTR; another errno, whose reason is in the log. After an error
 * nothing is left to end.
 */
int ballast_session_start(struct ballast_session *session)
{
	struct task_struct *thread;
	int err;

	err = ballast_socket_get_memalloc(&session->memalloc);
	if (err)
		return err;
	session->notifier.notifier_call = session_event;
	err = register_netdevice_notifier_net(session->net, &session->notifier);
	if (err)
		goto put_memalloc;
	thread = kthread_create(ballast_reconnect_thread, session, "%s",
				session->name);
	if (IS_ERR(thread)) {
		err = PTR_ERR(thread);
		goto unregister;
	}
	get_task_struct(thread);
	session->thread = thread;
	wake_up_process(thread);

	if (wait_for_completion_interruptible(&session->ready))
		err = -EINTR;
	else
		err = session->error;
	if (err)
		ballast_session_end(session);
	return err;

unregister:
	unregister_netdevice_notifier_net(session->net, &session->notifier);
put_memalloc:
	ballast_socket_put_memalloc(session->memalloc);
	return err;
}

static void session_stop_thread(struct ballast_session *session)
{
	WRITE_ONCE(session->stopping, true);
	wake_up(&session->wait);
	send_sig(SIGKILL, session->thread, 1);
	kthread_stop(session->thread);
	put_task_struct(session->thread);
	session->thread = NULL;
}

static bool session_all_closed(struct ballast_session *session)
{
	struct ballast_link *link;

	ballast_for_each_link(link, session)
		if (link->sock && !READ_ONCE(link->closed))
			return false;
	return true;
}

static void session_disconnect(struct ballast_session *session)
{
	struct ballast_link *link;

	ballast_for_each_link(link, session)
		ballast_link_finish(link);
	wait_event_timeout(session->wait, session_all_closed(session),
			   SESSION_CLOSE_TIMEOUT);
}

/* End the thread and the connections, with the requests in flight on them. */
static void session_stop(struct ballast_session *session, bool graceful)
{
	struct ballast_link *link;
	LIST_HEAD(cmds);

	session_stop_thread(session);
	if (graceful)
		session_disconnect(session);
	ballast_for_each_link(link, session) {
		ballast_link_stop(link, &cmds);
		ballast_link_outage(link, false);
	}
	ballast_fences_abort(&session->fences, &cmds);
	ballast_cmds_fail(&cmds);
}

/**
 * ballast_session_abort - fail all requests, now and later
 * @session: started; ballast_session_end() is still necessary
 *
 * Whoever holds a lock that the rest of a detach takes may wait for memory, and
 * so for these requests: one of sysfs, of the reserves, or the rtnl. So this
 * takes none of them.
 *
 * Context: process
 */
void ballast_session_abort(struct ballast_session *session)
{
	WRITE_ONCE(session->failing, true);
	synchronize_rcu(); /* for ballast_session_submit() */
	session_stop(session, false);
}

/**
 * ballast_session_end - undo ballast_session_start(), in reverse
 * @session: no request is in flight, and the owner submits no more, or
 *	     ballast_session_abort() was called
 *
 * Disconnects from the server first, if it is connected.
 *
 * Context: process; may wait for memory
 */
void ballast_session_end(struct ballast_session *session)
{
	struct ballast_link *link;

	if (session->thread)
		session_stop(session, true);
	ballast_path_flush();
	ballast_move_end(&session->move);
	ballast_for_each_link(link, session) {
		ballast_path_put(link->path);
		ballast_path_put(link->next);
		ballast_link_destroy(link);
	}
	unregister_netdevice_notifier_net(session->net, &session->notifier);
	ballast_socket_put_memalloc(session->memalloc);
}

/**
 * ballast_session_attached - end the attach: the disk's first reads are done
 * @session: started
 *
 * Context: any
 * Return: true: they were answered in time; false: requests already fail
 */
bool ballast_session_attached(struct ballast_session *session)
{
	if (!xchg(&session->attach_by, 0))
		return false;
	/* The thread recomputes its timeout, now without the attach's. */
	WRITE_ONCE(session->moved, true);
	wake_up(&session->wait);
	return true;
}

/* Make requests in flight fail. From the session's thread. */
void ballast_session_fail_requests(struct ballast_session *session)
{
	struct ballast_link *link;
	LIST_HEAD(cmds);

	synchronize_rcu(); /* for ballast_session_submit() */
	ballast_for_each_link(link, session)
		ballast_link_stop(link, &cmds);
	ballast_fences_abort(&session->fences, &cmds);
	ballast_cmds_fail(&cmds);
}

/**
 * ballast_session_submit - send a request
 * @session: ballast_session_accepts() it
 * @queue: hardware queue; its own link is preferred
 * @cmd: type, flags, offset, length and index are filled in
 * @last: the last of a batch, else ballast_session_commit() follows
 *
 * If the socket is full, the request waits in the link until the socket has
 * room. It does not wait in the block layer, whose work queue may be stuck.
 *
 * Context: under rcu_read_lock(); does not sleep
 */
void ballast_session_submit(struct ballast_session *session, unsigned int queue,
			    struct ballast_cmd *cmd, bool last)
{
	struct ballast_link *link = &session->links[queue];

	ballast_verify_submit(session->verify, cmd);
	if (unlikely(!ballast_link_live(link)))
		link = ballast_session_find_live(session) ?: link;
	ballast_send_submit(link, cmd);
	if (last)
		ballast_send_kick(link);
}

/**
 * ballast_session_commit - send submitted requests
 * @session: its links may have changed in the middle of the batch, so all are
 *	     checked
 *
 * Context: as ballast_session_submit()
 */
void ballast_session_commit(struct ballast_session *session)
{
	struct ballast_link *link;

	ballast_for_each_link(link, session)
		if (!llist_empty(&link->submitted))
			ballast_send_kick(link);
}

/* The state in a word, for sysfs: live, reconnecting or failed. */
const char *ballast_session_state(const struct ballast_session *session)
{
	struct ballast_link *link;

	if (READ_ONCE(session->expired))
		return "failed";
	ballast_for_each_link(link, session)
		if (!ballast_link_live(link))
			return "reconnecting";
	return "live";
}

/**
 * ballast_session_dst - the route of the first connection that has one
 * @session: the session
 *
 * Context: any
 * Return: the route, held; NULL if no connection has one
 */
struct dst_entry *ballast_session_dst(const struct ballast_session *session)
{
	struct dst_entry *dst = NULL;
	struct ballast_link *link;

	rcu_read_lock();
	ballast_for_each_link(link, session) {
		struct sock *sk = rcu_dereference(link->sk);

		if (sk)
			dst = sk_dst_get(sk);
		if (dst)
			break;
	}
	rcu_read_unlock();
	return dst;
}

/**
 * ballast_session_set_reason - set the reason why a connection is missing
 * @session: the session
 * @format: as for printk(), without a newline
 *
 * Context: the session's thread; takes the lock of the move
 */
void ballast_session_set_reason(struct ballast_session *session,
				const char *format, ...)
{
	va_list args;

	va_start(args, format);
	spin_lock(&session->move.lock);
	vscnprintf(session->reason, sizeof(session->reason), format, args);
	spin_unlock(&session->move.lock);
	va_end(args);
}

static struct ballast_news session_news(const struct ballast_session *session)
{
	struct ballast_verify_stats stats;

	ballast_verify_get_stats(session->verify, &stats);
	return (struct ballast_news){
		.state = ballast_session_state(session),
		.verify = stats.state,
		.reconnects = READ_ONCE(session->reconnects),
	};
}

/* Has something changed since the last ballast_session_tell()? */
bool ballast_session_has_news(const struct ballast_session *session)
{
	struct ballast_news news = session_news(session);

	return news.state != session->told.state ||
	       news.verify != session->told.verify ||
	       news.reconnects != session->told.reconnects;
}

/**
 * ballast_session_tell - notify the owner of changes, if there are any
 * @session: the session
 *
 * Context: the session's thread
 */
void ballast_session_tell(struct ballast_session *session)
{
	if (!ballast_session_has_news(session))
		return;
	session->told = session_news(session);
	session->changed(session);
}
