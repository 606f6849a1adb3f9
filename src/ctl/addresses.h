/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_ADDRESSES_H
#define BALLASTCTL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether an address, IPv4 or IPv6, is this machine's own. */
bool address_is_local(const char *address);

/*
 * The peer of the TCP connection that process @pid has open; with @pid 0 of
 * any to port @port whose peer is this machine. False: there is none.
 */
bool address_of_peer(int pid, unsigned int port, char *address, size_t size);

#endif
