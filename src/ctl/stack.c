// SPDX-License-Identifier: GPL-2.0
/*
 * Finds a device by its path, and the disks below it, see stack.h.
 */
#include "stack.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

#define DEPTH 8 /* the most layers of stacked devices */

struct mapping {
	const char *name;
	char *device;
	size_t size;
	bool found;
};

static bool is_mapping(const char *device, void *data)
{
	struct mapping *mapping = data;
	char name[128];

	if (strncmp(device, "dm-", 3))
		return true;
	file_value(name, sizeof(name), "/sys/block/%s/dm/name", device);
	mapping->found = !strcmp(name, mapping->name);
	if (mapping->found)
		snprintf(mapping->device, mapping->size, "%s", device);
	return !mapping->found;
}

bool stack_mapping(const char *name, char *device, size_t size,
		   const char *directory)
{
	struct mapping mapping = { name, device, size, false };

	file_each_name(is_mapping, &mapping, "%s", directory);
	return mapping.found;
}

/* Without udev, /dev/mapper has device nodes, not links to /dev/dm-0. */
bool stack_device(const char *path, char *device, size_t size)
{
	static const char mapper[] = "/dev/mapper/";
	char link[FILE_PATH_LEN], real[PATH_MAX];

	if (strncmp(path, "/dev/", 5))
		return false;
	if (!strncmp(path, mapper, strlen(mapper)))
		return stack_mapping(path + strlen(mapper), device, size,
				     "/sys/block");
	if (file_path(link, sizeof(link), "%s", path) && realpath(link, real))
		path = real;
	snprintf(device, size, "%s", strrchr(path, '/') + 1);
	return true;
}

struct level {
	bool (*fn)(const char *disk, void *data);
	void *data;
	int depth; /* layers that may follow */
	int devices; /* that were found in this layer */
	bool more; /* the last result of @fn */
};

/* Replace a partition by its disk. */
static void without_partition(char *name)
{
	char *end = name + strlen(name);

	if (file_exists("/sys/block/%s", name))
		return;
	while (end > name && isdigit((unsigned char)end[-1]))
		end--;
	/* nbd0p1, but sda1 */
	if (end - 1 > name && end[-1] == 'p' && isdigit((unsigned char)end[-2]))
		end--;
	*end = '\0';
}

/* dm-0 and md0 have slaves. */
static bool walk_down(const char *device, void *data)
{
	struct level *level = data, below = *level;
	char name[64];

	snprintf(name, sizeof(name), "%s", device);
	without_partition(name);
	level->devices++;
	below.devices = 0;
	if (below.depth--)
		file_each_name(walk_down, &below, "/sys/block/%s/slaves", name);
	if (!below.devices)
		below.more = below.fn(name, below.data);
	level->more = below.more;
	return level->more;
}

void stack_each_disk(const char *device,
		     bool (*fn)(const char *disk, void *data), void *data)
{
	struct level top = { fn, data, DEPTH, 0, true };

	walk_down(device, &top);
}

struct below {
	const char *disk;
	bool found;
};

static bool is_below(const char *name, void *data)
{
	struct below *below = data;

	below->found = !strcmp(name, below->disk);
	return !below->found;
}

bool stack_is_on(const char *device, const char *disk)
{
	struct below below = { disk, false };

	stack_each_disk(device, is_below, &below);
	return below.found;
}
