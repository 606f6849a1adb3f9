/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_CONTENT_H
#define BALLASTCTL_CONTENT_H

#include "identity.h"

enum content_kind {
	CONTENT_BLANK,		/* zeroes at the beginning and the end */
	CONTENT_SWAP,
	CONTENT_ENCRYPTED,	/* an encrypted swap of ballastctl's */
	CONTENT_OTHER,		/* @what names it */
	CONTENT_UNREADABLE,	/* @what has the reason */
};

struct content {
	enum content_kind kind;
	char what[256];
	long page_size;		/* of CONTENT_SWAP */
	struct identity owner;	/* of both kinds of swap, from the disk */
};

/* Determine what a block device holds. */
void content_probe(const char *device, struct content *content);

#endif
