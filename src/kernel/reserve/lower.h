/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The devices under a connection: the physical interfaces that its packets
 * come in on, and tunnels on the way.
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
 * @bottomless: there is a device whose packets take a way of their own, such
 *		as a tunnel: the physical interface under it is not known
 * @foreign: the stack that has the connection may not be the one that the
 *	     physical interface belongs to, as from a container
 * @full: there are more
 * @program: the packets pass through a program
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
