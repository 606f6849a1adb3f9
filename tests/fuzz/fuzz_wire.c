// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as what a server says: a negotiation, and then replies, read as
 * handshake.c and reply.c read them; or replies over an old connection, read
 * as fence.c reads them. The first byte says which, and what was negotiated.
 */
#include "fuzz.h"
#include "drain.h"
#include "export.h"
#include "wire.h"

#define REQUEST_OFFSET	(1ULL << 20)
#define REQUEST_LENGTH	65536

/* Bytes that have not been taken. */
struct stream {
	const u8 *data;
	size_t left;
};

/*
 * A copy of exactly @n bytes, so that ASan sees each that is read behind it.
 * Return: NULL: there are not so many
 */
static u8 *take(struct stream *from, size_t n)
{
	u8 *copy;

	if (from->left < n)
		return NULL;
	copy = malloc(n ?: 1);
	memcpy(copy, from->data, n);
	from->data += n;
	from->left -= n;
	return copy;
}

static bool skip(struct stream *from, size_t n)
{
	u8 *copy = take(from, n);

	free(copy);
	return copy;
}

/* An error has words, and success has none. */
static void check_why(int err, const char *why)
{
	REQUIRE(err <= 0);
	REQUIRE(!err == !why);
}

static bool greeting(struct stream *from, u16 *flags)
{
	const char *why = NULL;
	u8 *buf = take(from, WIRE_GREETING_LEN);
	int err;

	if (!buf)
		return false;
	err = ballast_wire_check_magic(buf, &why);
	check_why(err, why);
	if (!err) {
		err = ballast_wire_get_greeting(buf, flags, &why);
		check_why(err, why);
	}
	free(buf);
	return !err;
}

static bool option_reply(struct stream *from, u32 option,
			 struct wire_option_reply *reply)
{
	u8 *buf = take(from, WIRE_OPTION_REPLY_LEN);
	const char *why = NULL;
	int err;

	if (!buf)
		return false;
	err = ballast_wire_get_option_reply(buf, option, reply, &why);
	check_why(err, why);
	free(buf);
	return !err;
}

static bool information(struct stream *from, u32 length,
			struct wire_export *export)
{
	u8 info[WIRE_INFO_MAX_LEN] = {};
	u32 n = length < sizeof(info) ? length : sizeof(info);
	const char *why = NULL;
	u8 *buf = take(from, n);
	u16 type;
	int err;

	if (!buf)
		return false;
	memcpy(info, buf, n);
	free(buf);
	if (!skip(from, length - n))
		return false;
	err = ballast_wire_get_info(info, length, export, &type, &why);
	check_why(err, why);
	return !err;
}

static bool by_name(struct stream *from, struct wire_export *export)
{
	u8 *buf = take(from, WIRE_EXPORT_NAME_REPLY_LEN);

	if (!buf)
		return false;
	ballast_wire_get_export_name_reply(buf, export);
	free(buf);
	return true;
}

static bool negotiation(struct stream *from, struct wire_export *export)
{
	struct wire_option_reply reply;
	const char *why = NULL;
	u16 flags;

	if (!greeting(from, &flags))
		return false;
	if (!(flags & NBD_FLAG_FIXED_NEWSTYLE))
		return by_name(from, export);
	if (!option_reply(from, NBD_OPT_STRUCTURED_REPLY, &reply) ||
	    !skip(from, reply.length))
		return false;
	export->structured = reply.type == NBD_REP_ACK;
	while (option_reply(from, NBD_OPT_GO, &reply)) {
		if (reply.type == NBD_REP_INFO) {
			if (!information(from, reply.length, export))
				return false;
			continue;
		}
		if (!skip(from, reply.length))
			return false;
		if (reply.type == NBD_REP_ACK)
			return true;
		check_why(ballast_wire_rep_errno(reply.type, &why), why);
		return reply.type == NBD_REP_ERR_UNSUP &&
		       by_name(from, export);
	}
	return false;
}

static bool checked(struct wire_export *export)
{
	const char *why = NULL;
	int err = ballast_export_check(export, 4096, &why);

	check_why(err, why);
	if (err)
		return false;
	REQUIRE(export->size && export->size <= (1ULL << 63) - 1);
	REQUIRE(export->min_block >= 512 && export->min_block <= 4096);
	REQUIRE(!(export->min_block & (export->min_block - 1)));
	REQUIRE(!(export->size % export->min_block));
	REQUIRE(export->max_payload >= 4096);
	return true;
}

/* What a chunk holds. Return: whether to go on */
static bool chunk(struct stream *from, const struct wire_reply *reply,
		  struct wire_cover *cover)
{
	const char *why = NULL;
	int fixed = ballast_wire_chunk_fixed_len(reply, &why), err;
	u32 start, len, error;
	u8 *buf;

	check_why(fixed < 0 ? fixed : 0, why);
	if (fixed < 0)
		return false;
	REQUIRE(fixed <= WIRE_CHUNK_FIXED_MAX_LEN && fixed <= reply->length);
	buf = take(from, fixed);
	if (!buf)
		return false;
	if (!fixed) {
		free(buf);
		return true;
	}
	if (NBD_REPLY_TYPE_IS_ERROR(reply->type)) {
		err = ballast_wire_get_chunk_error(reply, buf, &error, &why);
		check_why(err, why);
		free(buf);
		if (!err)
			REQUIRE(ballast_wire_errno(error) <= 0);
		return !err && skip(from, reply->length - fixed);
	}
	err = ballast_wire_get_chunk_range(reply, buf, REQUEST_OFFSET, REQUEST_LENGTH,
				   &start, &len, &why);
	check_why(err, why);
	free(buf);
	if (err)
		return false;
	REQUIRE(len && start < REQUEST_LENGTH &&
		len <= REQUEST_LENGTH - start);
	if (ballast_wire_cover_add(cover, start, len))
		return false;
	return reply->type == NBD_REPLY_TYPE_OFFSET_HOLE || skip(from, len);
}

static void replies(struct stream *from, bool structured)
{
	struct wire_cover cover;
	struct wire_reply reply;
	u8 buf[WIRE_REPLY_MAX_LEN];
	const char *why;

	ballast_wire_cover_init(&cover);
	for (;;) {
		size_t have = 0;
		int more = WIRE_SIMPLE_REPLY_LEN;

		while (more > 0) {
			u8 *next = take(from, more - have);

			if (!next)
				return;
			REQUIRE((size_t)more <= sizeof(buf));
			memcpy(buf + have, next, more - have);
			free(next);
			have = more;
			why = NULL;
			more = ballast_wire_get_reply(buf, have, structured, &reply,
					      &why);
			REQUIRE(more <= 0 || (size_t)more > have);
		}
		check_why(more, why);
		if (more < 0)
			return;
		if (reply.structured ? !chunk(from, &reply, &cover) :
				       !skip(from, reply.error ? 0 : 4096))
			return;
		if (reply.structured && reply.done) {
			ballast_wire_cover_whole(&cover, REQUEST_LENGTH);
			ballast_wire_cover_init(&cover);
		}
	}
}

/* As fence_actor() does it, @step bytes at a time. */
static void drain_bytes(struct ballast_drain *drain, const u8 *bytes,
			size_t len, size_t step)
{
	unsigned int pending = drain->pending;
	size_t n, left;

	for (; len; bytes += n, len -= n) {
		left = len < step ? len : step;
		n = ballast_drain_skip(drain, left);
		REQUIRE(n <= left);
		if (!n) {
			n = left < drain->want ? left : drain->want;
			REQUIRE(n && drain->have + n <= sizeof(drain->buf));
			memcpy(drain->buf + drain->have, bytes, n);
			drain->have += n;
			drain->want -= n;
			if (!drain->want)
				ballast_drain_header(drain);
		}
		REQUIRE(drain->broken || !drain->skip != !drain->want);
		REQUIRE(drain->pending == pending ||
			(drain->pending < pending && !drain->broken));
		pending = drain->pending;
	}
}

/*
 * Cut anywhere, and begun within a header, an old connection says the same.
 * Its first byte says where.
 */
static void drained(struct stream *from, bool structured)
{
	struct ballast_drain whole, cut;
	size_t have, first;

	if (!from->left)
		return;
	have = *from->data++ % (WIRE_SIMPLE_REPLY_LEN + 1);
	from->left--;
	first = from->left < have ? from->left : have;
	ballast_drain_begin(&whole, structured, 3);
	drain_bytes(&whole, from->data, from->left, from->left);
	ballast_drain_begin(&cut, structured, 3);
	ballast_drain_resume(&cut, from->data, first);
	drain_bytes(&cut, from->data + first, from->left - first, have + 1);
	REQUIRE(cut.broken == whole.broken);
	REQUIRE(cut.pending == whole.pending);
	REQUIRE(cut.broken ||
		(cut.have == whole.have && cut.want == whole.want &&
		 cut.skip == whole.skip));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct stream from = { data, size };
	struct wire_export export = {};
	u8 how;

	if (!size)
		return 0;
	how = *from.data++;
	from.left--;
	/* Either the whole, or replies right away, or an old connection's. */
	if (how & 4) {
		drained(&from, how & 2);
	} else if (how & 1) {
		replies(&from, how & 2);
	} else if (negotiation(&from, &export) && checked(&export)) {
		replies(&from, export.structured);
	}
	return 0;
}
