// SPDX-License-Identifier: GPL-2.0
/*
 * One TCP connection: its life and its sending half; see link.h. What
 * comes back is read in reply.c.
 */
#include "link.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/interrupt.h>
#include <linux/net.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "cmd.h"
#include "compat.h"
#include "reply.h"
#include "reserve/tcpmem.h"
#include <trace/events/ballast.h>

/* How long one message of the negotiation may take to come. */
#define LINK_TIMEOUT		(10 * HZ)

/*
 * When to try again where no event tells: the allocation of a packet
 * failed, or somebody in process context held the socket.
 */
#define LINK_RETRY		max(HZ / 100, 1)

/*
 * No acknowledgment for so long, of what was sent again meanwhile: nobody is
 * there, and waiting for TCP's own timeouts, which double, would take up to
 * two minutes after he is back. A server that is merely slow acknowledges.
 */
#define LINK_SILENT		(5 * HZ)
#define LINK_WATCH		HZ
/*
 * Seconds: the same where nothing of ours is under way, for the answer may be
 * what was lost; then only the server's TCP sends again, ever more rarely.
 */
#define LINK_KEEPIDLE		3
#define LINK_KEEPINTVL		1
#define LINK_KEEPCNT		3

/*
 * What a packet may hold while the reserve is in use. A card that has about
 * 17 descriptors for a packet takes it as it is; a driver that must
 * linearize it asks for up to 64 KiB in one piece, and drops it without a
 * word when there are none.
 */
#define LINK_FEW_BYTES		(28U << 10)
#define LINK_FEW_FRAGS		14

static void link_send(struct ballast_link *link, struct sock *sk);
static void link_watch(struct ballast_link *link, struct sock *sk);

/**
 * ballast_link_fail - give a connection up
 * @link: under its lock
 * @err: a negative errno
 * @why: what was wrong, in words; the first failure is kept
 *
 * The disk's thread does the rest: it aborts the connection, sends the
 * requests elsewhere and connects anew.
 */
void ballast_link_fail(struct ballast_link *link, int err, const char *why)
{
	if (link->failed)
		return;
	link->err = err;
	link->why = why;
	link->failed_at = get_jiffies_64();
	/* Whoever sees it sees the above; pairs with left_of_deadline(). */
	smp_store_release(&link->failed, true);
	wake_up(link->wait);
}

/* The socket's callbacks; TCP makes all of them under the socket lock. */

/*
 * Reading acknowledges. So it is put off to the end of the receive softirq,
 * where one acknowledgment serves all that came in it, or the next request
 * carries it. Not so where sockets have used up their memory: then the
 * receive queue must be empty when the next segment comes.
 */
static void link_data_ready(struct sock *sk)
{
	struct ballast_link *link = sk->sk_user_data;

	if (!link)
		return;
	if (ballast_tcpmem_short(sk))
		ballast_reply_read(link, sk);
	else
		tasklet_schedule(&link->reader);
}

static void link_write_space(struct sock *sk)
{
	struct ballast_link *link = sk->sk_user_data;

	if (!link || !sk_stream_is_writeable(sk))
		return;
	clear_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	link_send(link, sk);
}

static void link_state_change(struct sock *sk)
{
	struct ballast_link *link = sk->sk_user_data;

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
	struct ballast_link *link = sk->sk_user_data;

	if (link && sk->sk_err)
		ballast_link_fail(link, -sk->sk_err, "the connection broke");
}

/* Bring @cmd into the state of a request of which nothing is sent. */
static void cmd_prepare(struct ballast_link *link, struct ballast_cmd *cmd)
{
	cmd->cookie = (u64)++link->generation << 32 | cmd->index;
	cmd->began_at = jiffies;
	cmd->header_sent = 0;
	cmd->error = 0;
	wire_cover_init(&cmd->cover);
	wire_put_request(cmd->header, cmd->flags, cmd->type, cmd->cookie,
			 cmd->offset, cmd->length);
	ballast_cmd_rewind(cmd);
}

static void link_take_submitted(struct ballast_link *link)
{
	struct ballast_cmd *cmd, *next;
	struct llist_node *node;

	/* Mostly so, and asking leaves the cache line with who submits. */
	if (llist_empty(&link->submitted))
		return;
	node = llist_reverse_order(llist_del_all(&link->submitted));
	llist_for_each_entry_safe(cmd, next, node, submit) {
		cmd_prepare(link, cmd);
		list_add_tail(&cmd->entry, &link->unsent);
		if (!link->inflight++)
			ballast_path_io_begin(link->path);
	}
}

/* @nr requests are in flight here no longer. Under the link's lock. */
void ballast_link_ended(struct ballast_link *link, unsigned int nr)
{
	if (!nr)
		return;
	link->inflight -= nr;
	if (!link->inflight)
		ballast_path_io_end(link->path);
}

/*
 * Packets of few fragments, or of as many as TCP likes. The size is enough
 * for large requests, whose fragments are pages; small ones are counted, in
 * cmd_end_packet().
 */
static void link_limit_packets(struct ballast_link *link, struct sock *sk,
			       bool few)
{
	if (few && sk->sk_gso_max_size > LINK_FEW_BYTES) {
		link->gso_max_size = sk->sk_gso_max_size;
		sk->sk_gso_max_size = LINK_FEW_BYTES;
	} else if (!few && sk->sk_gso_max_size == LINK_FEW_BYTES &&
		   link->gso_max_size) {
		sk->sk_gso_max_size = link->gso_max_size;
	}
	link->few = few;
}

/* Shall the header of @cmd be the end of a packet? */
static bool cmd_end_packet(struct ballast_link *link, struct ballast_cmd *cmd)
{
	unsigned int pages = 0, most = LINK_FEW_BYTES / PAGE_SIZE + 1;
	bool end;

	if (cmd->type == NBD_CMD_WRITE)
		pages = min_t(unsigned int, most,
			      DIV_ROUND_UP(cmd->length, PAGE_SIZE));
	end = link->few && link->frags + 1 + pages > LINK_FEW_FRAGS;
	link->frags = end ? pages : link->frags + 1 + pages;
	return end;
}

static int cmd_send_header(struct ballast_cmd *cmd, struct sock *sk, int flags)
{
	while (cmd->header_sent < WIRE_REQUEST_LEN) {
		struct msghdr msg = { .msg_flags = flags };
		struct kvec vec = {
			.iov_base = cmd->header + cmd->header_sent,
			.iov_len = WIRE_REQUEST_LEN - cmd->header_sent,
		};
		int n;

		/* 28 bytes into the socket's page fragment, __GFP_MEMALLOC. */
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1,
			      vec.iov_len);
		n = tcp_sendmsg_locked(sk, &msg, vec.iov_len);
		if (n < 0)
			return n;
		cmd->header_sent += n;
	}
	return 0;
}

static int cmd_send_data(struct ballast_cmd *cmd, struct sock *sk, int flags,
			 bool more)
{
	while (cmd->done < cmd->length) {
		struct msghdr msg = { .msg_flags = flags };
		size_t len = min_t(size_t, ballast_cmd_left_in_bio(cmd),
				   sk_send_most(sk));
		int n;

		if (more || cmd->done + len < cmd->length)
			msg.msg_flags |= MSG_MORE;
		msg.msg_iter = cmd->iter;
		iov_iter_truncate(&msg.msg_iter, len);
		/* In place where it can be; else copied, __GFP_MEMALLOC. */
		n = cmd->splice ? sendmsg_splice_locked(sk, &msg, len) :
				  tcp_sendmsg_locked(sk, &msg, len);
		if (n < 0)
			return n;
		ballast_cmd_advance(cmd, n);
	}
	return 0;
}

static int cmd_send(struct ballast_link *link, struct ballast_cmd *cmd,
		    struct sock *sk, bool more)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	bool data = cmd->type == NBD_CMD_WRITE;
	int end = !cmd->header_sent && cmd_end_packet(link, cmd) ? MSG_EOR : 0;
	int err;

	err = cmd_send_header(cmd, sk,
			      flags | end | (more || data ? MSG_MORE : 0));
	if (!err && data)
		err = cmd_send_data(cmd, sk, flags, more);
	return err;
}

/* Has the route moved? Then the disk's thread gets the reserves on it. */
static void link_check_path(struct ballast_link *link, struct sock *sk)
{
	if (link->repath || time_before(jiffies, link->repath_at) ||
	    !ballast_path_stale(link->path, sk))
		return;
	WRITE_ONCE(link->repath, true);
	wake_up(link->wait);
}

/*
 * Send what there is, as far as the socket takes it. Never sleeps: the lock
 * may be the spinlock; and where it is not, a backlog being worked off in
 * process context, softirqs are kept out for the reserve's sake. @sending is
 * there because tcp_sendmsg_locked() calls write_space itself when it fails
 * with nothing queued.
 */
static void link_send(struct ballast_link *link, struct sock *sk)
{
	struct ballast_cmd *cmd;
	unsigned int noreclaim;
	bool more;
	int err = 0, rest;

	if (link->sending || link->failed)
		return;
	link->sending = true;
	noreclaim = memalloc_noreclaim_save();
	local_bh_disable();
	ballast_tcpmem_charge(sk);
	rest = sk_take_rest(sk);
	/* First, so that the reserve knows of them when it is asked. */
	link_take_submitted(link);
	link_limit_packets(link, sk, ballast_path_check(link->path));
	for (;;) {
		link_take_submitted(link);
		cmd = list_first_entry_or_null(&link->unsent,
					       struct ballast_cmd, entry);
		if (!cmd)
			break;
		more = !list_is_last(&cmd->entry, &link->unsent) ||
		       !llist_empty(&link->submitted);
		err = cmd_send(link, cmd, sk, more);
		if (err)
			break;
		list_move_tail(&cmd->entry, &link->sent);
		link->slots[cmd->index].cmd = cmd;
		WRITE_ONCE(link->slots[cmd->index].link, link);
		trace_ballast_rq_sent(cmd);
	}
	sk_put_rest(sk, rest);
	link_check_path(link, sk);
	if (link->inflight && !timer_pending(&link->watch))
		mod_timer(&link->watch, jiffies + LINK_WATCH);
	local_bh_enable();
	memalloc_noreclaim_restore(noreclaim);
	link->sending = false;

	if (err == -EAGAIN)
		mod_timer(&link->retry, jiffies + LINK_RETRY);
	else if (err)
		ballast_link_fail(link, err, "sending failed");
}

static void link_read(struct ballast_link *link, struct sock *sk)
{
	ballast_reply_read(link, sk);
	link_check_path(link, sk);
}

/* Do it under the lock; if somebody in process context has that, all of it soon. */
static void link_run(struct ballast_link *link,
		     void (*run)(struct ballast_link *link, struct sock *sk))
{
	struct sock *sk;

	rcu_read_lock();
	local_bh_disable();
	sk = READ_ONCE(link->sk);
	if (sk) {
		bh_lock_sock(sk);
		/* The socket lives until a grace period after sk is gone. */
		if (READ_ONCE(link->sk) != sk)
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
 * ballast_link_kick - send what has been submitted
 * @link: any context but hard interrupt
 *
 * When the link has no socket its disk's thread takes care of what was
 * submitted.
 */
void ballast_link_kick(struct ballast_link *link)
{
	link_run(link, link_send);
}

static void link_reader(struct tasklet_struct *tasklet)
{
	struct ballast_link *link = from_tasklet(link, tasklet, reader);

	link_run(link, link_read);
}

/**
 * ballast_link_submit - hand a request over
 * @link: where it goes; within an RCU read section or from the disk's thread
 * @cmd: type, flags, offset, length and index are filled in
 *
 * It goes out with the next ballast_link_kick(). The barrier in llist_add()
 * pairs with the one in ballast_link_start(): either the request is found
 * there, or the new socket is seen here.
 */
void ballast_link_submit(struct ballast_link *link, struct ballast_cmd *cmd)
{
	llist_add(&cmd->submit, &link->submitted);
	if (!ballast_link_live(link))
		wake_up(link->wait);
}

static void link_retry(struct timer_list *timer)
{
	struct ballast_link *link = timer_container_of(link, timer, retry);

	link_run(link, link_read);
	link_run(link, link_send);
	link_run(link, link_watch);
}

/* Is nobody there who would acknowledge what was sent? */
static bool link_silent(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	/* tcp_jiffies32 is what TCP keeps of jiffies. */
	return tp->packets_out && inet_csk(sk)->icsk_retransmits &&
	       (s32)(tcp_jiffies32 - tp->rcv_tstamp) > (s32)LINK_SILENT;
}

static void link_watch(struct ballast_link *link, struct sock *sk)
{
	struct ballast_cmd *oldest;

	if (link->failed || !link->inflight)
		return;
	oldest = list_first_entry(list_empty(&link->sent) ? &link->unsent :
							    &link->sent,
				  struct ballast_cmd, entry);
	if (time_after(jiffies, oldest->began_at + LINK_SILENT) &&
	    link_silent(sk))
		ballast_link_fail(link, -ETIMEDOUT,
				  "the server's machine does not answer");
	else if (link->timeout &&
		 time_after(jiffies, oldest->began_at + link->timeout))
		ballast_link_fail(link, -ETIMEDOUT,
				  "a request was not answered in time");
	else
		mod_timer(&link->watch, jiffies + LINK_WATCH);
}

static void link_watch_tick(struct timer_list *timer)
{
	struct ballast_link *link = timer_container_of(link, timer, watch);

	link_run(link, link_watch);
}

/**
 * ballast_link_init - make a link that has no connection
 * @link: zeroed
 * @slots: shared by all links of a disk
 * @nr_slots: how many
 * @timeout: seconds that a request may go unanswered; 0: for ever
 * @wait: woken when the link fails, is closed, or has requests and no socket
 */
void ballast_link_init(struct ballast_link *link, struct ballast_slot *slots,
		       u32 nr_slots, unsigned int timeout,
		       wait_queue_head_t *wait)
{
	init_llist_head(&link->submitted);
	INIT_LIST_HEAD(&link->unsent);
	INIT_LIST_HEAD(&link->sent);
	timer_setup(&link->retry, link_retry, 0);
	timer_setup(&link->watch, link_watch_tick, 0);
	tasklet_setup(&link->reader, link_reader);
	ratelimit_state_init(&link->said, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	link->slots = slots;
	link->nr_slots = nr_slots;
	link->timeout = timeout * HZ;
	link->wait = wait;
}

/* End a link that has no connection; nothing may be submitted any more. */
void ballast_link_destroy(struct ballast_link *link)
{
	WARN_ON_ONCE(link->sk || !llist_empty(&link->submitted));
	tasklet_kill(&link->reader);
	timer_shutdown_sync(&link->retry);
	timer_shutdown_sync(&link->watch);
}

/**
 * ballast_link_get_memalloc - let there be sockets that may use the reserves
 * @sock: for ballast_link_put_memalloc()
 *
 * A disk needs one as long as it has connections, and sends nothing over it.
 * sk_set_memalloc() patches the kernel's code when there is no other such
 * socket. The locks for that (jump_label_mutex, CPU hotplug's) are held by
 * others while they wait for memory, to load a module for one: it must not
 * be done anew by a disk that reconnects, which that memory waits for.
 *
 * Context: process; waits for memory
 * Return: 0 or an errno
 */
int ballast_link_get_memalloc(struct socket **sock)
{
	int err = sock_create_kern(&init_net, AF_INET, SOCK_DGRAM, IPPROTO_UDP,
				   sock);

	if (!err)
		sk_set_memalloc((*sock)->sk);
	return err;
}

/**
 * ballast_link_put_memalloc - the end of that
 * @sock: from ballast_link_get_memalloc()
 *
 * Context: process; may wait for memory
 */
void ballast_link_put_memalloc(struct socket *sock)
{
	sk_clear_memalloc(sock->sk);
	sock_release(sock);
}

/* sk_set_memalloc() without the patching, see ballast_link_get_memalloc(). */
static void link_set_memalloc(struct sock *sk)
{
	sock_set_flag(sk, SOCK_MEMALLOC);
	sk->sk_allocation |= __GFP_MEMALLOC;
}

/**
 * ballast_link_connect - make a connection
 * @net: network namespace
 * @addr: of the server
 * @timeout: jiffies
 *
 * Waits, interruptibly, for @timeout at most.
 *
 * Return: a connected socket that may use the memory reserves, or an errno
 */
struct socket *ballast_link_connect(struct net *net,
				    const struct sockaddr_storage *addr,
				    long timeout)
{
	struct sockaddr_storage to = *addr;
	struct socket *sock;
	struct sock *sk;
	int err;

	err = sock_create_kern(net, to.ss_family, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err)
		return ERR_PTR(err);
	sk = sock->sk;
	/* Nothing on this socket may wait for reclaim, which waits for us. */
	sk->sk_allocation = GFP_ATOMIC;
	sk_keep_task_frag(sk);
	link_set_memalloc(sk);
	sk->sk_rcvtimeo = LINK_TIMEOUT;
	sk->sk_sndtimeo = timeout;
	tcp_sock_set_nodelay(sk);
	sock_set_keepalive(sk);
	tcp_sock_set_keepidle(sk, LINK_KEEPIDLE);
	tcp_sock_set_keepintvl(sk, LINK_KEEPINTVL);
	tcp_sock_set_keepcnt(sk, LINK_KEEPCNT);

	err = kernel_connect(sock, (struct sockaddr_unsized *)&to, sizeof(to),
			     0);
	if (err) {
		ballast_link_disconnect(sock);
		return ERR_PTR(err == -EINPROGRESS ? -ETIMEDOUT : err);
	}
	return sock;
}

/**
 * ballast_link_disconnect - close a socket that no link uses
 * @sock: from ballast_link_connect()
 *
 * It is aborted, unless both sides have closed it before: no byte of it may
 * reach the server later, and nothing of it may outlive the namespace.
 */
void ballast_link_disconnect(struct socket *sock)
{
	sock_no_linger(sock->sk);
	sock_release(sock);
}

/**
 * ballast_link_start - begin to send requests over a connection
 * @link: without one so far; from the disk's thread
 * @sock: after the negotiation; belongs to @link from now on
 * @structured: reads are answered in structured replies
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
	link->repath_at = jiffies;
	link->gso_max_size = 0;
	link->frags = 0;
	link->rx = (struct ballast_rx) { .want = WIRE_SIMPLE_REPLY_LEN };

	link->saved_data_ready = sk->sk_data_ready;
	link->saved_write_space = sk->sk_write_space;
	link->saved_state_change = sk->sk_state_change;
	link->saved_error_report = sk->sk_error_report;
	sk->sk_user_data = link;
	sk->sk_data_ready = link_data_ready;
	sk->sk_write_space = link_write_space;
	sk->sk_state_change = link_state_change;
	sk->sk_error_report = link_error_report;
	WRITE_ONCE(link->sk, sk);

	/* What came before the callbacks were there. */
	ballast_reply_read(link, sk);
	link_state_change(sk);
	release_sock(sk);

	smp_mb(); /* pairs with llist_add() in ballast_link_submit() */
	ballast_link_kick(link);
}

/**
 * ballast_link_finish - tell the server that no request will come
 * @link: with no request in flight; from whoever ends the disk
 *
 * @link->closed becomes true, and @link->wait is woken, when the server has
 * closed its side.
 */
void ballast_link_finish(struct ballast_link *link)
{
	u8 header[WIRE_REQUEST_LEN];
	struct kvec vec = { .iov_base = header, .iov_len = sizeof(header) };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct sock *sk = link->sk;

	if (!sk)
		return;
	lock_sock(sk);
	if (!link->failed) {
		wire_put_request(header, 0, NBD_CMD_DISC, 0, 0, 0);
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1,
			      vec.iov_len);
		/* A courtesy: when it can't be sent, the closing says it. */
		tcp_sendmsg_locked(sk, &msg, vec.iov_len);
		WRITE_ONCE(link->failed, true);
	} else {
		WRITE_ONCE(link->closed, true);
	}
	release_sock(sk);
	kernel_sock_shutdown(link->sock, SHUT_WR);
}

/**
 * ballast_link_moved - do the connection's packets take another way by now?
 * @link: live; from the disk's thread
 * @look: look for its route, although no packet has been sent since it moved
 *
 * Return: whether ballast_link_use_path() is called for
 */
bool ballast_link_moved(struct ballast_link *link, bool look)
{
	struct sock *sk = link->sk;

	lock_sock(sk);
	if (look)
		inet_csk(sk)->icsk_af_ops->rebuild_header(sk);
	if (look || link->repath)
		link->repath = ballast_path_stale(link->path, sk);
	release_sock(sk);
	return link->repath;
}

/**
 * ballast_link_use_path - the connection's packets take another way
 * @link: from the disk's thread
 * @path: the interfaces; belongs to @link from now on
 *
 * Return: what it had, for the caller to put
 */
struct ballast_path *ballast_link_use_path(struct ballast_link *link,
					   struct ballast_path *path)
{
	struct sock *sk = link->sk;
	bool busy;

	if (sk)
		lock_sock(sk);
	busy = link->inflight;
	local_bh_disable();
	if (busy)
		ballast_path_io_begin(path);
	swap(link->path, path);
	if (busy)
		ballast_path_io_end(path);
	link->repath = false;
	local_bh_enable();
	if (sk)
		release_sock(sk);
	return path;
}

/**
 * ballast_link_outage - the connection is lost, and is to be made anew
 * @link: without a connection; from the disk's thread
 * @lost: or else it is back, or given up for good
 *
 * Reclaim hangs on the interface meanwhile as if requests were in flight:
 * the handshake needs what the reserve keeps free.
 */
void ballast_link_outage(struct ballast_link *link, bool lost)
{
	if (link->outage == lost)
		return;
	link->outage = lost;
	local_bh_disable();
	if (lost)
		ballast_path_io_begin(link->path);
	else
		ballast_path_io_end(link->path);
	local_bh_enable();
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
 * ballast_link_stop - end the connection and take its requests back
 * @link: from the disk's thread, or when that is gone
 * @cmds: where requests without an answer are added, also those that were
 *	  submitted while there was no connection
 */
void ballast_link_stop(struct ballast_link *link, struct list_head *cmds)
{
	struct socket *sock = link->sock;
	struct llist_node *node;
	struct ballast_cmd *cmd, *next;

	if (sock) {
		struct sock *sk = sock->sk;

		lock_sock(sk);
		sk->sk_data_ready = link->saved_data_ready;
		sk->sk_write_space = link->saved_write_space;
		sk->sk_state_change = link->saved_state_change;
		sk->sk_error_report = link->saved_error_report;
		sk->sk_user_data = NULL;
		WRITE_ONCE(link->sk, NULL);
		link->sock = NULL;
		release_sock(sk);
		synchronize_rcu(); /* for ballast_link_kick() */
		ballast_link_disconnect(sock);
	}

	link_take_back(link, &link->sent, cmds);
	link_take_back(link, &link->unsent, cmds);
	node = llist_reverse_order(llist_del_all(&link->submitted));
	llist_for_each_entry_safe(cmd, next, node, submit)
		list_add_tail(&cmd->entry, cmds);
}
