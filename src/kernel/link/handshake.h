/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The negotiation: from a connected socket to an export.
 */
#ifndef BALLAST_HANDSHAKE_H
#define BALLAST_HANDSHAKE_H

#include <linux/types.h>

struct ballast_wait;
struct socket;
struct wire_export;

int ballast_handshake(struct socket *sock, const char *name, u32 name_len,
		      const struct ballast_wait *wait,
		      struct wire_export *export, const char **why);

#endif /* BALLAST_HANDSHAKE_H */
