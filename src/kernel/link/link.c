// SPDX-License-Identifier: GPL-2.0
/*
 * One TCP connection: its life, from a connected socket to the end; see
 * link.h.
 */
#include "link.h"

#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "reply.h"
#include "reserve/tcpmem.h"
#include "send.h"
#include "socket.h"
#include "watch.h"

/* The socket's callbacks. TCP calls all of them under the socket lock. */

static struct ballast_link *link_of(struct sock *sk)
{
	sock_owned_by_me(sk);
	return sk->sk_user_data;
}

/*
 * Reading sends an ACK. So it is deferred to the end of the receive softirq:
 * one ACK then covers all segments of that softirq, or the next request carries
 * it. While sockets have used up their memory it is not deferred: the receive
 * queue must be empty when the next segment arrives.
 */
static void link_data_ready(struct sock *sk)
{
	struct ballast_link *link = link_of(sk);

	if (!link)
		return;
	if (ballast_tcpmem_short(sk))
		ballast_reply_read(link, sk);
	else
		tasklet_schedule(&link->reader);
}

static void link_write_space(struct sock *sk)
{
	struct ballast_link *link = link_of(sk);

	if (!link || !sk_stream_is_writeable(sk))
		return;
	clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	ballast_send_locked(link, sk);
}

static void link_state_change(struct sock *sk)
{
	struct ballast_link *link = link_of(sk);

	if (!link)
		return;
	switch (sk->sk_state) {
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
	case TCP_TIME_WAIT:
	case TCP_CLOSE:
		WRITE_ONCE(link->closed, true);
		ballast_link_fail(link, sk->sk_err ? -sk->sk_err : -ECONNRESET,
				  "the connection was closed");
		wake_up(link->wait);
	}
}

static void link_error_report(struct sock *sk)
{
	struct ballast_link *link = link_of(sk);

	if (link && sk->sk_err)
		ballast_link_fail(link, -sk->sk_err, "the connection broke");
}

static void link_set_callbacks(struct ballast_link *link, struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	link->saved_data_ready = sk->sk_data_ready;
	link->saved_write_space = sk->sk_write_space;
	link->saved_state_change = sk->sk_state_change;
	link->saved_error_report = sk->sk_error_report;
	sk->sk_user_data = link;
	sk->sk_data_ready = link_data_ready;
	sk->sk_write_space = link_write_space;
	sk->sk_state_change = link_state_change;
	sk->sk_error_report = link_error_report;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void link_restore_callbacks(struct ballast_link *link, struct sock *sk)
{
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = link->saved_data_ready;
	sk->sk_write_space = link->saved_write_space;
	sk->sk_state_change = link->saved_state_change;
	sk->sk_error_report = link->saved_error_report;
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void link_read(struct ballast_link *link, struct sock *sk)
{
	ballast_reply_read_and_send(link, sk);
	ballast_link_note_route(link, sk);
}

static void link_reader(struct tasklet_struct *tasklet)
{
	struct ballast_link *link = from_tasklet(link, tasklet, reader);

	ballast_link_run(link, link_read);
}

static void link_retry(struct timer_list *timer)
{
	struct ballast_link *link = timer_container_of(link, timer, retry);

	ballast_link_run(link, link_read);
	ballast_link_run(link, ballast_send_locked);
	ballast_link_run(link, ballast_watch_locked);
}

/**
 * ballast_link_init - initialize a link that has no connection
 * @link: zeroed, except its index, its slots and its fences
 * @timeout: seconds that a request may stay unanswered; 0: no limit
 * @wait: woken when the link fails, is closed, or has requests and no socket
 *
 * Context: process
 */
void ballast_link_init(struct ballast_link *link, unsigned int timeout,
		       wait_queue_head_t *wait)
{
	init_llist_head(&link->submitted);
	INIT_LIST_HEAD(&link->unsent_reads);
	INIT_LIST_HEAD(&link->unsent);
	INIT_LIST_HEAD(&link->sent);
	timer_setup(&link->retry, link_retry, 0);
	ballast_watch_init(link);
	tasklet_setup(&link->reader, link_reader);
	ratelimit_state_init(&link->said, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	link->timeout = timeout * HZ;
	link->wait = wait;
}

/* End a link that has no connection, and to which no request is submitted. */
void ballast_link_destroy(struct ballast_link *link)
{
	WARN_ON_ONCE(rcu_access_pointer(link->sk) ||
		     !llist_empty(&link->submitted));
	tasklet_kill(&link->reader);
	timer_shutdown_sync(&link->retry);
	timer_shutdown_sync(&link->watch);
}

/**
 * ballast_link_start - begin to send requests over a connection
 * @link: has no connection
 * @sock: after the negotiation; @link owns it from now on
 * @structured: the server answers reads with structured replies
 *
 * Context: the session's thread; sleeps
 */
void ballast_link_start(struct ballast_link *link, struct socket *sock,
			bool structured)
{
	struct sock *sk = sock->sk;

	lock_sock(sk);
	link->sock = sock;
	link->structured = structured;
	link->failed = false;
	link->closed = false;
	link->answered = false;
	link->repath = ballast_path_stale(link->path, sk);
	link->repath_failed_at = jiffies - BALLAST_REPATH;
	link->gso_max_size = 0;
	link->frags = 0;
	link->rx = (struct ballast_rx) { .want = WIRE_SIMPLE_REPLY_LEN };
	link_set_callbacks(link, sk);
	rcu_assign_pointer(link->sk, sk);

	/* Handle what arrived before the callbacks were set. */
	ballast_reply_read(link, sk);
	link_state_change(sk);
	release_sock(sk);

	smp_mb(); /* pairs with llist_add() in ballast_send_submit() */
	ballast_send_kick(link);
}

/**
 * ballast_link_finish - tell the server that no request will follow
 * @link: no request is in flight
 *
 * When the server has closed its side, @link->closed becomes true and
 * @link->wait is woken.
 *
 * Context: the end of the session; sleeps
 */
void ballast_link_finish(struct ballast_link *link)
{
	u8 header[WIRE_REQUEST_LEN];
	struct kvec vec = { .iov_base = header, .iov_len = sizeof(header) };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct sock *sk;

	if (!link->sock)
		return;
	sk = link->sock->sk;
	lock_sock(sk);
	if (!link->failed) {
		ballast_wire_put_request(header, 0, NBD_CMD_DISC, 0, 0, 0);
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1,
			      vec.iov_len);
		/* If this cannot be sent, the close tells the server. */
		tcp_sendmsg_locked(sk, &msg, vec.iov_len);
		WRITE_ONCE(link->failed, true);
	} else {
		WRITE_ONCE(link->closed, true);
	}
	release_sock(sk);
	kernel_sock_shutdown(link->sock, SHUT_WR);
}

/**
 * ballast_link_update_route - check whether the connection's route has moved
 * @link: live
 * @look: look the route up; otherwise only sending a packet does
 *
 * Context: the session's thread; sleeps
 * Return: whether the caller must get a new path for @link
 */
bool ballast_link_update_route(struct ballast_link *link, bool look)
{
	struct sock *sk = link->sock->sk;

	lock_sock(sk);
	if (look)
		inet_csk(sk)->icsk_af_ops->rebuild_header(sk);
	if (look || link->repath)
		link->repath = ballast_path_stale(link->path, sk);
	release_sock(sk);
	return link->repath;
}

/**
 * ballast_link_use_path - replace the interfaces of a link
 * @link: the link
 * @path: the interfaces; @link owns it from now on
 *
 * Context: the session's thread; sleeps
 * Return: the former path, which the caller must put
 */
struct ballast_path *ballast_link_use_path(struct ballast_link *link,
					   struct ballast_path *path)
{
	struct sock *sk = link->sock ? link->sock->sk : NULL;
	unsigned int users, i;

	if (sk)
		lock_sock(sk);
	users = !!link->inflight + link->outage + link->holds;
	local_bh_disable();
	for (i = 0; i < users; i++)
		ballast_path_io_begin(path);
	swap(link->path, path);
	for (i = 0; i < users; i++)
		ballast_path_io_end(path);
	link->repath = false;
	local_bh_enable();
	if (sk)
		release_sock(sk);
	return path;
}

static void link_count_path(struct ballast_link *link, bool begin)
{
	local_bh_disable();
	if (begin)
		ballast_path_io_begin(link->path);
	else
		ballast_path_io_end(link->path);
	local_bh_enable();
}

/**
 * ballast_link_outage - the connection is lost, or no longer lost
 * @link: has no connection
 * @lost: true: lost, to be restored; false: restored, or given up for good
 *
 * While it is lost, the reserve counts it as a request in flight: the handshake
 * needs packet memory.
 *
 * Context: the session's thread
 */
void ballast_link_outage(struct ballast_link *link, bool lost)
{
	if (link->outage == lost)
		return;
	link->outage = lost;
	link_count_path(link, lost);
}

/**
 * ballast_link_hold_path - let an old connection use the reserve, or end that
 * @link: had the connection
 * @hold: true: from now on; false: no longer
 *
 * Context: the session's thread
 */
void ballast_link_hold_path(struct ballast_link *link, bool hold)
{
	link->holds += hold ? 1 : -1;
	link_count_path(link, hold);
}

static void link_take_back(struct ballast_link *link, struct list_head *from,
			   struct list_head *cmds)
{
	struct ballast_cmd *cmd;
	unsigned int nr = 0;

	list_for_each_entry(cmd, from, entry) {
		WRITE_ONCE(link->slots[cmd->index].link, NULL);
		nr++;
	}
	list_splice_tail_init(from, cmds);
	local_bh_disable();
	ballast_link_ended(link, nr);
	local_bh_enable();
}

/**
 * ballast_link_release - take the connection and the requests from a link
 * @link: the link; one without a connection is allowed
 * @cmds: unanswered requests are added here, and those submitted while there
 *	  was no connection
 *
 * Context: the session's thread, or after it has ended; sleeps
 * Return: the socket, which the caller owns; NULL: there was none
 */
struct socket *ballast_link_release(struct ballast_link *link,
				    struct list_head *cmds)
{
	struct socket *sock = link->sock;
	struct llist_node *node;
	struct ballast_cmd *cmd, *next;

	if (sock) {
		struct sock *sk = sock->sk;

		lock_sock(sk);
		link_restore_callbacks(link, sk);
		RCU_INIT_POINTER(link->sk, NULL);
		link->sock = NULL;
		release_sock(sk);
		synchronize_rcu(); /* for ballast_link_run() */
	}

	link_take_back(link, &link->sent, cmds);
	link_take_back(link, &link->unsent_reads, cmds);
	link_take_back(link, &link->unsent, cmds);
	node = llist_reverse_order(llist_del_all(&link->submitted));
	llist_for_each_entry_safe(cmd, next, node, submit)
		list_add_tail(&cmd->entry, cmds);
	return sock;
}

/**
 * ballast_link_give_up - make a working connection fail
 * @link: the link; one without a connection is allowed
 * @why: the reason in words
 *
 * Context: the session's thread; sleeps
 */
void ballast_link_give_up(struct ballast_link *link, const char *why)
{
	if (!link->sock)
		return;
	lock_sock(link->sock->sk);
	ballast_link_fail(link, -ECONNABORTED, why);
	release_sock(link->sock->sk);
}

/* As ballast_link_release(), and abort the connection. */
void ballast_link_stop(struct ballast_link *link, struct list_head *cmds)
{
	struct socket *sock = ballast_link_release(link, cmds);

	if (sock)
		ballast_socket_abort(sock);
}
