/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_ROUTE_H
#define BALLASTCTL_ROUTE_H

#include <net/if.h>
#include <stdbool.h>

/*
 * Get the interface that packets to an IPv4 or IPv6 address leave by, as the
 * main routing table has it. False: no route, or not an address.
 */
bool route_interface(const char *address, char interface[IF_NAMESIZE]);

#endif
