/* SPDX-License-Identifier: GPL-2.0 */
/* Properties of an interface, by the ioctl of ethtool(8). */
#ifndef BALLASTCTL_ETHTOOL_H
#define BALLASTCTL_ETHTOOL_H

#include <stdbool.h>

struct offloads {
	bool sg;
	bool tso;
	bool gso;
	bool gro;
};

/*
 * All return 0 or -errno; -EOPNOTSUPP if the driver does not support the query.
 * With $BALLAST_ROOT there is no NIC, and they return -ENODEV.
 */
int ethtool_offloads(const char *name, struct offloads *offloads);
int ethtool_rx_ring(const char *name, unsigned int *now, unsigned int *max);

/* Call @fn for each of the driver's own statistics. */
int ethtool_statistics(const char *name,
		       void (*fn)(const char *statistic,
				  unsigned long long value, void *data),
		       void *data);

#endif
