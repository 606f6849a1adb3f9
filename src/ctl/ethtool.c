// SPDX-License-Identifier: GPL-2.0
/*
 * Queries a NIC's driver, see ethtool.h.
 */
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };
	int fd, err = 0;

	if (getenv("BALLAST_ROOT"))
		return -ENODEV;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int ask_flag(const char *name, unsigned int command, bool *on)
{
	struct ethtool_value value = { .cmd = command };
	int err = ask(name, &value);

	*on = value.data;
	return err;
}

int ethtool_offloads(const char *name, struct offloads *offloads)
{
	int err = ask_flag(name, ETHTOOL_GSG, &offloads->sg);

	if (!err)
		err = ask_flag(name, ETHTOOL_GTSO, &offloads->tso);
	if (!err)
		err = ask_flag(name, ETHTOOL_GGSO, &offloads->gso);
	if (!err)
		err = ask_flag(name, ETHTOOL_GGRO, &offloads->gro);
	return err;
}

int ethtool_rx_ring(const char *name, unsigned int *now, unsigned int *max)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	int err = ask(name, &ring);

	*now = ring.rx_pending;
	*max = ring.rx_max_pending;
	return err;
}

/* The number of statistics, or -errno. */
static int count_statistics(const char *name)
{
	struct {
		struct ethtool_sset_info info;
		__u32 count;
	} set = {
		.info = {
			.cmd = ETHTOOL_GSSET_INFO,
			.sset_mask = 1ULL << ETH_SS_STATS,
		},
	};
	int err = ask(name, &set);

	if (err)
		return err;
	return set.info.sset_mask ? (int)set.count : 0;
}

int ethtool_statistics(const char *name,
		       void (*fn)(const char *statistic,
				  unsigned long long value, void *data),
		       void *data)
{
	int err, i, nr = count_statistics(name);
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;

	if (nr <= 0)
		return nr;
	names = calloc(1, sizeof(*names) + (size_t)nr * ETH_GSTRING_LEN);
	/* Twice the room, since the driver may add statistics meanwhile. */
	values = calloc(1, sizeof(*values) + 2 * (size_t)nr * sizeof(__u64));
	err = names && values ? 0 : -ENOMEM;
	if (!err) {
		*names = (struct ethtool_gstrings) {
			.cmd = ETHTOOL_GSTRINGS,
			.string_set = ETH_SS_STATS,
			.len = nr,
		};
		err = ask(name, names);
	}
	if (!err) {
		*values = (struct ethtool_stats) {
			.cmd = ETHTOOL_GSTATS,
			.n_stats = nr,
		};
		err = ask(name, values);
	}
	for (i = 0; !err && i < nr; i++) {
		char statistic[ETH_GSTRING_LEN + 1] = "";

		memcpy(statistic, names->data + i * ETH_GSTRING_LEN,
		       ETH_GSTRING_LEN);
		fn(statistic, values->data[i], data);
	}
	free(names);
	free(values);
	return err;
}
