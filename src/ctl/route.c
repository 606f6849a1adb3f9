// SPDX-License-Identifier: GPL-2.0
/*
 * Which interface leads to an address, from /proc/net.
 */
#include "route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define ROUTE_UP 1 /* RTF_UP */
#define ROUTE_REJECT 0x200

struct search {
	struct in_addr ip4;
	struct in6_addr ip6;
	char *interface;
	int prefix; /* of the best route so far; -1: none */
	unsigned int metric;
};

static void take(struct search *search, const char *interface, int prefix,
		 unsigned int metric, unsigned int flags)
{
	if (!(flags & ROUTE_UP) || flags & ROUTE_REJECT ||
	    prefix < search->prefix ||
	    (prefix == search->prefix && metric >= search->metric))
		return;
	search->prefix = prefix;
	search->metric = metric;
	snprintf(search->interface, IF_NAMESIZE, "%.15s", interface);
}

/* "eth0 000200C0 00000000 0001 0 0 100 00FFFFFF 0 0 0"; bytes as in memory */
static bool line4(char *line, void *data)
{
	struct search *search = data;
	unsigned int to, flags, metric, mask;
	char interface[IF_NAMESIZE];

	if (sscanf(line, "%15s %x %*x %x %*d %*d %u %x", interface, &to, &flags,
		   &metric, &mask) == 5 &&
	    (search->ip4.s_addr & mask) == to)
		take(search, interface, __builtin_popcount(mask), metric,
		     flags);
	return true;
}

static bool is_in_prefix(const struct in6_addr *address, const char *digits,
			 unsigned int prefix)
{
	unsigned int i, byte;

	for (i = 0; i < 16 && 8 * i < prefix; i++) {
		unsigned int bits = prefix - 8 * i < 8 ? prefix - 8 * i : 8;

		if (sscanf(digits + 2 * i, "%2x", &byte) != 1 ||
		    (byte ^ address->s6_addr[i]) >> (8 - bits))
			return false;
	}
	return true;
}

/* "20010db8... 40 source prefix next-hop metric refs use flags     eth0" */
static bool line6(char *line, void *data)
{
	struct search *search = data;
	unsigned int prefix, metric, flags;
	char digits[33], interface[IF_NAMESIZE];

	if (sscanf(line, "%32s %x %*s %*x %*s %x %*x %*x %x %15s", digits,
		   &prefix, &metric, &flags, interface) == 5 &&
	    prefix <= 128 && is_in_prefix(&search->ip6, digits, prefix))
		take(search, interface, prefix, metric, flags);
	return true;
}

bool route_interface(const char *address, char interface[IF_NAMESIZE])
{
	struct search search = { .interface = interface, .prefix = -1 };
	bool ip4 = inet_pton(AF_INET, address, &search.ip4) == 1;
	int fd;

	if (!ip4 && inet_pton(AF_INET6, address, &search.ip6) != 1)
		return false;
	fd = file_open(ip4 ? "/proc/net/route" : "/proc/net/ipv6_route");
	if (fd < 0)
		return false;
	file_each_line(fd, ip4 ? line4 : line6, &search);
	close(fd);
	return search.prefix >= 0 && strcmp(interface, "lo");
}
