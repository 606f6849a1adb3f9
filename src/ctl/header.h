/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_HEADER_H
#define BALLASTCTL_HEADER_H

#include <stdbool.h>

#include "identity.h"

/*
 * What is before an encrypted swap on its disk, in the clear: a text that says
 * whose swap it is, and zeroes. No program knows it as something else: where
 * file systems and others have their signatures, there are zeroes.
 */
#define HEADER_SIZE (1 << 20)	/* bytes */

/* 1: there is a header, and @owner is from it; 0: there is none; or -errno. */
int header_read(int fd, struct identity *owner);

/*
 * Write a header, which overwrites the signatures of what was there before; or
 * zeroes where @owner is NULL. 0 or -errno.
 */
int header_write(const char *device, const struct identity *owner);

#endif
