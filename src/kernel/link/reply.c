// SPDX-License-Identifier: GPL-2.0
/*
 * Reads replies in softirq; see reply.h and link.h.
 *
 * The server is not trusted. Any byte that does not conform ends the
 * connection.
 */
#include "reply.h"

#include <linux/sizes.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <trace/events/ballast.h>

#include "compat.h"
#include "fence.h"
#include "link.h"
#include "send.h"

/* Requests submitted during reading are sent after at most this many bytes. */
#define REPLY_SEND_AFTER	SZ_64K

static void rx_expect_header(struct ballast_rx *rx)
{
	rx->state = BALLAST_RX_HEADER;
	rx->have = 0;
	rx->want = WIRE_SIMPLE_REPLY_LEN;
	rx->cmd = NULL;
}

static struct ballast_cmd *rx_find(struct ballast_link *link, u64 cookie)
{
	u32 index = ballast_wire_cookie_index(cookie);
	struct ballast_slot *slot;

	if (index >= link->nr_slots)
		return NULL;
	slot = &link->slots[index];
	/* Another link may change slot->link now, but never to @link. */
	if (READ_ONCE(slot->link) != link || slot->cmd->cookie != cookie)
		return NULL;
	return slot->cmd;
}

static void rx_end_request(struct ballast_link *link, struct ballast_cmd *cmd)
{
	WRITE_ONCE(link->slots[cmd->index].link, NULL);
	list_del(&cmd->entry);
	ballast_link_ended(link, 1);
	link->answered = true;
	trace_ballast_rq_answered(cmd);
	if (likely(!cmd->fences) || !ballast_fences_hold(link->fences, cmd))
		ballast_cmd_end(cmd);
}

/* All that belongs to one header has been read. */
static int rx_end_reply(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	struct ballast_cmd *cmd = rx->cmd;

	/* The server shuts down; a new connection may reach another one. */
	if (cmd->error == -ESHUTDOWN) {
		*why = "the server is shutting down";
		return -ESHUTDOWN;
	}
	if (rx->reply.done) {
		if (rx->reply.structured && cmd->type == NBD_CMD_READ &&
		    !cmd->error &&
		    !ballast_wire_cover_whole(&cmd->cover, cmd->length)) {
			*why = "a read was not answered in full";
			return -EPROTO;
		}
		rx_end_request(link, cmd);
	}
	rx_expect_header(rx);
	return 0;
}

static int rx_simple(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	struct ballast_cmd *cmd = rx->cmd;

	if (link->structured && cmd->type == NBD_CMD_READ) {
		*why = "simple reply to a read although structured replies were negotiated";
		return -EPROTO;
	}
	cmd->error = ballast_wire_errno(rx->reply.error);
	if (cmd->error || cmd->type != NBD_CMD_READ)
		return rx_end_reply(link, why);
	rx->state = BALLAST_RX_DATA;
	rx->want = cmd->length;
	return 0;
}

static int rx_chunk(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	int len = ballast_wire_chunk_fixed_len(&rx->reply, why);

	if (len < 0)
		return len;
	if (!len)
		return rx_end_reply(link, why);
	if (rx->cmd->type != NBD_CMD_READ &&
	    !NBD_REPLY_TYPE_IS_ERROR(rx->reply.type)) {
		*why = "data in reply to a request that is not a read";
		return -EPROTO;
	}
	rx->state = BALLAST_RX_FIXED;
	rx->have = 0;
	rx->want = len;
	return 0;
}

static int rx_header(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	int more = ballast_wire_get_reply(rx->buf, rx->have, link->structured,
					  &rx->reply, why);

	if (more < 0)
		return more;
	if (more) {
		rx->want = more - rx->have;
		return 0;
	}
	rx->cmd = rx_find(link, rx->reply.cookie);
	if (!rx->cmd) {
		*why = "reply to a request that is not in flight";
		return -EPROTO;
	}
	return rx->reply.structured ? rx_chunk(link, why) :
				      rx_simple(link, why);
}

static int rx_error_chunk(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	u32 error;
	int err;

	err = ballast_wire_get_chunk_error(&rx->reply, rx->buf, &error, why);
	if (err)
		return err;
	/* The first error counts. An error chunk with error 0 is an error. */
	if (!rx->cmd->error)
		rx->cmd->error = ballast_wire_errno(error) ?: -EIO;
	rx->want = rx->reply.length - rx->have;
	if (!rx->want)
		return rx_end_reply(link, why);
	rx->state = BALLAST_RX_SKIP;
	return 0;
}

static int rx_fixed(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	struct ballast_cmd *cmd = rx->cmd;
	u32 start, len;
	int err;

	if (NBD_REPLY_TYPE_IS_ERROR(rx->reply.type))
		return rx_error_chunk(link, why);

	err = ballast_wire_get_chunk_range(&rx->reply, rx->buf, cmd->offset,
					   cmd->length, &start, &len, why);
	if (err)
		return err;
	err = ballast_wire_cover_add(&cmd->cover, start, len);
	if (err) {
		*why = err == -E2BIG ?
			       "read answered in too many separate ranges" :
			       "part of a read answered twice";
		return err;
	}
	ballast_cmd_seek(cmd, start);
	if (rx->reply.type == NBD_REPLY_TYPE_OFFSET_HOLE) {
		err = ballast_cmd_zero(cmd, len);
		return err ?: rx_end_reply(link, why);
	}
	rx->state = BALLAST_RX_DATA;
	rx->want = len;
	return 0;
}

/* Take @n bytes, no more than rx->want. */
static int rx_take(struct ballast_link *link, struct sk_buff *skb,
		   unsigned int offset, size_t n, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	int err = 0;

	rx->want -= n;
	switch (rx->state) {
	case BALLAST_RX_HEADER:
	case BALLAST_RX_FIXED:
		err = skb_copy_bits(skb, offset, rx->buf + rx->have, n);
		rx->have += n;
		break;
	case BALLAST_RX_DATA:
		err = ballast_cmd_fill(rx->cmd, skb, offset, n);
		break;
	case BALLAST_RX_SKIP:
		break;
	}
	if (err || rx->want)
		return err;

	switch (rx->state) {
	case BALLAST_RX_HEADER:
		return rx_header(link, why);
	case BALLAST_RX_FIXED:
		return rx_fixed(link, why);
	default:
		return rx_end_reply(link, why);
	}
}

/* Is every request answered, and every answer read to its end? */
static bool rx_is_idle(const struct ballast_link *link)
{
	return !link->inflight && link->rx.state == BALLAST_RX_HEADER &&
	       !link->rx.have;
}

/*
 * After reading @used bytes of @skb, send requests that other CPUs have
 * submitted: after REPLY_SEND_AFTER bytes, or after the last segment, so that
 * the requests carry the ACK.
 */
static void rx_send_submitted(struct ballast_link *link, struct sock *sk,
			      const struct sk_buff *skb, size_t used)
{
	link->rx.since_sent += used;
	if (llist_empty(&link->submitted) ||
	    (link->rx.since_sent < REPLY_SEND_AFTER &&
	     !skb_queue_is_last(&sk->sk_receive_queue, skb)))
		return;
	link->rx.since_sent = 0;
	ballast_send_locked(link, sk);
}

static int rx_actor(read_descriptor_t *desc, struct sk_buff *skb,
		    unsigned int offset, size_t len)
{
	struct sock *sk = desc->arg.data;
	struct ballast_link *link = sk->sk_user_data;
	const char *why = "receiving failed";
	size_t used = 0;
	int err;

	if (link->failed) /* in an earlier call */
		return 0;
	while (used < len) {
		size_t n = min_t(size_t, len - used, link->rx.want);

		err = rx_take(link, skb, offset + used, n, &why);
		used += n;
		if (!err)
			continue;
		ballast_link_fail(link, err, why);
		/*
		 * Not a protocol error. The fence continues after this reply:
		 * if TCP returned the replies before it again, the fence would
		 * count them twice.
		 */
		if (err == -ESHUTDOWN)
			break;
		link->rx.broken = true;
		return err;
	}
	if (link->reading) {
		rx_send_submitted(link, sk, skb, used);
		if (rx_is_idle(link))
			inet_csk(sk)->icsk_ack.pending &= ~ICSK_ACK_SCHED;
	}
	return used;
}

/**
 * ballast_reply_hand_over - set where a drain continues to read
 * @link: gives its connection up
 * @drain: continues where the link stopped
 * @pending: number of requests that change data and are not answered
 *
 * Context: the link's socket is locked, or it has none
 */
void ballast_reply_hand_over(const struct ballast_link *link,
			     struct ballast_drain *drain, unsigned int pending)
{
	const struct ballast_rx *rx = &link->rx;

	ballast_drain_begin(drain, link->structured, pending);
	drain->broken = rx->broken;
	switch (rx->state) {
	case BALLAST_RX_HEADER:
		ballast_drain_resume(drain, rx->buf, rx->have);
		break;
	case BALLAST_RX_FIXED:
		ballast_drain_resume_payload(drain, &rx->reply,
					     rx->reply.length - rx->have);
		break;
	case BALLAST_RX_DATA:
	case BALLAST_RX_SKIP:
		ballast_drain_resume_payload(drain, &rx->reply, rx->want);
		break;
	}
}

/**
 * ballast_reply_read - read what the socket has received
 * @link: its requests are answered; under its lock
 * @sk: its socket, whose user data are @link
 *
 * Context: softirq, or process with the socket locked; does not sleep
 */
void ballast_reply_read(struct ballast_link *link, struct sock *sk)
{
	read_descriptor_t desc = { .arg.data = sk, .count = 1 };

	sock_owned_by_me(sk);
	if (!link->failed)
		tcp_read_sock(sk, &desc, rx_actor);
}

/*
 * TCP acknowledges at once what is longer than a segment. When the server has
 * no request left to answer, it does not need that ACK: it sends nothing that
 * could wait for it. It is a packet more for each read, and it is sent before
 * the reader of the data wakes up. tcp_read_sock() would send it, so
 * rx_actor() takes it back. TCP's receive path would, unless the window is
 * already as large as the receive buffer allows. If no request follows, TCP's
 * timer sends the ACK after a tick. A server with shorter ticks may probe for a
 * loss before that, which costs it a packet.
 */
static void reply_ack_later(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (inet_csk_ack_scheduled(sk) || tp->rcv_nxt == tp->rcv_wup)
		return;
	if (!tcp_under_memory_pressure(sk))
		tp->rcv_ssthresh = tp->window_clamp;
	inet_csk_schedule_ack(sk);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_DACK, 1, TCP_RTO_MAX);
}

/**
 * ballast_reply_read_and_send - read, and send requests submitted meanwhile
 * @link: as for ballast_reply_read()
 * @sk: likewise
 *
 * Copying takes long. Another CPU that submits a request meanwhile does not
 * wait for the lock: ballast_send_kick() leaves the request to this function.
 *
 * Context: softirq, with the socket's spinlock; does not sleep
 */
void ballast_reply_read_and_send(struct ballast_link *link, struct sock *sk)
{
	link->rx.since_sent = 0;
	WRITE_ONCE(link->reading, true);
	ballast_reply_read(link, sk);
	WRITE_ONCE(link->reading, false);
	smp_mb(); /* pairs with llist_add() in ballast_send_submit() */
	if (!llist_empty(&link->submitted))
		ballast_send_locked(link, sk);
	reply_ack_later(sk);
}
