/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_CONTENT_H
#define BALLASTCTL_CONTENT_H

#include <stddef.h>

enum content {
	CONTENT_BLANK,		/* zeroes at the beginning and the end */
	CONTENT_SWAP,
	CONTENT_OTHER,		/* @what names it */
	CONTENT_UNREADABLE,	/* @what has the reason */
};

/* Find out what a block device holds. */
enum content content_probe(const char *device, char *what, size_t size);

#endif
