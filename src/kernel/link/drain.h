/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads replies that still arrive over an old connection: the server will not
 * execute an answered write later. Data are skipped. No kernel dependencies and
 * any context: builds in user space too.
 */
#ifndef BALLAST_DRAIN_H
#define BALLAST_DRAIN_H

#include <linux/types.h>

#include "wire.h"

/**
 * struct ballast_drain - how far an old connection has been read
 * @structured: structured replies were negotiated
 * @broken: the server violated the protocol, so no answer counts
 * @buf: the bytes of a header that have arrived
 * @have: bytes in @buf
 * @want: bytes still missing from @buf
 * @skip: bytes to skip after the header, before @reply is complete
 * @reply: the current reply
 * @pending: requests that change data and are not answered
 */
struct ballast_drain {
	bool structured;
	bool broken;
	u8 buf[WIRE_REPLY_MAX_LEN];
	u32 have;
	u32 want;
	u32 skip;
	struct wire_reply reply;
	unsigned int pending;
};

void ballast_drain_begin(struct ballast_drain *drain, bool structured,
			 unsigned int pending);
void ballast_drain_resume(struct ballast_drain *drain, const u8 *buf, u32 have);
void ballast_drain_resume_payload(struct ballast_drain *drain,
				  const struct wire_reply *reply, u32 left);
u32 ballast_drain_skip(struct ballast_drain *drain, size_t len);
void ballast_drain_header(struct ballast_drain *drain);

#endif /* BALLAST_DRAIN_H */
