/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The attach string, which an administrator writes to
 * /sys/class/ballast/attach. No kernel dependencies and any context: builds in
 * user space too.
 */
#ifndef BALLAST_OPTIONS_H
#define BALLAST_OPTIONS_H

#include <linux/types.h>

#include <ballast/limits.h>

#define BALLAST_WHY_LEN			160
#define BALLAST_ADDRESS_LEN		16	/* of IPv6, in bytes */

/**
 * struct ballast_allow - a port that passes the filter, within a budget
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @port: at either end, host order
 * @address: of the other machine, which gets a disk's budget; IPv4 as a mapped
 *	     address. All zero: any machine, a small budget
 */
struct ballast_allow {
	u8 protocol;
	u16 port;
	u8 address[BALLAST_ADDRESS_LEN];
};

/**
 * struct ballast_options - the options of an attach string
 * @host: IPv4 or IPv6 address as written, including a scope after "%"
 * @port: TCP port
 * @export: name of the export; points into the string that was read
 * @export_len: its length, without a terminating NUL
 * @index: of the disk, -1 for the lowest that is free
 * @connections: TCP connections, 1 to BALLAST_MAX_CONNECTIONS
 * @queue_depth: requests in flight for each connection, 1 to
 *		 BALLAST_MAX_QUEUE_DEPTH
 * @timeout: seconds that a request may stay unanswered before its connection
 *	     is given up; 0: no limit
 * @deadline: seconds that an outage may last before I/O fails; 0: no limit
 * @fence: seconds that a replayed write waits for the end of the connection
 *	   over which it was sent before; 0: it does not wait
 * @connect_timeout: seconds that connecting, and then negotiating, may take
 *		     during the attach; if over the default, also later
 * @readonly: refuse writes, even if the server allows them
 * @filter: drop unrelated packets while the interface's reserve is in use
 * @verify: read back some pages that were swapped out before using a restored
 *	    connection
 * @reserve: pages of the interface's reserve, or BALLAST_RESERVE_AUTO
 * @nr_allow: entries in @allow
 * @allow: the ports, and addresses, that pass the filter
 */
struct ballast_options {
	char host[BALLAST_MAX_HOST];
	u16 port;
	char *export;
	size_t export_len;
	int index;
	unsigned int connections;
	unsigned int queue_depth;
	unsigned int timeout;
	unsigned int deadline;
	unsigned int fence;
	unsigned int connect_timeout;
	bool readonly;
	bool filter;
	bool verify;
	int reserve;
	unsigned int nr_allow;
	struct ballast_allow allow[BALLAST_MAX_ALLOW];
};

extern const char ballast_options_usage[];

bool ballast_options_any_address(const struct ballast_allow *allow);
int ballast_options_parse(char *string, size_t len,
			  struct ballast_options *opts, char *why);
int ballast_options_parse_move(char *string, size_t len,
			       struct ballast_options *opts, char *why);
int ballast_options_parse_guard(char *string, size_t len,
				struct ballast_options *opts, char *why);

#endif /* BALLAST_OPTIONS_H */
