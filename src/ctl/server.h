/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_SERVER_H
#define BALLASTCTL_SERVER_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

/* Get a server's addresses, for freeaddrinfo(). FINE, or FAILED (reported). */
int server_resolve(const char *host, const char *port, struct addrinfo **list);

/* In the kernel's syntax: 192.0.2.1:10809 or [fe80::1%eth0]:10809. */
bool server_address(const struct addrinfo *info, char *address, size_t size);

/* Might another address of the server work after @err, -errno? */
bool server_is_unreachable(int err);

/*
 * Is an export of the server at @address swapped to already? Sets @disk, of
 * DISK_NAME_LEN bytes, to the disk. The disk @but, if not NULL, does not count.
 */
bool server_find_swap(const char *address, const char *export, const char *but,
		      char *disk);

#endif
