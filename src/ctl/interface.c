// SPDX-License-Identifier: GPL-2.0
/*
 * Physical network interfaces, from /sys/class/net.
 */
#include "interface.h"

#include <dirent.h>
#include <errno.h>
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

static void count_queues(struct interface *interface)
{
	char path[FILE_PATH_LEN];
	struct dirent *entry;
	DIR *dir = NULL;

	if (file_path(path, sizeof(path), "/sys/class/net/%s/queues",
		      interface->name))
		dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "rx-", 3))
			interface->rx_queues++;
	if (dir)
		closedir(dir);
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

int interfaces_find(struct interface *interfaces, int max)
{
	char path[FILE_PATH_LEN];
	struct dirent *entry;
	DIR *dir;
	int nr = 0;

	if (!file_path(path, sizeof(path), "/sys/class/net"))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (nr < max && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !is_up(entry->d_name) ||
		    !is_physical(entry->d_name))
			continue;
		read_interface(&interfaces[nr++], entry->d_name);
	}
	closedir(dir);
	return nr;
}

bool interfaces_guarded(void)
{
	char text[64];

	return file_value(text, sizeof(text), SYSFS_GUARD) > 0;
}
