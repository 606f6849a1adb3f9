// SPDX-License-Identifier: GPL-2.0
/*
 * Sending; see send.h and link.h.
 */
#include "send.h"

#include <linux/sched/mm.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <trace/events/ballast.h>

#include "compat.h"
#include "link.h"
#include "reserve/pressure.h"
#include "reserve/tcpmem.h"
#include "watch.h"

/* Retry interval after a packet allocation failed, which no event ends. */
#define SEND_RETRY		max(HZ / 100, 1)

/*
 * Limits of a packet while the reserve is in use. A NIC with about 17
 * descriptors for a packet sends it as it is. A driver that must linearize
 * the packet needs up to 64 KiB of contiguous memory; when that runs out, the
 * driver drops the packet silently.
 */
#define SEND_FEW_BYTES		(28U << 10)
#define SEND_FEW_FRAGS		14

/*
 * Limit of the bytes in the socket that TCP can't send yet: those of 2 ms at
 * its pacing rate, and at least a full packet. Without it TCP accepts
 * megabytes, and on a slow line a read waits for them for a third of a second.
 */
#define SEND_UNSENT_SHIFT	9
#define SEND_UNSENT_MIN		(64UL << 10)

/*
 * Reads are sent first, since page faults wait for them, and on a slow line the
 * writes that swap pages out take long. But writes free memory, so after this
 * many reads another request is next.
 */
#define SEND_OVERTAKE		16

static struct list_head *send_queue(struct ballast_link *link,
				    const struct ballast_cmd *cmd)
{
	return cmd->type == NBD_CMD_READ ? &link->unsent_reads : &link->unsent;
}

static void send_take_submitted(struct ballast_link *link)
{
	struct ballast_cmd *cmd, *next;
	struct llist_node *node;

	/*
	 * Usually empty; checking first avoids bouncing the submitter's cache
	 * line.
	 */
	if (llist_empty(&link->submitted))
		return;
	node = llist_reverse_order(llist_del_all(&link->submitted));
	llist_for_each_entry_safe(cmd, next, node, submit) {
		ballast_cmd_prepare(cmd, ++link->generation);
		list_add_tail(&cmd->entry, send_queue(link, cmd));
		if (!link->inflight++)
			ballast_path_io_begin(link->path);
	}
}

/*
 * Limit packets to few fragments, or lift that limit. The limit in bytes is
 * enough for large requests, whose fragments are pages; send_count_frags()
 * counts the fragments of small ones.
 */
static void send_limit_packets(struct ballast_link *link, struct sock *sk,
			       bool few)
{
	if (few && sk->sk_gso_max_size > SEND_FEW_BYTES) {
		link->gso_max_size = sk->sk_gso_max_size;
		sk->sk_gso_max_size = SEND_FEW_BYTES;
	} else if (!few && sk->sk_gso_max_size == SEND_FEW_BYTES &&
		   link->gso_max_size) {
		sk->sk_gso_max_size = link->gso_max_size;
	}
	link->few = few;
}

static void send_limit_unsent(struct sock *sk)
{
	unsigned long most = READ_ONCE(sk->sk_pacing_rate) >> SEND_UNSENT_SHIFT;

	WRITE_ONCE(tcp_sk(sk)->notsent_lowat,
		   clamp(most, SEND_UNSENT_MIN, (unsigned long)U32_MAX));
}

/* Count the fragments of @cmd. Return: whether its header must end a packet */
static bool send_count_frags(struct ballast_link *link,
			     const struct ballast_cmd *cmd)
{
	unsigned int pages = 0, most = SEND_FEW_BYTES / PAGE_SIZE + 1;
	bool end;

	if (cmd->type == NBD_CMD_WRITE)
		pages = min_t(unsigned int, most,
			      DIV_ROUND_UP(cmd->length, PAGE_SIZE));
	end = link->few && link->frags + 1 + pages > SEND_FEW_FRAGS;
	link->frags = end ? pages : link->frags + 1 + pages;
	return end;
}

/* Return: the request to send next; NULL: all are sent */
static struct ballast_cmd *send_next(struct ballast_link *link)
{
	struct ballast_cmd *read, *other;

	read = list_first_entry_or_null(&link->unsent_reads, struct ballast_cmd,
					entry);
	other = list_first_entry_or_null(&link->unsent, struct ballast_cmd,
					 entry);
	if (!read || !other)
		return read ?: other;
	/* A request sent in part must be finished before any other. */
	if (read->header_sent)
		return read;
	return other->header_sent || link->overtaken >= SEND_OVERTAKE ? other :
									read;
}

/* All of @cmd is sent. */
static void send_end(struct ballast_link *link, struct ballast_cmd *cmd)
{
	if (cmd->type != NBD_CMD_READ)
		link->overtaken = 0;
	else if (!list_empty(&link->unsent))
		link->overtaken++;
	list_move_tail(&cmd->entry, &link->sent);
	link->slots[cmd->index].cmd = cmd;
	WRITE_ONCE(link->slots[cmd->index].link, link);
	trace_ballast_rq_sent(cmd);
}

/* Does a request follow @cmd at once? */
static bool send_more(struct ballast_link *link, struct ballast_cmd *cmd)
{
	struct list_head *own = send_queue(link, cmd);

	return !list_is_last(&cmd->entry, own) ||
	       !list_empty(own == &link->unsent ? &link->unsent_reads :
						  &link->unsent) ||
	       !llist_empty(&link->submitted);
}

/* Send until all is sent or the socket is full. Return: 0 or an errno */
static int send_all(struct ballast_link *link, struct sock *sk)
{
	struct ballast_cmd *cmd;
	unsigned int frags;
	bool end;
	int err;

	for (;;) {
		send_take_submitted(link);
		cmd = send_next(link);
		if (!cmd)
			return 0;
		frags = link->frags;
		end = !cmd->header_sent && send_count_frags(link, cmd);
		err = ballast_cmd_send(cmd, sk, end, send_more(link, cmd));
		if (err && !cmd->header_sent)
			link->frags = frags; /* it is counted again */
		if (err)
			return err;
		send_end(link, cmd);
	}
}

/**
 * ballast_send_locked - send submitted requests until the socket is full
 * @link: under its lock
 * @sk: its socket
 *
 * A process that works off the socket's backlog may call this, so it disables
 * softirqs, as the reserve requires. tcp_sendmsg_locked() calls write_space
 * itself when it fails with an empty queue, hence @link->sending.
 *
 * Context: softirq or process; does not sleep
 */
void ballast_send_locked(struct ballast_link *link, struct sock *sk)
{
	unsigned int noreclaim;
	int err, rest;

	sock_owned_by_me(sk);
	if (link->sending || link->failed)
		return;
	link->sending = true;
	noreclaim = memalloc_noreclaim_save();
	local_bh_disable();
	ballast_tcpmem_charge(sk);
	rest = compat_sk_take_rest(sk);
	/* First, so that the reserve's state accounts for these requests. */
	send_take_submitted(link);
	if (link->path && !ballast_pressure_ample())
		ballast_pressure_update();
	send_limit_packets(link, sk, link->path && ballast_pressure_in_use());
	send_limit_unsent(sk);
	err = send_all(link, sk);
	compat_sk_put_rest(sk, rest);
	ballast_link_note_route(link, sk);
	ballast_watch_start(link);
	local_bh_enable();
	memalloc_noreclaim_restore(noreclaim);
	link->sending = false;

	if (err == -EAGAIN)
		mod_timer(&link->retry, jiffies + SEND_RETRY);
	else if (err)
		ballast_link_fail(link, err, "sending failed");
}

/**
 * ballast_send_kick - send submitted requests
 * @link: the link
 *
 * While the link has no socket, the session's thread handles these requests.
 * While another CPU reads replies, that CPU sends them: see
 * ballast_reply_read_and_send(), which checks for them after clearing
 * @link->reading. llist_add() is a full barrier.
 *
 * Context: any but hard interrupt; does not sleep
 */
void ballast_send_kick(struct ballast_link *link)
{
	if (!READ_ONCE(link->reading))
		ballast_link_run(link, ballast_send_locked);
}

/**
 * ballast_send_submit - hand a request over
 * @link: sends it
 * @cmd: type, flags, offset, length and index are filled in
 *
 * The next ballast_send_kick() sends it. The barrier in llist_add() pairs with
 * the ones in ballast_link_start() and in ballast_reply_read_and_send(): either
 * these find the request, or this sees the new socket, and the kick sees
 * @link->reading cleared.
 *
 * Context: under rcu_read_lock(), or the session's thread
 */
void ballast_send_submit(struct ballast_link *link, struct ballast_cmd *cmd)
{
	llist_add(&cmd->submit, &link->submitted);
	if (!ballast_link_live(link))
		wake_up(link->wait);
}
