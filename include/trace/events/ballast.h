/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in events/ballast of tracefs. Between the two a request is in
 * the network or the server; the rest of the time from block:block_rq_issue to
 * block:block_rq_complete is the driver's. Packet captures show its cookie.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ballast

#if !defined(_TRACE_BALLAST_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_BALLAST_H

#include <linux/blk-mq.h>
#include <linux/tracepoint.h>

#include <ballast/nbd.h>

struct ballast_cmd;

#define show_ballast_type(type)                          \
	__print_symbolic(type,                           \
			 { NBD_CMD_READ, "read" },       \
			 { NBD_CMD_WRITE, "write" },     \
			 { NBD_CMD_FLUSH, "flush" },     \
			 { NBD_CMD_TRIM, "trim" },       \
			 { NBD_CMD_WRITE_ZEROES, "zero" })

/* The last byte of a request has gone into the socket. */
TRACE_EVENT(ballast_rq_sent,
	TP_PROTO(struct ballast_cmd *cmd),
	TP_ARGS(cmd),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, cookie)
		__field(u64, offset)
		__field(u32, length)
		__field(u16, type)
		__field(u16, flags)
	),
	TP_fast_assign(
		__entry->dev = compat_rq_dev(blk_mq_rq_from_pdu(cmd));
		__entry->cookie = cmd->cookie;
		__entry->offset = cmd->offset;
		__entry->length = cmd->length;
		__entry->type = cmd->type;
		__entry->flags = cmd->flags;
	),
	TP_printk("%d,%d cookie=%llx %s flags=%x offset=%llu length=%u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->cookie,
		  show_ballast_type(__entry->type), __entry->flags,
		  __entry->offset, __entry->length)
);

/* A request has been answered in full, and ends. */
TRACE_EVENT(ballast_rq_answered,
	TP_PROTO(struct ballast_cmd *cmd),
	TP_ARGS(cmd),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, cookie)
		__field(u16, type)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->dev = compat_rq_dev(blk_mq_rq_from_pdu(cmd));
		__entry->cookie = cmd->cookie;
		__entry->type = cmd->type;
		__entry->error = cmd->error;
	),
	TP_printk("%d,%d cookie=%llx %s error=%d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->cookie,
		  show_ballast_type(__entry->type), __entry->error)
);

#endif /* _TRACE_BALLAST_H */

#include <trace/define_trace.h>
