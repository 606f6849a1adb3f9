// SPDX-License-Identifier: GPL-2.0
/*
 * The address and the export of a server; see target.h.
 */
#include "target.h"

#include <linux/inet.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "options.h"

/**
 * ballast_target_init - fill in a target, except its address
 * @target: filled in; its export must be freed
 * @opts: the host, the port and the export; copied
 *
 * Context: process; waits for memory
 * Return: 0 or -ENOMEM
 */
int ballast_target_init(struct ballast_target *target,
			const struct ballast_options *opts)
{
	strscpy(target->host, opts->host, sizeof(target->host));
	target->port = opts->port;
	target->export_len = opts->export_len;
	target->export =
		kmemdup_nul(opts->export, opts->export_len, GFP_KERNEL);
	return target->export ? 0 : -ENOMEM;
}

/**
 * ballast_target_resolve - compute the server's address
 * @target: its host and port are set
 * @net: network namespace of the scope
 *
 * The scope of a link-local address is the name of an interface. If the
 * interface was removed and added again, it has another index, so each attempt
 * to connect begins with this.
 *
 * Context: process
 * Return: 0 or -EINVAL
 */
int ballast_target_resolve(struct ballast_target *target, struct net *net)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", target->port);
	return inet_pton_with_scope(net, AF_UNSPEC, target->host, port,
				    &target->addr);
}
