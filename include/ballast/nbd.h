/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Constants of the NBD protocol. Names and values are those of the protocol
 * text, doc/proto.md of the nbd project.
 *
 * The kernel's <linux/nbd.h> lacks the negotiation and structured replies,
 * and older kernels lack some of its flags.
 */
#ifndef BALLAST_NBD_H
#define BALLAST_NBD_H

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

#endif /* BALLAST_NBD_H */
