/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_CRYPT_H
#define BALLASTCTL_CRYPT_H

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"

#define CRYPT_NAME_LEN (DISK_NAME_LEN + 8)

/*
 * The encryption of a disk: a dm-crypt mapping, ballast0-swap for ballast0,
 * after the disk's header, with a random key that only the kernel has.
 */

/* FINE, or USAGE after reporting what this machine lacks. */
int crypt_check(void);

/* Make the mapping. FINE, or FAILED after reporting the failure. */
int crypt_open(const char *disk, bool discard);

/* Whether a disk has a mapping; if so, get the kernel's name of it, "dm-0". */
bool crypt_find(const char *disk, char *dm, size_t size);

/*
 * End the mapping of a disk; @deferred: as soon as nothing uses it. FINE, or
 * FAILED after reporting the failure.
 */
int crypt_close(const char *disk, bool deferred);

#endif
