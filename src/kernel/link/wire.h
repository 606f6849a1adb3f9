/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The NBD wire format: writing and reading its headers.
 *
 * Pure functions on buffers: no socket, no lock, no allocation; any context.
 * They build in user space too, for unit tests and fuzzing.
 */
#ifndef BALLAST_WIRE_H
#define BALLAST_WIRE_H

#include <linux/types.h>

#include <ballast/nbd.h>

/* Lengths on the wire, in bytes */
#define WIRE_MAGIC_LEN 8
#define WIRE_GREETING_LEN 18
#define WIRE_OPTION_LEN 16 /* and its data */
#define WIRE_OPTION_REPLY_LEN 20 /* and its data */
#define WIRE_GO_HEAD_LEN (WIRE_OPTION_LEN + 4)
#define WIRE_GO_TAIL_LEN 6
#define WIRE_INFO_MAX_LEN 14 /* of the types that are read */
#define WIRE_EXPORT_NAME_REPLY_LEN 10 /* and WIRE_EXPORT_NAME_ZEROES */
#define WIRE_EXPORT_NAME_ZEROES 124
#define WIRE_REQUEST_LEN 28
#define WIRE_SIMPLE_REPLY_LEN 16
#define WIRE_CHUNK_LEN 20
#define WIRE_REPLY_MAX_LEN WIRE_CHUNK_LEN
#define WIRE_CHUNK_FIXED_MAX_LEN 12

/**
 * struct wire_export - a server's description of an export
 * @size: bytes
 * @flags: NBD_FLAG_*, the transmission flags
 * @min_block: minimum length and alignment of a request, bytes; 0: not sent
 * @preferred_block: length and alignment of requests that are fast, bytes
 * @max_payload: maximum length of a read or write, bytes
 * @structured: the server answers reads with structured replies
 */
struct wire_export {
	u64 size;
	u16 flags;
	u32 min_block;
	u32 preferred_block;
	u32 max_payload;
	bool structured;
};

/**
 * struct wire_option_reply - the header of a reply to an option
 * @option: the option that is answered
 * @type: NBD_REP_*
 * @length: bytes of data that follow
 */
struct wire_option_reply {
	u32 option;
	u32 type;
	u32 length;
};

/**
 * struct wire_reply - the header of a reply in the transmission phase
 * @structured: it is a chunk of a structured reply
 * @done: the last chunk of the request
 * @type: NBD_REPLY_TYPE_*, of a chunk
 * @error: NBD error of a simple reply; 0: success
 * @length: bytes of payload that follow a chunk's header
 * @cookie: of the request that is answered
 */
struct wire_reply {
	bool structured;
	bool done;
	u16 type;
	u32 error;
	u32 length;
	u64 cookie;
};

/*
 * A cookie: the index of the request, whether the request changes data, the
 * length of a read in sectors, and a generation that makes cookies differ.
 * From it the reader of an old connection knows the kind and the length of a
 * reply even if the request has ended.
 */
#define WIRE_COOKIE_INDEX_BITS		17
#define WIRE_COOKIE_LENGTH_BITS		17
#define WIRE_COOKIE_CHANGES_DATA	(1ULL << WIRE_COOKIE_INDEX_BITS)
#define WIRE_COOKIE_LENGTH_SHIFT	(WIRE_COOKIE_INDEX_BITS + 1)
#define WIRE_COOKIE_GENERATION_SHIFT \
	(WIRE_COOKIE_LENGTH_SHIFT + WIRE_COOKIE_LENGTH_BITS)

/* Ranges of a read that have arrived; see ballast_wire_cover_add(). */
#define WIRE_COVER_RANGES 4
struct wire_cover {
	unsigned int nr;
	struct {
		u32 start;
		u32 end;
	} range[WIRE_COVER_RANGES];
};

int ballast_wire_check_magic(const u8 *buf, const char **why);
int ballast_wire_get_greeting(const u8 *buf, u16 *flags, const char **why);
void ballast_wire_put_option(u8 *buf, u32 option, u32 length);
int ballast_wire_get_option_reply(const u8 *buf, u32 option,
				  struct wire_option_reply *reply,
				  const char **why);
int ballast_wire_rep_errno(u32 type, const char **why);
void ballast_wire_put_go(u8 *head, u8 *tail, u32 name_len);
int ballast_wire_get_info(const u8 *buf, u32 length, struct wire_export *export,
			  u16 *type, const char **why);
void ballast_wire_get_export_name_reply(const u8 *buf,
					struct wire_export *export);

u64 ballast_wire_cookie(u32 generation, u32 index, u16 type, u32 length);
u32 ballast_wire_cookie_index(u64 cookie);
bool ballast_wire_cookie_changes_data(u64 cookie);
u32 ballast_wire_cookie_read_len(u64 cookie);
void ballast_wire_put_request(u8 *buf, u16 flags, u16 type, u64 cookie,
			      u64 offset, u32 length);
int ballast_wire_get_reply(const u8 *buf, size_t have, bool structured,
			   struct wire_reply *reply, const char **why);
int ballast_wire_chunk_fixed_len(const struct wire_reply *reply,
				 const char **why);
int ballast_wire_get_chunk_range(const struct wire_reply *reply,
				 const u8 *fixed, u64 offset, u32 length,
				 u32 *start, u32 *len, const char **why);
int ballast_wire_get_chunk_error(const struct wire_reply *reply,
				 const u8 *fixed, u32 *error, const char **why);
int ballast_wire_errno(u32 error);

void ballast_wire_cover_init(struct wire_cover *cover);
int ballast_wire_cover_add(struct wire_cover *cover, u32 start, u32 length);
bool ballast_wire_cover_whole(const struct wire_cover *cover, u32 length);

#endif /* BALLAST_WIRE_H */
