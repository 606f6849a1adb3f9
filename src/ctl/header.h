/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_HEADER_H
#define BALLASTCTL_HEADER_H

#include <stdbool.h>

#include "identity.h"

/*
 * The unencrypted header before an encrypted swap: a text that names the owner,
 * and zeroes. No program mistakes it for another format, since the places of
 * other signatures are zero.
 */
#define HEADER_SIZE (1 << 20)	/* bytes */

/* 1: there is a header, and @owner is from it; 0: there is none; or -errno. */
int header_read(int fd, struct identity *owner);

/*
 * Write a header, which overwrites older signatures; with @owner NULL, zeroes.
 * 0 or -errno.
 */
int header_write(const char *device, const struct identity *owner);

#endif
