// SPDX-License-Identifier: GPL-2.0
/*
 * Finds network disks, see netdisk.h.
 */
#include "netdisk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addresses.h"
#include "disk.h"
#include "files.h"
#include "stack.h"
#include "sysfs.h"

const char *netdisk_kind_name(enum netdisk_kind kind)
{
	static const char *const names[] = {
		[NETDISK_BALLAST] = "ballast",
		[NETDISK_NBD] = "in-tree nbd",
		[NETDISK_NVME_TCP] = "NVMe/TCP",
		[NETDISK_ISCSI] = "iSCSI",
		[NETDISK_NFS] = "NFS",
	};

	return names[kind];
}

static struct netdisk *add(struct netdisks *disks, enum netdisk_kind kind,
			   const char *name)
{
	struct netdisk *disk;
	int i;

	for (i = 0; i < disks->nr; i++)
		if (!strcmp(disks->disks[i].name, name))
			return &disks->disks[i];
	/* With more disks than this, further ones overwrite the last entry. */
	if (disks->nr < NETDISK_MAX)
		disks->nr++;
	disk = &disks->disks[disks->nr - 1];
	memset(disk, 0, sizeof(*disk));
	disk->kind = kind;
	snprintf(disk->name, sizeof(disk->name), "%s", name);
	return disk;
}

/* "192.0.2.1:10809" and "[2001:db8::1]:10809" */
static void strip_port(char *address)
{
	char *end;

	if (*address == '[') {
		memmove(address, address + 1, strlen(address));
		end = strchr(address, ']');
	} else {
		end = strrchr(address, ':');
	}
	if (end)
		*end = '\0';
}

static bool is_name(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) && isdigit((unsigned char)name[len]);
}

static void read_ballast(struct netdisk *disk)
{
	file_value(disk->server, sizeof(disk->server),
		   SYSFS_DISK "/" BALLAST_FILE_SERVER, disk->name);
	strip_port(disk->server);
}

/*
 * The kernel does not show the server of an nbd disk. While the client runs,
 * its open socket shows it. If the client has exited, only a server on this
 * machine on the default port is recognized.
 */
static void read_nbd(struct netdisk *disk)
{
	long long pid;

	if (file_number(&pid, "/sys/block/%s/pid", disk->name))
		return;
	if (!address_of_peer(pid, 0, disk->server, sizeof(disk->server)))
		address_of_peer(0, BALLAST_DEFAULT_PORT, disk->server,
				sizeof(disk->server));
}

/* "traddr=192.0.2.1,trsvcid=4420" of the controller of the same number. */
static bool read_nvme(struct netdisks *disks, const char *name, bool swap)
{
	char text[128], *at;
	struct netdisk *disk;
	int number;

	if (sscanf(name, "nvme%dn", &number) != 1)
		return false;
	file_value(text, sizeof(text), "/sys/class/nvme/nvme%d/transport",
		   number);
	if (strcmp(text, "tcp"))
		return false;
	disk = add(disks, NETDISK_NVME_TCP, name);
	disk->swap |= swap;
	file_value(text, sizeof(text), "/sys/class/nvme/nvme%d/address",
		   number);
	at = strstr(text, "traddr=");
	if (at)
		snprintf(disk->server, sizeof(disk->server), "%.*s",
			 (int)strcspn(at + 7, ","), at + 7);
	return true;
}

/* /sys/block/sda leads to ".../host2/session1/target2:0:0/..." */
static bool read_iscsi(struct netdisks *disks, const char *name, bool swap)
{
	char path[FILE_PATH_LEN], link[FILE_PATH_LEN], *at;
	struct netdisk *disk;
	ssize_t len;
	int session;

	if (!file_path(path, sizeof(path), "/sys/block/%s", name))
		return false;
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return false;
	link[len] = '\0';
	at = strstr(link, "/session");
	if (!at || sscanf(at, "/session%d/", &session) != 1)
		return false;
	disk = add(disks, NETDISK_ISCSI, name);
	disk->swap |= swap;
	file_value(disk->server, sizeof(disk->server),
		   "/sys/class/iscsi_connection/connection%d:0/address",
		   session);
	return true;
}

/* Add a disk (not a partition), unless it is local. */
static void add_disk(struct netdisks *disks, const char *name, bool swap)
{
	struct netdisk *disk;

	if (is_name(name, "ballast")) {
		disk = add(disks, NETDISK_BALLAST, name);
		disk->swap |= swap;
		read_ballast(disk);
	} else if (is_name(name, "nbd")) {
		disk = add(disks, NETDISK_NBD, name);
		disk->swap |= swap;
		read_nbd(disk);
	} else if (!read_nvme(disks, name, swap)) {
		read_iscsi(disks, name, swap);
	}
}

static bool add_swap(const char *name, void *data)
{
	add_disk(data, name, true);
	return true;
}

struct mount_search {
	const char *path;
	size_t longest;
	bool nfs;
	char server[64];
};

/* A line of /proc/mounts: find the longest mount point above the file. */
static bool mounts_line(char *line, void *data)
{
	struct mount_search *search = data;
	char point[256], type[32], *at;
	size_t len;

	if (sscanf(line, "%*s %255s %31s", point, type) != 2)
		return true;
	len = strcmp(point, "/") ? strlen(point) : 0;
	if (len < search->longest || strncmp(point, search->path, len) ||
	    search->path[len] != '/')
		return true;
	search->longest = len;
	search->nfs = !strcmp(type, "nfs") || !strcmp(type, "nfs4");
	at = strstr(line, ",addr=");
	snprintf(search->server, sizeof(search->server), "%.*s",
		 at ? (int)strcspn(at + 6, ", ") : 0, at ? at + 6 : "");
	return true;
}

static void add_file(struct netdisks *disks, const char *path)
{
	struct mount_search search = { .path = path };
	struct netdisk *disk;
	int fd = file_open("/proc/mounts");

	if (fd < 0)
		return;
	file_each_line(fd, mounts_line, &search);
	close(fd);
	if (!search.nfs)
		return;
	disk = add(disks, NETDISK_NFS, path);
	disk->swap = true;
	snprintf(disk->server, sizeof(disk->server), "%s", search.server);
}

static bool swaps_line(char *line, void *data)
{
	struct netdisks *disks = data;
	char path[256], type[32], device[64];

	if (sscanf(line, "%255s %31s", path, type) != 2 || path[0] != '/')
		return true;
	if (!strcmp(type, "file"))
		add_file(disks, path);
	else if (stack_device(path, device, sizeof(device)))
		stack_each_disk(device, add_swap, disks);
	return true;
}

static bool add_ballast(const char *name, void *data)
{
	add_disk(data, name, false);
	return true;
}

/* A connected nbd disk has a pid. */
static bool add_connected(const char *name, void *data)
{
	if (is_name(name, "nbd") && file_exists("/sys/block/%s/pid", name))
		add_disk(data, name, false);
	return true;
}

void netdisks_find(struct netdisks *disks)
{
	int fd = file_open("/proc/swaps");

	disks->nr = 0;
	if (fd >= 0) {
		file_each_line(fd, swaps_line, disks);
		close(fd);
	}
	disk_each(add_ballast, disks);
	file_each_name(add_connected, disks, "/sys/block");
}

bool netdisks_swap(const struct netdisks *disks)
{
	int i;

	for (i = 0; i < disks->nr; i++)
		if (disks->disks[i].swap)
			return true;
	return false;
}

bool netdisks_foreign(const struct netdisks *disks)
{
	int i;

	for (i = 0; i < disks->nr; i++)
		if (disks->disks[i].kind != NETDISK_BALLAST)
			return true;
	return false;
}
