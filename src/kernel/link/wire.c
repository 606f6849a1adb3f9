// SPDX-License-Identifier: GPL-2.0
/*
 * The NBD wire format; see wire.h. All input is checked.
 */
#include "wire.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "compat.h"

/**
 * ballast_wire_check_magic - check the first bytes that a server sends
 * @buf: WIRE_MAGIC_LEN bytes
 * @why: set to the reason on error
 *
 * Return: 0 or -EPROTO
 */
int ballast_wire_check_magic(const u8 *buf, const char **why)
{
	if (get_unaligned_be64(buf) == NBD_MAGIC)
		return 0;
	*why = "not an NBD server (wrong magic)";
	return -EPROTO;
}

/**
 * ballast_wire_get_greeting - read the rest of the greeting
 * @buf: WIRE_GREETING_LEN bytes, including those of ballast_wire_check_magic()
 * @flags: its handshake flags
 * @why: set to the reason on error
 *
 * Return: 0; -EPROTO: not an NBD server, or oldstyle negotiation
 */
int ballast_wire_get_greeting(const u8 *buf, u16 *flags, const char **why)
{
	if (get_unaligned_be64(buf + 8) == NBD_OLDSTYLE_MAGIC) {
		*why = "the server supports only oldstyle negotiation";
		return -EPROTO;
	}
	if (get_unaligned_be64(buf + 8) != NBD_OPTS_MAGIC) {
		*why = "not an NBD server (wrong option magic)";
		return -EPROTO;
	}
	*flags = get_unaligned_be16(buf + 16);
	return 0;
}

/**
 * ballast_wire_put_option - write the header of an option
 * @buf: WIRE_OPTION_LEN bytes
 * @option: NBD_OPT_*
 * @length: of the data that follow, bytes
 */
void ballast_wire_put_option(u8 *buf, u32 option, u32 length)
{
	put_unaligned_be64(NBD_OPTS_MAGIC, buf);
	put_unaligned_be32(option, buf + 8);
	put_unaligned_be32(length, buf + 12);
}

/**
 * ballast_wire_get_option_reply - read the header of an option's reply
 * @buf: WIRE_OPTION_REPLY_LEN bytes
 * @option: the option that was sent
 * @reply: filled in
 * @why: set to the reason on error
 *
 * Return: 0 or -EPROTO
 */
int ballast_wire_get_option_reply(const u8 *buf, u32 option,
				  struct wire_option_reply *reply,
				  const char **why)
{
	if (get_unaligned_be64(buf) != NBD_OPTS_REPLY_MAGIC) {
		*why = "wrong magic in a reply to an option";
		return -EPROTO;
	}
	reply->option = get_unaligned_be32(buf + 8);
	reply->type = get_unaligned_be32(buf + 12);
	reply->length = get_unaligned_be32(buf + 16);
	if (reply->option != option) {
		*why = "reply to an option that was not sent";
		return -EPROTO;
	}
	/*
	 * No reply to the options that are sent is longer than a name and its
	 * frame. Reading a longer one could take hours.
	 */
	if (reply->length > 2 * NBD_MAX_STRING) {
		*why = "reply to an option is longer than the protocol allows";
		return -EPROTO;
	}
	return 0;
}

/**
 * ballast_wire_rep_errno - what an NBD_REP_ERR_* means for the attach
 * @type: of the option's reply
 * @why: set to the error in words
 *
 * Return: a negative errno
 */
int ballast_wire_rep_errno(u32 type, const char **why)
{
	switch (type) {
	case NBD_REP_ERR_UNKNOWN:
		*why = "the server has no such export";
		return -ENOENT;
	case NBD_REP_ERR_TLS_REQD:
		*why = "the server requires TLS, which ballast does not support";
		return -EOPNOTSUPP;
	case NBD_REP_ERR_POLICY:
		*why = "the server's policy forbids it";
		return -EACCES;
	case NBD_REP_ERR_SHUTDOWN:
		*why = "the server is shutting down";
		return -ECONNREFUSED;
	case NBD_REP_ERR_BLOCK_SIZE_REQD:
		*why = "the server requires block sizes that it did not announce";
		return -EPROTO;
	case NBD_REP_ERR_PLATFORM:
	case NBD_REP_ERR_UNSUP:
		*why = "the server does not support it";
		return -EOPNOTSUPP;
	case NBD_REP_ERR_INVALID:
	case NBD_REP_ERR_TOO_BIG:
		*why = "the server rejects the request for the export as invalid";
		return -EINVAL;
	default:
		*why = "the server refused, with an error that the protocol does not name";
		return -EPROTO;
	}
}

/**
 * ballast_wire_put_go - write NBD_OPT_GO without the name of the export
 * @head: WIRE_GO_HEAD_LEN bytes, sent before the name
 * @tail: WIRE_GO_TAIL_LEN bytes, sent after it
 * @name_len: length of the name, NBD_MAX_STRING at most
 */
void ballast_wire_put_go(u8 *head, u8 *tail, u32 name_len)
{
	ballast_wire_put_option(head, NBD_OPT_GO,
				4 + name_len + WIRE_GO_TAIL_LEN);
	put_unaligned_be32(name_len, head + WIRE_OPTION_LEN);
	put_unaligned_be16(2, tail);
	put_unaligned_be16(NBD_INFO_NAME, tail + 2);
	put_unaligned_be16(NBD_INFO_BLOCK_SIZE, tail + 4);
}

/**
 * ballast_wire_get_info - read one NBD_REP_INFO
 * @buf: the first min(@length, WIRE_INFO_MAX_LEN) bytes of its data
 * @length: from the reply's header, bytes
 * @export: filled in
 * @type: NBD_INFO_*
 * @why: set to the reason on error
 *
 * Information of an unknown type is ignored, and so is a name.
 *
 * Return: 0 or -EPROTO
 */
int ballast_wire_get_info(const u8 *buf, u32 length, struct wire_export *export,
			  u16 *type, const char **why)
{
	if (length < 2) {
		*why = "information on the export is too short";
		return -EPROTO;
	}
	*type = get_unaligned_be16(buf);
	switch (*type) {
	case NBD_INFO_EXPORT:
		if (length != 12) {
			*why = "information on the export's size has a wrong length";
			return -EPROTO;
		}
		export->size = get_unaligned_be64(buf + 2);
		export->flags = get_unaligned_be16(buf + 10);
		break;
	case NBD_INFO_BLOCK_SIZE:
		if (length != 14) {
			*why = "information on block sizes has a wrong length";
			return -EPROTO;
		}
		export->min_block = get_unaligned_be32(buf + 2);
		export->preferred_block = get_unaligned_be32(buf + 6);
		export->max_payload = get_unaligned_be32(buf + 10);
		if (!export->min_block) {
			*why = "minimum block size is 0";
			return -EPROTO;
		}
		break;
	}
	return 0;
}

/**
 * ballast_wire_get_export_name_reply - read the answer to NBD_OPT_EXPORT_NAME
 * @buf: WIRE_EXPORT_NAME_REPLY_LEN bytes
 * @export: filled in
 */
void ballast_wire_get_export_name_reply(const u8 *buf,
					struct wire_export *export)
{
	export->size = get_unaligned_be64(buf);
	export->flags = get_unaligned_be16(buf + 8);
}

static u64 cookie_bits(u64 value, unsigned int bits)
{
	return value & ((1ULL << bits) - 1);
}

/**
 * ballast_wire_cookie - compute the cookie of a request
 * @generation: differs each time the request is sent
 * @index: of the request, under 2^WIRE_COOKIE_INDEX_BITS
 * @type: NBD_CMD_*
 * @length: bytes, a multiple of 512
 *
 * Return: the cookie
 */
u64 ballast_wire_cookie(u32 generation, u32 index, u16 type, u32 length)
{
	u64 cookie = (u64)generation << WIRE_COOKIE_GENERATION_SHIFT;

	if (type == NBD_CMD_READ)
		cookie |= cookie_bits(length / 512, WIRE_COOKIE_LENGTH_BITS)
			  << WIRE_COOKIE_LENGTH_SHIFT;
	else if (type != NBD_CMD_FLUSH)
		cookie |= WIRE_COOKIE_CHANGES_DATA;
	return cookie | cookie_bits(index, WIRE_COOKIE_INDEX_BITS);
}

u32 ballast_wire_cookie_index(u64 cookie)
{
	return cookie_bits(cookie, WIRE_COOKIE_INDEX_BITS);
}

bool ballast_wire_cookie_changes_data(u64 cookie)
{
	return cookie & WIRE_COOKIE_CHANGES_DATA;
}

/* Bytes of data in a reply to the request; 0: it is not a read. */
u32 ballast_wire_cookie_read_len(u64 cookie)
{
	return cookie_bits(cookie >> WIRE_COOKIE_LENGTH_SHIFT,
			   WIRE_COOKIE_LENGTH_BITS) * 512;
}

/**
 * ballast_wire_put_request - write a request's header
 * @buf: WIRE_REQUEST_LEN bytes
 * @flags: NBD_CMD_FLAG_*
 * @type: NBD_CMD_*
 * @cookie: returned by the server in the reply
 * @offset: bytes
 * @length: bytes
 */
void ballast_wire_put_request(u8 *buf, u16 flags, u16 type, u64 cookie,
			      u64 offset, u32 length)
{
	put_unaligned_be32(NBD_REQUEST_MAGIC, buf);
	put_unaligned_be16(flags, buf + 4);
	put_unaligned_be16(type, buf + 6);
	put_unaligned_be64(cookie, buf + 8);
	put_unaligned_be64(offset, buf + 16);
	put_unaligned_be32(length, buf + 24);
}

/**
 * ballast_wire_get_reply - read a reply's header
 * @buf: the bytes that have arrived
 * @have: bytes in @buf
 * @structured: structured replies were negotiated
 * @reply: filled in
 * @why: set to the reason on error
 *
 * Return: 0: @reply is filled in; a positive length: call again when that
 * many bytes of the header have arrived; -EPROTO
 */
int ballast_wire_get_reply(const u8 *buf, size_t have, bool structured,
			   struct wire_reply *reply, const char **why)
{
	u16 flags;

	if (have < 4)
		return WIRE_SIMPLE_REPLY_LEN;

	switch (get_unaligned_be32(buf)) {
	case NBD_SIMPLE_REPLY_MAGIC:
		if (have < WIRE_SIMPLE_REPLY_LEN)
			return WIRE_SIMPLE_REPLY_LEN;
		reply->structured = false;
		reply->done = true;
		reply->type = NBD_REPLY_TYPE_NONE;
		reply->error = get_unaligned_be32(buf + 4);
		reply->cookie = get_unaligned_be64(buf + 8);
		reply->length = 0;
		return 0;
	case NBD_STRUCTURED_REPLY_MAGIC:
		if (!structured) {
			*why = "structured reply, which was not negotiated";
			return -EPROTO;
		}
		if (have < WIRE_CHUNK_LEN)
			return WIRE_CHUNK_LEN;
		flags = get_unaligned_be16(buf + 4);
		reply->structured = true;
		reply->done = flags & NBD_REPLY_FLAG_DONE;
		reply->type = get_unaligned_be16(buf + 6);
		reply->error = 0;
		reply->cookie = get_unaligned_be64(buf + 8);
		reply->length = get_unaligned_be32(buf + 16);
		return 0;
	default:
		*why = "wrong magic in a reply";
		return -EPROTO;
	}
}

/**
 * ballast_wire_chunk_fixed_len - length of the fixed start of a payload
 * @reply: the chunk's header
 * @why: set to the reason on error
 *
 * Return: bytes, WIRE_CHUNK_FIXED_MAX_LEN at most; -EPROTO: a length that is
 * invalid for this type, or an unknown type that is not an error
 */
int ballast_wire_chunk_fixed_len(const struct wire_reply *reply,
				 const char **why)
{
	switch (reply->type) {
	case NBD_REPLY_TYPE_NONE:
		if (reply->length || !reply->done)
			break;
		return 0;
	case NBD_REPLY_TYPE_OFFSET_DATA:
		if (reply->length <= 8)
			break;
		return 8;
	case NBD_REPLY_TYPE_OFFSET_HOLE:
		if (reply->length != 12)
			break;
		return 12;
	case NBD_REPLY_TYPE_ERROR_OFFSET:
		if (reply->length < 14 || reply->length > NBD_MAX_ERROR_CHUNK)
			break;
		return 6;
	default:
		if (!NBD_REPLY_TYPE_IS_ERROR(reply->type)) {
			*why = "chunk of a type that was not negotiated";
			return -EPROTO;
		}
		if (reply->length < 6 || reply->length > NBD_MAX_ERROR_CHUNK)
			break;
		return 6;
	}
	*why = "chunk of a wrong length";
	return -EPROTO;
}

/**
 * ballast_wire_get_chunk_range - which part of a read a chunk answers
 * @reply: the chunk's header, of type OFFSET_DATA or OFFSET_HOLE
 * @fixed: the first bytes of its payload
 * @offset: of the read, bytes
 * @length: of the read, bytes
 * @start: set to the start of the part in the read, bytes
 * @len: set to its length, bytes
 * @why: set to the reason on error
 *
 * Return: 0 or -EPROTO: not within the read
 */
int ballast_wire_get_chunk_range(const struct wire_reply *reply,
				 const u8 *fixed, u64 offset, u32 length,
				 u32 *start, u32 *len, const char **why)
{
	u64 at = get_unaligned_be64(fixed);
	u32 n = reply->type == NBD_REPLY_TYPE_OFFSET_HOLE ?
			get_unaligned_be32(fixed + 8) :
			reply->length - 8;

	if (!n || at < offset || at - offset > length ||
	    n > length - (at - offset)) {
		*why = "chunk outside of the range that was read";
		return -EPROTO;
	}
	*start = at - offset;
	*len = n;
	return 0;
}

/**
 * ballast_wire_get_chunk_error - the error in an error chunk
 * @reply: the chunk's header, of an error type
 * @fixed: the first bytes of its payload
 * @error: the NBD error
 * @why: set to the reason on error
 *
 * Return: 0; -EPROTO: the text does not fit into the chunk
 */
int ballast_wire_get_chunk_error(const struct wire_reply *reply,
				 const u8 *fixed, u32 *error, const char **why)
{
	u32 room = reply->length - 6;

	if (reply->type == NBD_REPLY_TYPE_ERROR_OFFSET)
		room -= 8;
	if (get_unaligned_be16(fixed + 4) > room) {
		*why = "an error's text is longer than its chunk";
		return -EPROTO;
	}
	*error = get_unaligned_be32(fixed);
	return 0;
}

/**
 * ballast_wire_errno - translate an NBD error to an errno
 * @error: as the server sent it, any value
 *
 * Return: 0 or a negative errno; -EIO for an unknown error
 */
int ballast_wire_errno(u32 error)
{
	switch (error) {
	case 0:
		return 0;
	case 1:
		return -EPERM;
	case 5:
		return -EIO;
	case 12:
		return -ENOMEM;
	case 22:
		return -EINVAL;
	case 28:
		return -ENOSPC;
	case 75:
		return -EOVERFLOW;
	case 95:
		return -EOPNOTSUPP;
	case 108:
		return -ESHUTDOWN;
	default:
		return -EIO;
	}
}

void ballast_wire_cover_init(struct wire_cover *cover)
{
	cover->nr = 0;
}

/**
 * ballast_wire_cover_add - note that a range of a read has arrived
 * @cover: the ranges that have arrived; invalid after an error
 * @start: of the range
 * @length: of the range, not 0
 *
 * Servers usually send the parts in order, which needs one range.
 * WIRE_COVER_RANGES allow some reordering.
 *
 * Return: 0; -EPROTO: part of it had arrived before; -E2BIG: more separate
 * ranges than WIRE_COVER_RANGES
 */
int ballast_wire_cover_add(struct wire_cover *cover, u32 start, u32 length)
{
	u32 end = start + length;
	unsigned int i = 0;

	while (i < cover->nr && cover->range[i].end < start)
		i++;
	/* Range i is the first that ends at @start or after it. */
	if (i < cover->nr && cover->range[i].end == start) {
		cover->range[i].end = end;
		if (i + 1 == cover->nr || cover->range[i + 1].start > end)
			return 0;
		if (cover->range[i + 1].start < end)
			return -EPROTO;
		cover->range[i].end = cover->range[i + 1].end;
		cover->nr--;
		memmove(&cover->range[i + 1], &cover->range[i + 2],
			(cover->nr - i - 1) * sizeof(cover->range[0]));
		return 0;
	}
	if (i < cover->nr && cover->range[i].start < end)
		return -EPROTO;
	if (i < cover->nr && cover->range[i].start == end) {
		cover->range[i].start = start;
		return 0;
	}
	if (cover->nr == WIRE_COVER_RANGES)
		return -E2BIG;
	memmove(&cover->range[i + 1], &cover->range[i],
		(cover->nr - i) * sizeof(cover->range[0]));
	cover->range[i].start = start;
	cover->range[i].end = end;
	cover->nr++;
	return 0;
}

/**
 * ballast_wire_cover_whole - has a whole read arrived?
 * @cover: the ranges that have arrived
 * @length: of the read
 *
 * Return: true: all of it has
 */
bool ballast_wire_cover_whole(const struct wire_cover *cover, u32 length)
{
	return cover->nr == 1 && !cover->range[0].start &&
	       cover->range[0].end == length;
}
