// SPDX-License-Identifier: GPL-2.0
/*
 * One request in transmission; see cmd.h. A request belongs to one link at a
 * time, and all functions here run under the lock of that link.
 */
#include "cmd.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "verify.h"

/**
 * ballast_cmd_init - translate a request of the block layer to NBD
 * @cmd: the request's driver part
 * @rq: the request
 *
 * Fills in type, flags, offset and length.
 *
 * Context: any; takes no lock
 * Return: BLK_STS_OK, or BLK_STS_NOTSUPP for an operation that NBD lacks
 */
blk_status_t ballast_cmd_init(struct ballast_cmd *cmd, struct request *rq)
{
	cmd->header_sent = 0;
	cmd->timeouts = 0;
	cmd->fences = 0;
	cmd->flags = rq->cmd_flags & REQ_FUA ? NBD_CMD_FLAG_FUA : 0;
	switch (req_op(rq)) {
	case REQ_OP_READ:
		cmd->type = NBD_CMD_READ;
		cmd->flags = 0;
		break;
	case REQ_OP_WRITE:
		cmd->type = NBD_CMD_WRITE;
		break;
	case REQ_OP_FLUSH:
		cmd->type = NBD_CMD_FLUSH;
		cmd->flags = 0;
		cmd->offset = 0;
		cmd->length = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		cmd->type = NBD_CMD_TRIM;
		break;
	case REQ_OP_WRITE_ZEROES:
		cmd->type = NBD_CMD_WRITE_ZEROES;
		if (rq->cmd_flags & REQ_NOUNMAP)
			cmd->flags |= NBD_CMD_FLAG_NO_HOLE;
		break;
	default:
		return BLK_STS_NOTSUPP;
	}
	cmd->offset = (u64)blk_rq_pos(rq) << SECTOR_SHIFT;
	cmd->length = blk_rq_bytes(rq);
	return BLK_STS_OK;
}

/* Does it change data, so that a late execution could do harm? */
bool ballast_cmd_changes_data(const struct ballast_cmd *cmd)
{
	return cmd->type != NBD_CMD_READ && cmd->type != NBD_CMD_FLUSH;
}

/* Has the socket taken a part of it, but not all? */
bool ballast_cmd_partly_sent(const struct ballast_cmd *cmd)
{
	if (!cmd->header_sent)
		return false;
	return cmd->header_sent < WIRE_REQUEST_LEN ||
	       (cmd->type == NBD_CMD_WRITE && cmd->done < cmd->length);
}

static void cmd_enter_bio(struct ballast_cmd *cmd, struct bio *bio)
{
	const struct bio_vec *first =
		__bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter);
	bool write = cmd->type == NBD_CMD_WRITE;
	struct bvec_iter iter;
	struct bio_vec vec;
	unsigned int nr = 0;

	bio_for_each_bvec(vec, bio, iter)
		nr++;
	iov_iter_bvec(&cmd->iter, write ? ITER_SOURCE : ITER_DEST, first, nr,
		      bio->bi_iter.bi_size);
	cmd->iter.iov_offset = mp_bvec_iter_offset(bio->bi_io_vec,
						   bio->bi_iter) -
			       first->bv_offset;
	cmd->bio = bio;
	if (!write)
		return;

	/* A slab page has no reference count that the stack could hold. */
	cmd->splice = true;
	bio_for_each_segment(vec, bio, iter) {
		if (!sendpage_ok(vec.bv_page)) {
			cmd->splice = false;
			break;
		}
	}
}

/* Go back to the first byte. */
static void cmd_rewind(struct ballast_cmd *cmd)
{
	cmd->done = 0;
	if (cmd->type == NBD_CMD_READ || cmd->type == NBD_CMD_WRITE)
		cmd_enter_bio(cmd, blk_mq_rq_from_pdu(cmd)->bio);
}

/* Bytes left in the current bio. Never 0: @cmd must not be at its end. */
static size_t cmd_left_in_bio(struct ballast_cmd *cmd)
{
	if (!iov_iter_count(&cmd->iter))
		cmd_enter_bio(cmd, cmd->bio->bi_next);
	return iov_iter_count(&cmd->iter);
}

/* @n bytes of the current bio are done. */
static void cmd_advance(struct ballast_cmd *cmd, size_t n)
{
	iov_iter_advance(&cmd->iter, n);
	cmd->done += n;
}

/**
 * ballast_cmd_prepare - reset a request to unsent
 * @cmd: type, flags, offset, length and index are filled in
 * @generation: makes the cookie differ from those sent before
 *
 * Context: any
 */
void ballast_cmd_prepare(struct ballast_cmd *cmd, u32 generation)
{
	cmd->cookie = ballast_wire_cookie(generation, cmd->index, cmd->type,
					  cmd->length);
	cmd->began_at = jiffies;
	cmd->header_sent = 0;
	cmd->error = 0;
	ballast_wire_cover_init(&cmd->cover);
	ballast_wire_put_request(cmd->header, cmd->flags, cmd->type,
				 cmd->cookie, cmd->offset, cmd->length);
	cmd_rewind(cmd);
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

		/*
		 * Allocates: 28 bytes of the socket's page fragment, with
		 * __GFP_MEMALLOC.
		 */
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
		size_t len = min_t(size_t, cmd_left_in_bio(cmd),
				   compat_sk_send_most(sk));
		int n;

		if (more || cmd->done + len < cmd->length)
			msg.msg_flags |= MSG_MORE;
		msg.msg_iter = cmd->iter;
		iov_iter_truncate(&msg.msg_iter, len);
		/*
		 * Pages are sent in place, or else copied, which allocates
		 * with __GFP_MEMALLOC.
		 */
		n = cmd->splice ? compat_sendmsg_splice(sk, &msg, len) :
				  tcp_sendmsg_locked(sk, &msg, len);
		if (n < 0)
			return n;
		cmd_advance(cmd, n);
	}
	return 0;
}

/**
 * ballast_cmd_send - send a request, or the rest of it
 * @cmd: from ballast_cmd_prepare(), or partly sent
 * @sk: the link's socket, locked
 * @end_packet: nothing may be added to the packet that holds the header
 * @more: another request follows at once
 *
 * Context: does not sleep
 * Return: 0: sent; -EAGAIN: the socket is full; another errno: the
 * connection is unusable
 */
int ballast_cmd_send(struct ballast_cmd *cmd, struct sock *sk, bool end_packet,
		     bool more)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	bool data = cmd->type == NBD_CMD_WRITE;
	int err;

	err = cmd_send_header(cmd, sk, flags | (end_packet ? MSG_EOR : 0) |
					       (more || data ? MSG_MORE : 0));
	if (!err && data)
		err = cmd_send_data(cmd, sk, flags, more);
	return err;
}

/* Go to byte @pos, which is before the end. */
void ballast_cmd_seek(struct ballast_cmd *cmd, u32 pos)
{
	if (pos < cmd->done)
		cmd_rewind(cmd);
	while (cmd->done < pos)
		cmd_advance(cmd, min_t(size_t, pos - cmd->done,
				       cmd_left_in_bio(cmd)));
}

/**
 * ballast_cmd_fill - put received bytes into the pages of a read
 * @cmd: the read
 * @skb: holds the bytes
 * @offset: of the first byte in @skb
 * @n: number of bytes; @cmd has room for them
 *
 * Context: any; does not sleep
 * Return: 0 or an errno
 */
int ballast_cmd_fill(struct ballast_cmd *cmd, struct sk_buff *skb, int offset,
		     size_t n)
{
	while (n) {
		size_t part = min(n, cmd_left_in_bio(cmd));
		int err;

		err = skb_copy_datagram_iter(skb, offset, &cmd->iter, part);
		if (err)
			return err;
		cmd->done += part;
		offset += part;
		n -= part;
	}
	return 0;
}

/* The same for @n zero bytes, which the server did not send. */
int ballast_cmd_zero(struct ballast_cmd *cmd, size_t n)
{
	while (n) {
		size_t part = min(n, cmd_left_in_bio(cmd));

		if (iov_iter_zero(part, &cmd->iter) != part)
			return -EFAULT;
		cmd->done += part;
		n -= part;
	}
	return 0;
}

/**
 * ballast_cmd_end - complete a request with the server's error, if any
 * @cmd: no link refers to it any longer
 *
 * Context: softirq or process; the link's lock may be held: no end_io handler
 * calls queue_rq from here
 */
void ballast_cmd_end(struct ballast_cmd *cmd)
{
	ballast_verify_end(cmd, !cmd->error);
	blk_mq_end_request(blk_mq_rq_from_pdu(cmd),
			   errno_to_blk_status(cmd->error));
}

/* Complete the requests in @cmds with an I/O error; no link refers to them. */
void ballast_cmds_fail(struct list_head *cmds)
{
	struct ballast_cmd *cmd, *next;

	list_for_each_entry_safe(cmd, next, cmds, entry) {
		ballast_verify_end(cmd, false);
		blk_mq_end_request(blk_mq_rq_from_pdu(cmd), BLK_STS_IOERR);
	}
	INIT_LIST_HEAD(cmds);
}
