// SPDX-License-Identifier: GPL-2.0
/*
 * The server of a URI: its addresses, and whether it is swapped to.
 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "addresses.h"
#include "disk.h"
#include "out.h"
#include "swaps.h"

int server_resolve(const char *host, const char *port, struct addrinfo **list)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int err = getaddrinfo(host, port, &hints, list);

	if (!err)
		return FINE;
	if (err == EAI_SYSTEM)
		return failure("%s: %m", host);
	return failure("%s: %s", host, gai_strerror(err));
}

bool server_address(const struct addrinfo *info, char *address, size_t size)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return false;
	snprintf(address, size,
		 info->ai_family == AF_INET6 ? "[%.99s]:%.9s" : "%.99s:%.9s",
		 host, port);
	return true;
}

bool server_is_unreachable(int err)
{
	switch (-err) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case ETIMEDOUT:
		return true;
	}
	return false;
}

struct search {
	const char *address;
	const char *export;
	const char *but;
	char *disk;
};

static bool is_swap_of(const struct disk *disk, void *data)
{
	const struct search *search = data;
	struct swap swap;

	if ((search->but && !strcmp(disk->name, search->but)) ||
	    !address_is_same_server(disk->server, search->address) ||
	    strcmp(disk->export, search->export) ||
	    !swap_find(disk->name, &swap))
		return true;
	strcpy(search->disk, disk->name);
	return false;
}

bool server_find_swap(const char *address, const char *export, const char *but,
		      char *disk)
{
	struct search search = {
		.address = address,
		.export = export,
		.but = but,
		.disk = disk,
	};

	*disk = '\0';
	disk_each_read(NULL, is_swap_of, &search);
	return *disk;
}
