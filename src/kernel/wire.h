/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The NBD wire format: what goes into a byte of it and what comes out.
 *
 * Pure functions on buffers, without a socket, a lock or an allocation, so
 * that they build in user space too, for unit tests and fuzzing. Names and
 * values are those of the protocol text, doc/proto.md of the nbd project.
 */
#ifndef BALLAST_WIRE_H
#define BALLAST_WIRE_H

#include <linux/types.h>

/* Negotiation */
#define NBD_MAGIC			0x4e42444d41474943ULL	/* NBDMAGIC */
#define NBD_OPTS_MAGIC			0x49484156454f5054ULL	/* IHAVEOPT */
#define NBD_OLDSTYLE_MAGIC		0x00420281861253ULL
#define NBD_OPTS_REPLY_MAGIC		0x0003e889045565a9ULL

#define NBD_FLAG_FIXED_NEWSTYLE		(1 << 0)
#define NBD_FLAG_NO_ZEROES		(1 << 1)

#define NBD_OPT_EXPORT_NAME		1
#define NBD_OPT_ABORT			2
#define NBD_OPT_GO			7
#define NBD_OPT_STRUCTURED_REPLY	8

#define NBD_REP_ACK			1
#define NBD_REP_INFO			3
#define NBD_REP_FLAG_ERROR		(1U << 31)
#define NBD_REP_ERR_UNSUP		(NBD_REP_FLAG_ERROR | 1)
#define NBD_REP_ERR_POLICY		(NBD_REP_FLAG_ERROR | 2)
#define NBD_REP_ERR_INVALID		(NBD_REP_FLAG_ERROR | 3)
#define NBD_REP_ERR_PLATFORM		(NBD_REP_FLAG_ERROR | 4)
#define NBD_REP_ERR_TLS_REQD		(NBD_REP_FLAG_ERROR | 5)
#define NBD_REP_ERR_UNKNOWN		(NBD_REP_FLAG_ERROR | 6)
#define NBD_REP_ERR_SHUTDOWN		(NBD_REP_FLAG_ERROR | 7)
#define NBD_REP_ERR_BLOCK_SIZE_REQD	(NBD_REP_FLAG_ERROR | 8)
#define NBD_REP_ERR_TOO_BIG		(NBD_REP_FLAG_ERROR | 9)

#define NBD_INFO_EXPORT			0
#define NBD_INFO_NAME			1
#define NBD_INFO_BLOCK_SIZE		3

/* Transmission flags of an export */
#define NBD_FLAG_HAS_FLAGS		(1 << 0)
#define NBD_FLAG_READ_ONLY		(1 << 1)
#define NBD_FLAG_SEND_FLUSH		(1 << 2)
#define NBD_FLAG_SEND_FUA		(1 << 3)
#define NBD_FLAG_ROTATIONAL		(1 << 4)
#define NBD_FLAG_SEND_TRIM		(1 << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES	(1 << 6)
#define NBD_FLAG_CAN_MULTI_CONN		(1 << 8)

/* Transmission */
#define NBD_REQUEST_MAGIC		0x25609513
#define NBD_SIMPLE_REPLY_MAGIC		0x67446698
#define NBD_STRUCTURED_REPLY_MAGIC	0x668e33ef

#define NBD_CMD_READ			0
#define NBD_CMD_WRITE			1
#define NBD_CMD_DISC			2
#define NBD_CMD_FLUSH			3
#define NBD_CMD_TRIM			4
#define NBD_CMD_WRITE_ZEROES		6

#define NBD_CMD_FLAG_FUA		(1 << 0)
#define NBD_CMD_FLAG_NO_HOLE		(1 << 1)

#define NBD_REPLY_FLAG_DONE		(1 << 0)
#define NBD_REPLY_TYPE_NONE		0
#define NBD_REPLY_TYPE_OFFSET_DATA	1
#define NBD_REPLY_TYPE_OFFSET_HOLE	2
#define NBD_REPLY_TYPE_ERROR		(0x8000 | 1)
#define NBD_REPLY_TYPE_ERROR_OFFSET	(0x8000 | 2)
#define NBD_REPLY_TYPE_IS_ERROR(type)	((type) & 0x8000)

#define NBD_MAX_STRING			4096	/* bytes in an export's name */
#define NBD_MAX_ERROR_CHUNK		(4096 + 14)
#define NBD_DEFAULT_MAX_PAYLOAD		(32U << 20)

/* Lengths on the wire, in bytes */
#define WIRE_MAGIC_LEN			8
#define WIRE_GREETING_LEN		18
#define WIRE_OPTION_LEN			16	/* and its data */
#define WIRE_OPTION_REPLY_LEN		20	/* and its data */
#define WIRE_GO_HEAD_LEN		(WIRE_OPTION_LEN + 4)
#define WIRE_GO_TAIL_LEN		6
#define WIRE_INFO_MAX_LEN		14	/* of those that we read */
#define WIRE_EXPORT_NAME_REPLY_LEN	10	/* and WIRE_EXPORT_NAME_ZEROES */
#define WIRE_EXPORT_NAME_ZEROES		124
#define WIRE_REQUEST_LEN		28
#define WIRE_SIMPLE_REPLY_LEN		16
#define WIRE_CHUNK_LEN			20
#define WIRE_REPLY_MAX_LEN		WIRE_CHUNK_LEN
#define WIRE_CHUNK_FIXED_MAX_LEN	12

/**
 * struct wire_export - what a server says of an export
 * @size: bytes
 * @flags: NBD_FLAG_*, the transmission flags
 * @min_block: smallest length and alignment of a request, bytes; 0 not said
 * @preferred_block: likewise, where requests are not slowed down
 * @max_payload: longest read or write, bytes
 * @structured: reads are answered in structured replies
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
 * @option: which option is answered
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
 * @done: nothing further belongs to this request
 * @type: NBD_REPLY_TYPE_*, of a chunk
 * @error: NBD error, of a simple reply; 0 is success
 * @length: bytes of payload that follow, of a chunk
 * @cookie: which request is answered
 */
struct wire_reply {
	bool structured;
	bool done;
	u16 type;
	u32 error;
	u32 length;
	u64 cookie;
};

/* Ranges of a read that have arrived, see wire_cover_add(). */
#define WIRE_COVER_RANGES		4
struct wire_cover {
	unsigned int nr;
	struct {
		u32 start;
		u32 end;
	} range[WIRE_COVER_RANGES];
};

int wire_check_magic(const u8 *buf, const char **why);
int wire_get_greeting(const u8 *buf, u16 *flags, const char **why);
void wire_put_option(u8 *buf, u32 option, u32 length);
int wire_get_option_reply(const u8 *buf, u32 option,
			  struct wire_option_reply *reply, const char **why);
int wire_rep_errno(u32 type, const char **why);
void wire_put_go(u8 *head, u8 *tail, u32 name_len);
int wire_get_info(const u8 *buf, u32 length, struct wire_export *export,
		  u16 *type, const char **why);
void wire_get_export_name_reply(const u8 *buf, struct wire_export *export);
int wire_check_export(struct wire_export *export, u32 page_size,
		      const char **why);

void wire_put_request(u8 *buf, u16 flags, u16 type, u64 cookie, u64 offset,
		      u32 length);
int wire_get_reply(const u8 *buf, size_t have, bool structured,
		   struct wire_reply *reply, const char **why);
int wire_chunk_fixed_len(const struct wire_reply *reply, const char **why);
int wire_get_chunk_range(const struct wire_reply *reply, const u8 *fixed,
			 u64 offset, u32 length, u32 *start, u32 *len,
			 const char **why);
int wire_get_chunk_error(const struct wire_reply *reply, const u8 *fixed,
			 u32 *error, const char **why);
int wire_errno(u32 error);

void wire_cover_init(struct wire_cover *cover);
int wire_cover_add(struct wire_cover *cover, u32 start, u32 length);
bool wire_cover_whole(const struct wire_cover *cover, u32 length);

#endif /* BALLAST_WIRE_H */
