// SPDX-License-Identifier: GPL-2.0
/*
 * Physical network interfaces, from /sys/class/net.
 */
#include "interface.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "sysfs.h"

static void read_driver(struct interface *interface)
{
	char path[FILE_PATH_LEN], link[FILE_PATH_LEN], *slash;
	ssize_t len;

	if (!file_path(path, sizeof(path), "/sys/class/net/%s/device/driver",
		       interface->name))
		return;
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return;
	link[len] = '\0';
	slash = strrchr(link, '/');
	snprintf(interface->driver, sizeof(interface->driver), "%.31s",
		 slash ? slash + 1 : link);
}

static bool count_queue(const char *name, void *data)
{
	struct interface *interface = data;

	if (!strncmp(name, "rx-", 3))
		interface->rx_queues++;
	return true;
}

static void count_queues(struct interface *interface)
{
	file_each_name(count_queue, interface, "/sys/class/net/%s/queues",
		       interface->name);
	if (!interface->rx_queues)
		interface->rx_queues = 1;
}

static bool is_up(const char *name)
{
	char text[32];

	return file_value(text, sizeof(text), "/sys/class/net/%s/flags",
			  name) > 0 &&
	       strtoul(text, NULL, 16) & IFF_UP;
}

/* An interface with ballast's directory counts as well. */
static bool is_physical(const char *name)
{
	return file_exists("/sys/class/net/%s/device", name) ||
	       file_exists(SYSFS_NIC, name);
}

/* Without a disk ballast has only a filter there, and packet_limit is 0. */
static bool has_reserve(struct interface *interface)
{
	long long limit;

	return !file_number(&limit, SYSFS_NIC "/" BALLAST_FILE_PACKET_LIMIT,
			    interface->name) &&
	       limit &&
	       !file_number(&interface->size_pages,
			    SYSFS_NIC "/" BALLAST_FILE_SIZE_PAGES,
			    interface->name);
}

static void read_interface(struct interface *interface, const char *name)
{
	memset(interface, 0, sizeof(*interface));
	snprintf(interface->name, sizeof(interface->name), "%.15s", name);
	interface->reserve = has_reserve(interface);
	read_driver(interface);
	count_queues(interface);
}

struct list {
	struct interface *interfaces;
	int max;
	int nr;
};

static bool add(const char *name, void *data)
{
	struct list *list = data;

	if (is_up(name) && is_physical(name))
		read_interface(&list->interfaces[list->nr++], name);
	return list->nr < list->max;
}

int interfaces_find(struct interface *interfaces, int max)
{
	struct list list = { interfaces, max, 0 };
	int err = file_each_name(add, &list, "/sys/class/net");

	return err ? err : list.nr;
}

bool interfaces_guarded(void)
{
	char text[64];

	return file_value(text, sizeof(text), SYSFS_GUARD) > 0;
}
