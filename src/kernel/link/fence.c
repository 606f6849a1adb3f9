// SPDX-License-Identifier: GPL-2.0
/*
 * Fences; see fence.h. The session's thread begins, checks and ends them; the
 * old socket's callbacks detect that the server's side has ended.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "fence.h"

#include <linux/bitops.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "link.h"
#include "reply.h"
#include "reserve/pressure.h"
#include "socket.h"

#define FENCE_MOST		64	/* bits in &ballast_fences.active */
/* Polling interval: no event reports that a packet has left a queue. */
#define FENCE_LOOK		max(HZ / 20, 1)
/* Time for packets to leave an interface's queue after an abort. */
#define FENCE_DRAIN		HZ
/* How much longer than a fence TCP may keep a connection; some time before it. */
#define FENCE_TCP		(15 * 60 * HZ)

/**
 * ballast_fences_init - prepare for old connections
 * @set: zeroed; ballast_fences_free() frees it, also after an error
 * @connections: of the session
 * @seconds: how long a fence may last; 0: no fence at all
 * @name: of the disk
 * @wait: woken when a fence has ended
 *
 * Context: process; waits for memory
 * Return: 0 or -ENOMEM
 */
int ballast_fences_init(struct ballast_fences *set, unsigned int connections,
			unsigned int seconds, const char *name,
			wait_queue_head_t *wait)
{
	spin_lock_init(&set->lock);
	INIT_LIST_HEAD(&set->held);
	set->limit = seconds * HZ;
	set->name = name;
	set->wait = wait;
	/* Two outages in a row of each connection, and some more. */
	set->nr = min(2 * connections + 6, (unsigned int)FENCE_MOST);
	set->fence = kvcalloc(set->nr, sizeof(*set->fence), GFP_KERNEL);
	return set->fence ? 0 : -ENOMEM;
}

void ballast_fences_free(struct ballast_fences *set)
{
	kvfree(set->fence);
}

static bool fence_is_free(const struct ballast_fence *fence)
{
	return !fence->sk;
}

/* Are all fences in use, so that no connection can be given up now? */
bool ballast_fences_full(const struct ballast_fences *set)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (fence_is_free(&set->fence[i]))
			return false;
	return true;
}

/* The next free fence. There is one: see ballast_fences_full(). */
static unsigned int fences_take(struct ballast_fences *set)
{
	unsigned int i;

	do {
		i = set->next++ % set->nr;
	} while (!fence_is_free(&set->fence[i]));
	return i;
}

static int fence_actor(read_descriptor_t *desc, struct sk_buff *skb,
		       unsigned int offset, size_t len)
{
	struct ballast_drain *drain = desc->arg.data;
	size_t used = 0;

	while (used < len) {
		size_t n = ballast_drain_skip(drain, len - used);

		used += n;
		if (n)
			continue;
		n = min_t(size_t, len - used, drain->want);
		if (skb_copy_bits(skb, offset + used, drain->buf + drain->have,
				  n))
			return -EFAULT;
		drain->have += n;
		drain->want -= n;
		used += n;
		if (!drain->want)
			ballast_drain_header(drain);
	}
	return used;
}

/* Under the socket lock. */
static void fence_read(struct ballast_fence *fence)
{
	read_descriptor_t desc = { .arg.data = &fence->drain, .count = 1 };
	struct sock *sk = fence->sk;

	sock_owned_by_me(sk);
	tcp_read_sock(sk, &desc, fence_actor);
	if (!fence->drain.pending && !fence->answered) {
		WRITE_ONCE(fence->answered, true);
		wake_up(fence->set->wait);
	}
}

static void fence_data_ready(struct sock *sk)
{
	struct ballast_fence *fence = sk->sk_user_data;

	sock_owned_by_me(sk);
	if (fence)
		fence_read(fence);
}

/* A FIN (SOCK_DONE) or a reset from the server. A timeout here is neither. */
static bool fence_server_ended(const struct sock *sk)
{
	return sock_flag(sk, SOCK_DONE) || sk->sk_err == ECONNRESET ||
	       sk->sk_err == EPIPE;
}

static void fence_state_change(struct sock *sk)
{
	struct ballast_fence *fence = sk->sk_user_data;

	sock_owned_by_me(sk);
	if (!fence || !fence_server_ended(sk))
		return;
	WRITE_ONCE(fence->ended, true);
	wake_up(fence->set->wait);
}

static void fence_set_callbacks(struct ballast_fence *fence)
{
	struct sock *sk = fence->sk;

	write_lock_bh(&sk->sk_callback_lock);
	fence->saved_data_ready = sk->sk_data_ready;
	fence->saved_state_change = sk->sk_state_change;
	fence->saved_error_report = sk->sk_error_report;
	sk->sk_user_data = fence;
	sk->sk_data_ready = fence_data_ready;
	sk->sk_state_change = fence_state_change;
	sk->sk_error_report = fence_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

static void fence_restore_callbacks(struct ballast_fence *fence)
{
	struct sock *sk = fence->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = fence->saved_data_ready;
	sk->sk_state_change = fence->saved_state_change;
	sk->sk_error_report = fence->saved_error_report;
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Mark requests that the server may still execute. Return: their number */
static unsigned int fence_mark(struct ballast_fence *fence, u64 bit,
			       struct list_head *cmds)
{
	struct ballast_cmd *cmd;
	unsigned int nr = 0;

	fence->has_rest = false;
	list_for_each_entry(cmd, cmds, entry) {
		if (ballast_cmd_partly_sent(cmd)) {
			fence->rest = *cmd;
			fence->has_rest = true;
		}
		if (cmd->header_sent && ballast_cmd_changes_data(cmd)) {
			cmd->fences |= bit;
			nr++;
		}
		cmd->header_sent = 0;
	}
	return nr;
}

/**
 * ballast_fence_begin - keep the socket of a connection that was given up
 * @set: of the session; not full
 * @link: the link that had the connection
 * @sock: its socket, which no link uses any more; the fence owns it
 * @cmds: the requests of the connection, which will be replayed
 *
 * Context: the session's thread; sleeps
 */
void ballast_fence_begin(struct ballast_fences *set, struct ballast_link *link,
			 struct socket *sock, struct list_head *cmds)
{
	unsigned int pending, i = fences_take(set);
	struct ballast_fence *fence = &set->fence[i];
	struct sock *sk = sock->sk;

	pending = fence_mark(fence, set->limit ? BIT_ULL(i) : 0, cmds);
	if (!set->limit) {
		ballast_socket_abort(sock);
		return;
	}
	fence->set = set;
	fence->link = link;
	fence->sock = sock;
	fence->since = jiffies;
	fence->answered = false;
	fence->ended = false;
	sock_hold(sk);
	fence->sk = sk;
	ballast_link_hold_path(link, true);
	spin_lock_bh(&set->lock);
	WRITE_ONCE(set->active, set->active | BIT_ULL(i));
	spin_unlock_bh(&set->lock);

	/*
	 * TCP must not give up before the fence does. It counts from the first
	 * probe of a closed window, or the first retransmission, so from long
	 * before. The fence's own end is in fence_check().
	 */
	tcp_sock_set_user_timeout(sk, jiffies_to_msecs(set->limit + FENCE_TCP));
	lock_sock(sk);
	ballast_reply_hand_over(link, &fence->drain, pending);
	fence_set_callbacks(fence);
	fence_read(fence);
	fence_state_change(sk);
	release_sock(sk);
}

/*
 * Send the rest of a partly sent request. When all is answered, or the server
 * has violated the protocol, shut the sending side down: the server then closes
 * the connection and frees its resources.
 */
static void fence_finish_sending(struct ballast_fence *fence)
{
	struct sock *sk = fence->sk;
	int err = 0;

	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return;
	lock_sock(sk);
	if (fence->has_rest)
		err = ballast_cmd_send(&fence->rest, sk, false, false);
	fence->has_rest = err == -EAGAIN;
	release_sock(sk);
	if (!fence->has_rest &&
	    (READ_ONCE(fence->answered) || READ_ONCE(fence->drain.broken)))
		kernel_sock_shutdown(fence->sock, SHUT_WR);
}

static void fence_close(struct ballast_fence *fence)
{
	struct sock *sk = fence->sk;

	lock_sock(sk);
	fence_restore_callbacks(fence);
	release_sock(sk);
	ballast_socket_abort(fence->sock);
	fence->sock = NULL;
}

/* Complete requests that waited for fence @i only. */
static void fence_let_go(struct ballast_fences *set, unsigned int i)
{
	struct ballast_cmd *cmd, *next;
	LIST_HEAD(free);

	spin_lock_bh(&set->lock);
	WRITE_ONCE(set->active, set->active & ~BIT_ULL(i));
	list_for_each_entry_safe(cmd, next, &set->held, entry) {
		if (cmd->fences & set->active)
			continue;
		list_move_tail(&cmd->entry, &free);
		set->nr_held--;
	}
	spin_unlock_bh(&set->lock);
	list_for_each_entry_safe(cmd, next, &free, entry)
		ballast_cmd_end(cmd);
}

static void fence_end(struct ballast_fences *set, unsigned int i)
{
	struct ballast_fence *fence = &set->fence[i];

	fence_let_go(set, i);
	ballast_link_hold_path(fence->link, false);
	sock_put(fence->sk);
	fence->sk = NULL;
}

/* Until then, packets in an interface's queue refer to the pages. */
static bool fence_is_drained(const struct ballast_fence *fence)
{
	return !sk_wmem_alloc_get(fence->sk) ||
	       time_after(jiffies,
			  fence->since + fence->set->limit + FENCE_DRAIN);
}

static void fence_check(struct ballast_fences *set, unsigned int i)
{
	struct ballast_fence *fence = &set->fence[i];
	bool expired = time_after_eq(jiffies, fence->since + set->limit);
	bool ended = READ_ONCE(fence->ended);
	bool answered;

	if (fence->sock) {
		lock_sock(fence->sk);
		ballast_socket_keep(fence->sk);
		release_sock(fence->sk);
		fence_finish_sending(fence);
	}
	/* The rest of a write is sent from the request's pages. */
	answered = READ_ONCE(fence->answered) &&
		   !(fence->has_rest && fence->rest.type == NBD_CMD_WRITE);
	if (fence->sock && expired && !answered && !ended) {
		WRITE_ONCE(set->expired, set->expired + 1);
		pr_warn("%s: the server has neither answered nor closed the old connection of connection %u in %lu s: it may execute old writes after newer ones (fence=)\n",
			set->name, fence->link->index, set->limit / HZ);
	}
	if (fence->sock && (expired || ended))
		fence_close(fence);
	if (!fence->sock && fence_is_drained(fence))
		fence_end(set, i);
	else if (answered && fence_is_drained(fence))
		fence_let_go(set, i);
}

/**
 * ballast_fences_check - end the fences that are no longer needed
 * @set: of the session
 *
 * Context: the session's thread; sleeps
 * Return: jiffies until the next call
 */
long ballast_fences_check(struct ballast_fences *set)
{
	long left = MAX_SCHEDULE_TIMEOUT;
	unsigned int i;

	for (i = 0; i < set->nr; i++) {
		if (fence_is_free(&set->fence[i]))
			continue;
		fence_check(set, i);
		if (!fence_is_free(&set->fence[i]))
			left = FENCE_LOOK;
	}
	return left;
}

/**
 * ballast_fences_push - the server can be reached: retransmit now
 * @set: of the session
 *
 * TCP's timeouts have doubled during an outage, and the server reads its end of
 * file only when the FIN arrives. Retransmits once a second at most.
 *
 * Context: the session's thread; sleeps
 */
void ballast_fences_push(struct ballast_fences *set)
{
	unsigned int i;

	if (ballast_within(set->pushed_at, HZ))
		return;
	set->pushed_at = jiffies;
	for (i = 0; i < set->nr; i++) {
		struct ballast_fence *fence = &set->fence[i];

		if (!fence->sock)
			continue;
		lock_sock(fence->sk);
		ballast_socket_push(fence->sk);
		release_sock(fence->sk);
	}
}

/**
 * ballast_fences_abort - end all fences without waiting for the server
 * @set: of the session
 * @cmds: the requests that wait for one are added here
 *
 * Context: the session's thread, or after it has ended; sleeps
 */
void ballast_fences_abort(struct ballast_fences *set, struct list_head *cmds)
{
	unsigned int i;

	spin_lock_bh(&set->lock);
	list_splice_tail_init(&set->held, cmds);
	set->nr_held = 0;
	spin_unlock_bh(&set->lock);
	for (i = 0; i < set->nr; i++) {
		if (fence_is_free(&set->fence[i]))
			continue;
		if (set->fence[i].sock)
			fence_close(&set->fence[i]);
		fence_end(set, i);
	}
}

/**
 * ballast_fences_hold - hold a request that the server has answered
 * @set: of the session
 * @cmd: replayed; no link refers to it
 *
 * Context: softirq, under the lock of the link that was answered
 * Return: false: no old connection can execute it, so the caller completes it
 */
bool ballast_fences_hold(struct ballast_fences *set, struct ballast_cmd *cmd)
{
	bool hold;

	spin_lock_bh(&set->lock);
	hold = cmd->fences & set->active;
	if (hold) {
		list_add_tail(&cmd->entry, &set->held);
		set->nr_held++;
	}
	spin_unlock_bh(&set->lock);
	return hold;
}

/* Number of old connections that may still execute requests; a hint. */
unsigned int ballast_fences_active(const struct ballast_fences *set)
{
	return hweight64(READ_ONCE(set->active));
}
