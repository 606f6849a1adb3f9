/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a session's server is: its address, and the export there.
 */
#ifndef BALLAST_TARGET_H
#define BALLAST_TARGET_H

#include <linux/socket.h>
#include <linux/types.h>

#include <ballast/limits.h>

struct ballast_options;
struct net;

/**
 * struct ballast_target - an export of a server
 * @host: IPv4 or IPv6 address as written, including a scope after "%"
 * @port: TCP port
 * @export: name of the export; allocated
 * @export_len: its length, without the NUL
 * @addr: from @host and @port
 */
struct ballast_target {
	char host[BALLAST_MAX_HOST];
	u16 port;
	char *export;
	size_t export_len;
	struct sockaddr_storage addr;
};

int ballast_target_init(struct ballast_target *target,
			const struct ballast_options *opts);
int ballast_target_resolve(struct ballast_target *target, struct net *net);

#endif /* BALLAST_TARGET_H */
