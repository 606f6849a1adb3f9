/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices under a connection: physical interfaces and tunnels.
 */
#ifndef BALLAST_LOWER_H
#define BALLAST_LOWER_H

#include <linux/types.h>

/* Devices under one connection, at most. */
#define BALLAST_MAX_PATH 8

struct net_device;

/**
 * struct ballast_lower - the devices under an interface
 * @nr: number of devices in @devices
 * @devices: the devices, referenced. If there is a tunnel, it is the first.
 *	     Physical interfaces that are up come before those that are not
 * @tunnel: the uppermost tunnel; NULL: there is none
 * @bottomless: the physical interface under a device, such as a tunnel, is not
 *		known
 * @foreign: the connection may be in another network stack than the physical
 *	     interface, as from a container
 * @full: there are more
 * @program: a program carries the packets
 */
struct ballast_lower {
	unsigned int nr;
	struct net_device *devices[BALLAST_MAX_PATH];
	const struct net_device *tunnel;
	bool bottomless;
	bool foreign;
	bool full;
	bool program;
};

void ballast_lower_find(struct ballast_lower *lower, struct net_device *dev);

#endif /* BALLAST_LOWER_H */
