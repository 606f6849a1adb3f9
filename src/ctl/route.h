/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_ROUTE_H
#define BALLASTCTL_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * Get the interface by which the kernel sends packets to an IPv4 or IPv6
 * address, by its rules and all its routing tables. False: there is no route.
 */
bool route_interface(const struct sockaddr *to, char interface[IF_NAMESIZE]);

/* The same for an address as text. False also if it is not one, or is local. */
bool route_to_text(const char *address, char interface[IF_NAMESIZE]);

#endif
