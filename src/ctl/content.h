/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_CONTENT_H
#define BALLASTCTL_CONTENT_H

#include <stddef.h>

enum content {
	CONTENT_BLANK,		/* nothing known, and zeroes where it would be */
	CONTENT_SWAP,
	CONTENT_OTHER,		/* @what says what */
	CONTENT_UNREADABLE,	/* likewise, why */
};

/* What a block device holds. */
enum content content_probe(const char *device, char *what, size_t size);

#endif
