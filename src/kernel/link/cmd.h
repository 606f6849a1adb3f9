/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One request in transmission: its NBD header, and the position of the next
 * byte in its bios.
 *
 * The iterator walks the bios' own vectors, so it needs no allocation.
 */
#ifndef BALLAST_CMD_H
#define BALLAST_CMD_H

#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/types.h>
#include <linux/uio.h>

#include "wire.h"

struct ballast_verify;
struct bio;
struct request;
struct sk_buff;
struct sock;

/**
 * struct ballast_cmd - the driver's part of a request, preallocated with it
 * @submit: in &ballast_link.submitted
 * @entry: in one of the lists of &struct ballast_link
 * @index: the request's tag, unique over all queues of the disk
 * @cookie: sent to the server, which returns it in the reply; differs each
 *	    time a request is sent
 * @type: NBD_CMD_*
 * @flags: NBD_CMD_FLAG_*
 * @offset: into the export, bytes
 * @length: bytes
 * @began_at: jiffies; when this link took the request over
 * @header: as sent to the server
 * @header_sent: bytes of @header already sent over the link that has the
 *		 request, or had it last
 * @timeouts: number of connections given up because this request was not
 *	      answered
 * @fences: bit mask of the old connections over which the server may still
 *	    execute it, see fence.h
 * @splice: the pages of @bio can be sent in place
 * @done: bytes of @length already sent (write), or the position of @iter
 *	  (read)
 * @bio: the part of the request that @iter is in
 * @iter: the rest of @bio
 * @error: from the server, a negative errno; 0: no error so far
 * @cover: the parts of a structured read that have arrived
 * @verify: counts this request as in flight; NULL: it changes nothing, or
 *	    verify=off
 */
struct ballast_cmd {
	struct llist_node submit;
	struct list_head entry;
	u32 index;
	u64 cookie;
	u16 type;
	u16 flags;
	u64 offset;
	u32 length;
	unsigned long began_at;
	u8 header[WIRE_REQUEST_LEN];
	u8 header_sent;
	u8 timeouts;
	u64 fences;
	bool splice;
	u32 done;
	struct bio *bio;
	struct iov_iter iter;
	int error;
	struct wire_cover cover;
	struct ballast_verify *verify;
};

blk_status_t ballast_cmd_init(struct ballast_cmd *cmd, struct request *rq);
bool ballast_cmd_changes_data(const struct ballast_cmd *cmd);
bool ballast_cmd_partly_sent(const struct ballast_cmd *cmd);
void ballast_cmd_prepare(struct ballast_cmd *cmd, u32 generation);
int ballast_cmd_send(struct ballast_cmd *cmd, struct sock *sk, bool end_packet,
		     bool more);
void ballast_cmd_seek(struct ballast_cmd *cmd, u32 pos);
int ballast_cmd_fill(struct ballast_cmd *cmd, struct sk_buff *skb, int offset,
		     size_t n);
int ballast_cmd_zero(struct ballast_cmd *cmd, size_t n);
void ballast_cmd_end(struct ballast_cmd *cmd);
void ballast_cmds_fail(struct list_head *cmds);

#endif /* BALLAST_CMD_H */
