// SPDX-License-Identifier: GPL-2.0
/*
 * Records pages that were swapped out, and reads them back; see verify.h.
 *
 * The session's thread reads back when memory may have run out: it allocates
 * packets only. The server is not trusted: a length, an offset or a cookie that
 * was not requested ends the connection. Every wait is interruptible, and the
 * sum of all waits is bounded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "verify.h"

#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/jiffies.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "compat.h"
#include "session.h"
#include "stream.h"
#include "sums.h"

/* Blocks read back over each restored connection, all requested at once. */
#define VERIFY_READS		16
/*
 * Of a long write at least 4 blocks are recorded, and at least one in 8, since
 * recording all would cost too much. Older checksums of the others are dropped.
 */
#define VERIFY_FEW		4
#define VERIFY_LONGEST_STEP	(8 * SUMS_BLOCK)
/* The upper half of the cookies. */
#define VERIFY_GENERATION	U32_MAX

/**
 * struct verify_read - a block that is read back
 * @picked: checksum of the expected data
 * @cover: the parts that have arrived
 * @ended: it has been answered
 * @data: the answer
 */
struct verify_read {
	struct ballast_sum picked;
	struct wire_cover cover;
	bool ended;
	u8 data[SUMS_BLOCK] __aligned(8);
};

/**
 * struct ballast_verify - one session's verification
 * @sums: checksums of pages that were swapped out
 * @blocks: number of blocks read back and found right
 * @errors: number of connections refused
 * @refused: result of the last verification, 0 or an errno
 * @why: buffer for a reason that has a number in it
 * @read: the reads of a verification; only the session's thread uses them
 */
struct ballast_verify {
	struct ballast_sums sums;
	unsigned long blocks;
	unsigned long errors;
	int refused;
	char why[112];
	struct verify_read read[VERIFY_READS];
};

/**
 * struct verification - one verification under way
 * @stream: the connection
 * @verify: the session's
 * @structured: the server answers reads with structured replies
 * @nr: number of reads
 */
struct verification {
	struct ballast_stream stream;
	struct ballast_verify *verify;
	bool structured;
	unsigned int nr;
};

/**
 * ballast_verify_alloc - allocate the verification of a session
 *
 * Context: process; waits for memory
 * Return: ballast_verify_free() frees it; NULL: no memory
 */
struct ballast_verify *ballast_verify_alloc(void)
{
	struct ballast_verify *verify = kvzalloc(sizeof(*verify), GFP_KERNEL);

	if (verify)
		ballast_sums_init(&verify->sums);
	return verify;
}

void ballast_verify_free(struct ballast_verify *verify)
{
	kvfree(verify);
}

/* Get the values for sysfs. @verify: NULL: verify=off */
void ballast_verify_get_stats(const struct ballast_verify *verify,
			      struct ballast_verify_stats *stats)
{
	*stats = (struct ballast_verify_stats){ .state = "off" };
	if (!verify)
		return;
	stats->state = READ_ONCE(verify->refused) ? "refused" : "on";
	stats->blocks = READ_ONCE(verify->blocks);
	stats->errors = READ_ONCE(verify->errors);
}

/* Recording */

static bool verify_is_one_block(const struct ballast_cmd *cmd)
{
	return cmd->length == SUMS_BLOCK && !(cmd->offset % SUMS_BLOCK);
}

/* A request that changes data is about to be sent; see ballast_verify_submit(). */
void ballast_verify_begin(struct ballast_verify *verify,
			  struct ballast_cmd *cmd)
{
	cmd->verify = verify;
	if (verify_is_one_block(cmd))
		ballast_sums_begin_block(&verify->sums,
					 cmd->offset >> SUMS_BLOCK_SHIFT);
	else
		ballast_sums_begin(&verify->sums, cmd->offset, cmd->length);
}

/*
 * The common case, a page that is swapped out. Return: true: it was one, and is
 * recorded and ended
 */
static bool verify_end_page(struct ballast_verify *verify,
			    struct ballast_cmd *cmd)
{
	const struct bio *bio = blk_mq_rq_from_pdu(cmd)->bio;
	struct bio_vec vec = bio_iovec(bio);
	u8 *page;

	if (!(bio->bi_opf & REQ_SWAP) || vec.bv_len != SUMS_BLOCK ||
	    vec.bv_offset % SUMS_BLOCK)
		return false;
	page = kmap_local_page(vec.bv_page);
	ballast_sums_end_block(&verify->sums, cmd->offset >> SUMS_BLOCK_SHIFT,
			       page + vec.bv_offset, jiffies);
	kunmap_local(page);
	return true;
}

static void verify_record_page(struct ballast_verify *verify, u64 offset,
			       struct bio_vec vec)
{
	u8 *page;

	if (offset % SUMS_BLOCK || vec.bv_len < SUMS_BLOCK ||
	    vec.bv_offset % SUMS_BLOCK)
		return;
	page = kmap_local_page(vec.bv_page);
	ballast_sums_record(&verify->sums, offset >> SUMS_BLOCK_SHIFT,
			    page + vec.bv_offset, jiffies);
	kunmap_local(page);
}

/* Some pages of a long request, spread over it. */
static void verify_record_pages(struct ballast_verify *verify,
				struct ballast_cmd *cmd)
{
	struct bio *bio = blk_mq_rq_from_pdu(cmd)->bio;
	u32 step = clamp_t(u32,
			   round_down(cmd->length / VERIFY_FEW, SUMS_BLOCK),
			   SUMS_BLOCK, VERIFY_LONGEST_STEP);
	u64 pos = cmd->offset, next = pos;

	for (; bio; bio = bio->bi_next) {
		struct bvec_iter iter = bio->bi_iter;
		u64 end = pos + iter.bi_size;

		while (bio->bi_opf & REQ_SWAP && next < end) {
			/* A bio that is not swap may precede this one. */
			next = max(next, pos);
			if (next > pos)
				bio_advance_iter(bio, &iter, next - pos);
			pos = next;
			verify_record_page(verify, pos,
					   bio_iter_iovec(bio, iter));
			next = pos + step;
		}
		pos = end;
	}
}

/* See ballast_verify_end(). */
void ballast_verify_record(struct ballast_cmd *cmd, bool ok)
{
	struct ballast_verify *verify = cmd->verify;

	cmd->verify = NULL;
	if (ok && cmd->type == NBD_CMD_WRITE) {
		if (!verify_is_one_block(cmd))
			verify_record_pages(verify, cmd);
		else if (verify_end_page(verify, cmd))
			return;
	}
	ballast_sums_end(&verify->sums, cmd->offset, cmd->length);
}

/* Reading back */

static int verify_send(struct verification *v)
{
	u8 requests[VERIFY_READS * WIRE_REQUEST_LEN];
	struct kvec vec = {
		.iov_base = requests,
		.iov_len = v->nr * WIRE_REQUEST_LEN,
	};
	unsigned int i;

	for (i = 0; i < v->nr; i++)
		ballast_wire_put_request(requests + i * WIRE_REQUEST_LEN, 0,
					 NBD_CMD_READ,
					 (u64)VERIFY_GENERATION << 32 | i,
					 v->verify->read[i].picked.block
						 << SUMS_BLOCK_SHIFT,
					 SUMS_BLOCK);
	return ballast_stream_send(&v->stream, &vec, 1);
}

static u64 verify_offset(const struct verify_read *read)
{
	return read->picked.block << SUMS_BLOCK_SHIFT;
}

/* The server can't read the block: a page fault on it would fail as well. */
static int verify_failed(struct verification *v, struct verify_read *read,
			 u32 error)
{
	scnprintf(v->verify->why, sizeof(v->verify->why),
		  "the server fails to read back offset %llu, NBD error %u",
		  verify_offset(read), error);
	v->stream.why = v->verify->why;
	return -EIO;
}

/* All of a block has arrived. */
static int verify_end(struct verification *v, struct verify_read *read)
{
	struct ballast_verify *verify = v->verify;

	read->ended = true;
	if (ballast_sums_differ(&verify->sums, &read->picked, read->data)) {
		scnprintf(verify->why, sizeof(verify->why),
			  "the data at offset %llu is not the data that was written; the server lost it or serves other data",
			  verify_offset(read));
		v->stream.why = verify->why;
		return -EREMCHG;
	}
	WRITE_ONCE(verify->blocks, verify->blocks + 1);
	return 0;
}

static int verify_header(struct verification *v, struct wire_reply *reply)
{
	u8 buf[WIRE_REPLY_MAX_LEN];
	int have = 0, more = WIRE_SIMPLE_REPLY_LEN;
	int err;

	while (more > have) {
		err = ballast_stream_read(&v->stream, buf + have, more - have);
		if (err)
			return err;
		have = more;
		more = ballast_wire_get_reply(buf, have, v->structured, reply,
					      &v->stream.why);
	}
	return min(more, 0);
}

static struct verify_read *verify_find(struct verification *v, u64 cookie)
{
	u32 i = lower_32_bits(cookie);

	if (upper_32_bits(cookie) != VERIFY_GENERATION || i >= v->nr ||
	    v->verify->read[i].ended)
		return NULL;
	return &v->verify->read[i];
}

static int verify_simple(struct verification *v, struct verify_read *read,
			 u32 error)
{
	int err;

	if (v->structured) {
		v->stream.why =
			"simple reply to a read although structured replies were negotiated";
		return -EPROTO;
	}
	if (error)
		return verify_failed(v, read, error);
	err = ballast_stream_read(&v->stream, read->data, SUMS_BLOCK);
	return err ?: verify_end(v, read);
}

/* A chunk with data or a hole. */
static int verify_range(struct verification *v, struct verify_read *read,
			const struct wire_reply *reply, const u8 *fixed)
{
	u32 start, len;
	int err;

	err = ballast_wire_get_chunk_range(reply, fixed, verify_offset(read),
					   SUMS_BLOCK, &start, &len,
					   &v->stream.why);
	if (err)
		return err;
	err = ballast_wire_cover_add(&read->cover, start, len);
	if (err) {
		v->stream.why =
			err == -E2BIG ?
				"read answered in too many separate ranges" :
				"part of a read answered twice";
		return err;
	}
	if (reply->type == NBD_REPLY_TYPE_OFFSET_DATA)
		return ballast_stream_read(&v->stream, read->data + start, len);
	memset(read->data + start, 0, len);
	return 0;
}

static int verify_chunk(struct verification *v, struct verify_read *read,
			const struct wire_reply *reply)
{
	u8 fixed[WIRE_CHUNK_FIXED_MAX_LEN];
	u32 error;
	int len, err;

	len = ballast_wire_chunk_fixed_len(reply, &v->stream.why);
	if (len < 0)
		return len;
	if (len) {
		err = ballast_stream_read(&v->stream, fixed, len);
		if (err)
			return err;
		if (NBD_REPLY_TYPE_IS_ERROR(reply->type)) {
			err = ballast_wire_get_chunk_error(reply, fixed, &error,
							   &v->stream.why);
			return err ?: verify_failed(v, read, error);
		}
		err = verify_range(v, read, reply, fixed);
		if (err)
			return err;
	}
	if (!reply->done)
		return 0;
	if (!ballast_wire_cover_whole(&read->cover, SUMS_BLOCK)) {
		v->stream.why = "a read was not answered in full";
		return -EPROTO;
	}
	return verify_end(v, read);
}

/* Return: 0: all are answered, or an errno and @v->stream.why */
static int verify_replies(struct verification *v)
{
	unsigned int left = v->nr;
	struct verify_read *read;
	struct wire_reply reply;
	int err;

	while (left) {
		err = verify_header(v, &reply);
		if (err)
			return err;
		read = verify_find(v, reply.cookie);
		if (!read) {
			v->stream.why =
				"reply to a request that is not in flight";
			return -EPROTO;
		}
		err = reply.structured ? verify_chunk(v, read, &reply) :
					 verify_simple(v, read, reply.error);
		if (err)
			return err;
		left -= read->ended;
	}
	return 0;
}

static void verify_pick(struct verification *v)
{
	struct verify_read *read = v->verify->read;
	struct ballast_sum picked[VERIFY_READS];
	unsigned int i;

	v->nr = ballast_sums_pick(&v->verify->sums, jiffies, get_random_u32(),
				  picked, VERIFY_READS);
	for (i = 0; i < v->nr; i++) {
		read[i].picked = picked[i];
		ballast_wire_cover_init(&read[i].cover);
		read[i].ended = false;
	}
}

/**
 * ballast_verify_note - record the result of a verification
 * @session: the session
 * @err: from ballast_verify_server(); logged if it differs from the last one
 * @why: likewise
 *
 * Context: the session's thread
 */
void ballast_verify_note(struct ballast_session *session, int err,
			 const char *why)
{
	struct ballast_verify *verify = session->verify;

	if (!verify)
		return;
	if (err && verify->refused != err)
		pr_err("%s: server %pISpc: verification: %s (error %d)\n",
		       session->name, &session->target.addr, why, err);
	WRITE_ONCE(verify->refused, err);
	if (!err)
		return;
	WRITE_ONCE(verify->errors, verify->errors + 1);
	ballast_session_set_reason(session, "verification: %s", why);
}

/**
 * ballast_verify_server - check that a server has the data that was written
 * @session: the session
 * @sock: negotiated; no link has it yet
 * @structured: the server answers reads with structured replies
 * @wait: how long this may take
 * @why: set to the reason of an error
 *
 * Blocks larger than a checksum's cannot be read in part and are not verified;
 * with pages of 4 KiB there is no such disk.
 *
 * Context: the session's thread; sleeps interruptibly
 * Return: 0: it has, or no checksum is known; -EREMCHG: it has other data;
 * another errno
 */
int ballast_verify_server(struct ballast_session *session, struct socket *sock,
			  bool structured, const struct ballast_wait *wait,
			  const char **why)
{
	struct verification v = {
		.verify = session->verify,
		.structured = structured,
	};
	int err;

	if (!v.verify || session->export.min_block > SUMS_BLOCK)
		return 0;
	ballast_stream_init(&v.stream, sock, wait);
	verify_pick(&v);
	err = v.nr ? verify_send(&v) : 0;
	if (!err)
		err = verify_replies(&v);
	*why = v.stream.why;
	return err;
}
