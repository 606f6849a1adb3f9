// SPDX-License-Identifier: GPL-2.0
/*
 * Reads replies that still arrive over an old connection; see drain.h. The
 * caller copies @want bytes to @buf, and skips @skip bytes.
 */
#include "drain.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

static void drain_next(struct ballast_drain *drain)
{
	drain->have = 0;
	drain->want = WIRE_SIMPLE_REPLY_LEN;
	drain->skip = 0;
}

/**
 * ballast_drain_begin - begin with the header of a reply
 * @drain: any state
 * @structured: structured replies were negotiated
 * @pending: number of requests that change data and are not answered
 */
void ballast_drain_begin(struct ballast_drain *drain, bool structured,
			 unsigned int pending)
{
	drain->structured = structured;
	drain->broken = false;
	drain->pending = pending;
	drain_next(drain);
}

/* All of a reply has arrived. */
static void drain_end_reply(struct ballast_drain *drain)
{
	if (!drain->broken && drain->reply.done && drain->pending &&
	    ballast_wire_cookie_changes_data(drain->reply.cookie))
		drain->pending--;
	drain_next(drain);
}

static void drain_payload(struct ballast_drain *drain, u32 length)
{
	drain->skip = length;
	if (!length)
		drain_end_reply(drain);
}

/**
 * ballast_drain_header - read the header in @drain->buf
 * @drain: @drain->want bytes were added to it
 */
void ballast_drain_header(struct ballast_drain *drain)
{
	struct wire_reply *reply = &drain->reply;
	const char *why;
	int more;

	more = ballast_wire_get_reply(drain->buf, drain->have,
				      drain->structured, reply, &why);
	drain->want = 0;
	if (more < 0)
		drain->broken = true;
	else if (more)
		drain->want = more - drain->have;
	else if (reply->structured)
		drain_payload(drain, reply->length);
	else
		drain_payload(drain, reply->error ? 0 :
				     ballast_wire_cookie_read_len(reply->cookie));
}

/**
 * ballast_drain_resume - begin within a header
 * @drain: from ballast_drain_begin()
 * @buf: the bytes of the header that have arrived
 * @have: bytes in @buf, WIRE_REPLY_MAX_LEN at most
 */
void ballast_drain_resume(struct ballast_drain *drain, const u8 *buf, u32 have)
{
	memcpy(drain->buf, buf, have);
	drain->have = have;
	if (have >= WIRE_SIMPLE_REPLY_LEN)
		ballast_drain_header(drain);
	else
		drain->want = WIRE_SIMPLE_REPLY_LEN - have;
}

/**
 * ballast_drain_resume_payload - begin within the payload of a reply
 * @drain: from ballast_drain_begin()
 * @reply: the reply's header
 * @left: bytes of the payload that have not arrived
 */
void ballast_drain_resume_payload(struct ballast_drain *drain,
				  const struct wire_reply *reply, u32 left)
{
	drain->reply = *reply;
	drain->want = 0;
	drain_payload(drain, left);
}

/**
 * ballast_drain_skip - skip bytes that are not needed
 * @drain: in any state
 * @len: bytes that have arrived
 *
 * Return: how many of them are skipped; 0: a header is next
 */
u32 ballast_drain_skip(struct ballast_drain *drain, size_t len)
{
	u32 n = min_t(size_t, len, drain->skip);

	if (drain->broken)
		return min_t(size_t, len, U32_MAX);
	drain->skip -= n;
	if (n && !drain->skip)
		drain_end_reply(drain);
	return n;
}
