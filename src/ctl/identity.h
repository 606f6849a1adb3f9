/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_IDENTITY_H
#define BALLASTCTL_IDENTITY_H

#include <stdbool.h>

/* With the NUL; the header of a swap has no room for a longer label. */
#define IDENTITY_UUID_LEN 37
#define IDENTITY_LABEL_LEN 16

/* This machine, or the owner that a swap's header names. */
struct identity {
	char uuid[IDENTITY_UUID_LEN];	/* "": not known */
	char label[IDENTITY_LABEL_LEN];	/* the host name, for people */
};

/*
 * Get this machine's identity. The UUID is a hash of the machine id, or else of
 * the firmware's UUID; the firmware's comes first if an initramfs that does not
 * know the machine id attaches disks. false: there is neither, and the UUID
 * is "".
 */
bool identity_get(struct identity *identity);

/*
 * Whether a swap's UUID is one that identity_get() made, on any machine. Those
 * of mkswap are random, which is another version of UUID.
 */
bool identity_is_owner(const char *uuid);

/*
 * Whether identity_get() made it on this machine: from any of its ids, since
 * the one that it prefers may not be known in an initramfs.
 */
bool identity_is_mine(const char *uuid);

#endif
