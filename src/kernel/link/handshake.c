// SPDX-License-Identifier: GPL-2.0
/*
 * The negotiation; see handshake.h. Fixed newstyle with NBD_OPT_GO, or
 * NBD_OPT_EXPORT_NAME if the server lacks that.
 *
 * It allocates packets only, so that it works when memory has run out. Every
 * wait is interruptible, and the sum of all waits is bounded.
 */
#include "handshake.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "compat.h"
#include "export.h"
#include "stream.h"
#include "wire.h"

/* Limit on replies to one option, since the server is not trusted. */
#define HANDSHAKE_MAX_REPLIES	32

static int handshake_skip(struct ballast_stream *hs, size_t len)
{
	u8 scratch[64];
	int err = 0;

	while (len && !err) {
		size_t n = min(len, sizeof(scratch));

		err = ballast_stream_read(hs, scratch, n);
		len -= n;
	}
	return err;
}

static int handshake_greeting(struct ballast_stream *hs, u16 *flags)
{
	u8 buf[WIRE_GREETING_LEN];
	__be32 ours;
	struct kvec vec = { .iov_base = &ours, .iov_len = sizeof(ours) };
	int err;

	/* The greeting of another protocol may be shorter than 18 bytes. */
	err = ballast_stream_read(hs, buf, WIRE_MAGIC_LEN);
	if (!err)
		err = ballast_wire_check_magic(buf, &hs->why);
	if (err)
		return err;
	err = ballast_stream_read(hs, buf + WIRE_MAGIC_LEN,
				  sizeof(buf) - WIRE_MAGIC_LEN);
	if (!err)
		err = ballast_wire_get_greeting(buf, flags, &hs->why);
	if (err)
		return err;

	*flags &= NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES;
	ours = cpu_to_be32(*flags);
	return ballast_stream_send(hs, &vec, 1);
}

static int handshake_reply(struct ballast_stream *hs, u32 option,
			   struct wire_option_reply *reply)
{
	u8 buf[WIRE_OPTION_REPLY_LEN];
	int err = ballast_stream_read(hs, buf, sizeof(buf));

	return err ?: ballast_wire_get_option_reply(buf, option, reply, &hs->why);
}

/* Structured replies are requested but not required. */
static int handshake_structured(struct ballast_stream *hs, bool *structured)
{
	u8 option[WIRE_OPTION_LEN];
	struct kvec vec = { .iov_base = option, .iov_len = sizeof(option) };
	struct wire_option_reply reply;
	int err;

	ballast_wire_put_option(option, NBD_OPT_STRUCTURED_REPLY, 0);
	err = ballast_stream_send(hs, &vec, 1);
	if (!err)
		err = handshake_reply(hs, NBD_OPT_STRUCTURED_REPLY, &reply);
	if (!err)
		err = handshake_skip(hs, reply.length);
	if (err)
		return err;
	/* A server that requires TLS, or is shutting down, reports it here. */
	if (reply.type == NBD_REP_ERR_TLS_REQD ||
	    reply.type == NBD_REP_ERR_SHUTDOWN)
		return ballast_wire_rep_errno(reply.type, &hs->why);
	*structured = reply.type == NBD_REP_ACK;
	return 0;
}

static int handshake_info(struct ballast_stream *hs, u32 length,
			  struct wire_export *export, bool *have_size)
{
	u8 info[WIRE_INFO_MAX_LEN] = {};
	u32 n = min_t(u32, length, sizeof(info));
	u16 type;
	int err;

	err = ballast_stream_read(hs, info, n);
	if (!err)
		err = handshake_skip(hs, length - n);
	if (!err)
		err = ballast_wire_get_info(info, length, export, &type, &hs->why);
	if (!err && type == NBD_INFO_EXPORT)
		*have_size = true;
	return err;
}

/* @unsupported: the server lacks NBD_OPT_GO. Return: 0 or an errno */
static int handshake_go(struct ballast_stream *hs, const char *name,
			u32 name_len, struct wire_export *export,
			bool *unsupported)
{
	u8 head[WIRE_GO_HEAD_LEN], tail[WIRE_GO_TAIL_LEN];
	struct kvec vec[] = {
		{ .iov_base = head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)name, .iov_len = name_len },
		{ .iov_base = tail, .iov_len = sizeof(tail) },
	};
	struct wire_option_reply reply;
	bool have_size = false;
	int err, i;

	ballast_wire_put_go(head, tail, name_len);
	err = ballast_stream_send(hs, vec, ARRAY_SIZE(vec));

	for (i = 0; !err && i < HANDSHAKE_MAX_REPLIES; i++) {
		err = handshake_reply(hs, NBD_OPT_GO, &reply);
		if (err)
			break;
		if (reply.type == NBD_REP_INFO) {
			err = handshake_info(hs, reply.length, export,
					     &have_size);
			continue;
		}
		err = handshake_skip(hs, reply.length);
		if (err)
			break;
		if (reply.type == NBD_REP_ACK) {
			if (have_size)
				return 0;
			hs->why = "the server did not send the size of the export";
			return -EPROTO;
		}
		*unsupported = reply.type == NBD_REP_ERR_UNSUP;
		return ballast_wire_rep_errno(reply.type, &hs->why);
	}
	if (!err) {
		hs->why = "too many replies to an option";
		err = -EPROTO;
	}
	return err;
}

static int handshake_export_name(struct ballast_stream *hs, const char *name,
				 u32 name_len, u16 flags,
				 struct wire_export *export)
{
	u8 option[WIRE_OPTION_LEN], buf[WIRE_EXPORT_NAME_REPLY_LEN];
	struct kvec vec[] = {
		{ .iov_base = option, .iov_len = sizeof(option) },
		{ .iov_base = (void *)name, .iov_len = name_len },
	};
	int err;

	ballast_wire_put_option(option, NBD_OPT_EXPORT_NAME, name_len);
	err = ballast_stream_send(hs, vec, ARRAY_SIZE(vec));
	if (!err)
		err = ballast_stream_read(hs, buf, sizeof(buf));
	if (err == -ECONNRESET)
		hs->why =
			"the server closed the connection; does the export exist?";
	if (err)
		return err;
	ballast_wire_get_export_name_reply(buf, export);
	return flags & NBD_FLAG_NO_ZEROES ?
		       0 : handshake_skip(hs, WIRE_EXPORT_NAME_ZEROES);
}

/**
 * ballast_handshake - negotiate with the server
 * @sock: just connected
 * @name: of the export, @name_len bytes
 * @name_len: NBD_MAX_STRING at most
 * @wait: how long the whole negotiation may take
 * @export: filled in and checked
 * @why: set to the reason on error
 *
 * Context: process; sleeps interruptibly
 * Return: 0; -EINTR or -ERESTARTSYS: a signal arrived; another errno
 */
int ballast_handshake(struct socket *sock, const char *name, u32 name_len,
		      const struct ballast_wait *wait,
		      struct wire_export *export, const char **why)
{
	struct ballast_stream hs;
	bool ask_by_name = true;
	u16 flags;
	int err;

	ballast_stream_init(&hs, sock, wait);
	*export = (struct wire_export) {};
	err = handshake_greeting(&hs, &flags);
	if (!err && flags & NBD_FLAG_FIXED_NEWSTYLE) {
		err = handshake_structured(&hs, &export->structured);
		if (!err) {
			ask_by_name = false;
			err = handshake_go(&hs, name, name_len, export,
					   &ask_by_name);
			if (ask_by_name)
				err = 0;
		}
	}
	if (!err && ask_by_name)
		err = handshake_export_name(&hs, name, name_len, flags, export);
	if (!err)
		err = ballast_export_check(export, PAGE_SIZE, &hs.why);
	*why = hs.why;
	return err;
}
