/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_ADDRESSES_H
#define BALLASTCTL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an IPv4 or IPv6 address belongs to this machine. */
bool address_is_local(const char *address);

/*
 * Get the peer's address of a TCP connection that process @pid has open. With
 * @pid 0, of any connection to port @port on this machine. False: no such
 * connection.
 */
bool address_of_peer(int pid, unsigned int port, char *address, size_t size);

#endif
