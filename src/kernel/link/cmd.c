// SPDX-License-Identifier: GPL-2.0
/*
 * A request's data, see cmd.h. All under the lock of the request's link.
 */
#include "cmd.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/net.h>
#include <linux/skbuff.h>

#include "compat.h"
#include "link.h"

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

	/* Slab pages have no reference count of their own to send them by. */
	cmd->splice = true;
	bio_for_each_segment(vec, bio, iter) {
		if (!sendpage_ok(vec.bv_page)) {
			cmd->splice = false;
			break;
		}
	}
}

/* Stand at the first byte again. */
void ballast_cmd_rewind(struct ballast_cmd *cmd)
{
	cmd->done = 0;
	if (cmd->type == NBD_CMD_READ || cmd->type == NBD_CMD_WRITE)
		cmd_enter_bio(cmd, blk_mq_rq_from_pdu(cmd)->bio);
}

/**
 * ballast_cmd_left_in_bio - how much cmd->iter holds from here on
 * @cmd: that is not at its end
 *
 * Return: bytes, never 0
 */
size_t ballast_cmd_left_in_bio(struct ballast_cmd *cmd)
{
	if (!iov_iter_count(&cmd->iter))
		cmd_enter_bio(cmd, cmd->bio->bi_next);
	return iov_iter_count(&cmd->iter);
}

/* Note that @n bytes of the current bio are dealt with. */
void ballast_cmd_advance(struct ballast_cmd *cmd, size_t n)
{
	iov_iter_advance(&cmd->iter, n);
	cmd->done += n;
}

/* Stand at byte @pos, which is before the end. */
void ballast_cmd_seek(struct ballast_cmd *cmd, u32 pos)
{
	if (pos < cmd->done)
		ballast_cmd_rewind(cmd);
	while (cmd->done < pos)
		ballast_cmd_advance(cmd, min_t(size_t, pos - cmd->done,
					       ballast_cmd_left_in_bio(cmd)));
}

/**
 * ballast_cmd_fill - put received bytes into the pages of a read
 * @cmd: the read
 * @skb: where they are
 * @offset: likewise, bytes
 * @n: how many; @cmd has room for them
 *
 * Return: 0 or an errno
 */
int ballast_cmd_fill(struct ballast_cmd *cmd, struct sk_buff *skb, int offset,
		     size_t n)
{
	while (n) {
		size_t part = min(n, ballast_cmd_left_in_bio(cmd));
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

/* Likewise for @n zeroes, which the server left out. */
int ballast_cmd_zero(struct ballast_cmd *cmd, size_t n)
{
	while (n) {
		size_t part = min(n, ballast_cmd_left_in_bio(cmd));

		if (iov_iter_zero(part, &cmd->iter) != part)
			return -EFAULT;
		cmd->done += part;
		n -= part;
	}
	return 0;
}

/* End requests that no link holds any more with an I/O error. */
void ballast_cmds_fail(struct list_head *cmds)
{
	struct ballast_cmd *cmd, *next;

	list_for_each_entry_safe(cmd, next, cmds, entry)
		blk_mq_end_request(blk_mq_rq_from_pdu(cmd), BLK_STS_IOERR);
	INIT_LIST_HEAD(cmds);
}
