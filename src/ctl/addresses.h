/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_ADDRESSES_H
#define BALLASTCTL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether an IPv4 or IPv6 address belongs to this machine, or with a scope
 * (%INTERFACE) to that interface.
 */
bool address_is_local(const char *address);

/*
 * Whether two servers, 192.0.2.1:10809 or [fe80::1%eth0]:10809, are the same
 * address, interface and port, in any notation.
 */
bool address_is_same_server(const char *one, const char *other);

/*
 * Get the peer's address of a TCP connection that process @pid has open. With
 * @pid 0, of any connection to port @port on this machine. False: no such
 * connection.
 */
bool address_of_peer(int pid, unsigned int port, char *address, size_t size);

#endif
