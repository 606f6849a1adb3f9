// SPDX-License-Identifier: GPL-2.0
/*
 * Reading replies in softirq; see reply.h and link.h.
 *
 * The server is not trusted. Any byte that does not conform ends the
 * connection.
 */
#include "reply.h"

#include <linux/skbuff.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <trace/events/ballast.h>

#include "compat.h"
#include "fence.h"
#include "link.h"

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
	/* Another link may change its slots meanwhile, but never to @link. */
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
	link->answered_at = jiffies;
	trace_ballast_rq_answered(cmd);
	if (likely(!cmd->fences) || !ballast_fences_hold(link->fences, cmd))
		ballast_cmd_end(cmd);
}

/* All that belongs to one header has been read. */
static int rx_end_reply(struct ballast_link *link, const char **why)
{
	struct ballast_rx *rx = &link->rx;
	struct ballast_cmd *cmd = rx->cmd;

	/* A server that shuts down answers so; another connection may do. */
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
	/* The first error counts. An error chunk of error 0 is an error. */
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

static int rx_actor(read_descriptor_t *desc, struct sk_buff *skb,
		    unsigned int offset, size_t len)
{
	struct ballast_link *link = desc->arg.data;
	const char *why = "receiving failed";
	size_t used = 0;
	int err;

	while (used < len) {
		size_t n = min_t(size_t, len - used, link->rx.want);

		err = rx_take(link, skb, offset + used, n, &why);
		if (err) {
			/* A server that shuts down keeps to the protocol. */
			link->rx.broken = err != -ESHUTDOWN;
			ballast_link_fail(link, err, why);
			return err;
		}
		used += n;
	}
	return used;
}

/**
 * ballast_reply_hand_over - let an old connection be read on
 * @link: gives its connection up; its socket is locked, or it has none
 * @drain: continues where the link stopped
 * @pending: number of requests that change data and are not answered
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
 * @sk: its socket
 *
 * Context: softirq, or process with the socket locked; does not sleep
 */
void ballast_reply_read(struct ballast_link *link, struct sock *sk)
{
	read_descriptor_t desc = { .arg.data = link, .count = 1 };

	sock_owned_by_me(sk);
	if (!link->failed)
		tcp_read_sock(sk, &desc, rx_actor);
}
