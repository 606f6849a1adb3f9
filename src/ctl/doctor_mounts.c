// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: file systems of other machines, whose packets ballast's
 * filter drops while memory is short, unless allow= names the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addresses.h"
#include "doctor.h"
#include "files.h"
#include "netdisk.h"
#include "sysfs.h"

struct mount {
	char point[256];
	char address[64];
	unsigned int port;
};

/* "addr=192.0.2.5" in the options of a mount. Empty: there is none. */
static void mount_option(const char *options, const char *name, char *value,
			 size_t size)
{
	const char *at = strstr(options, name);

	snprintf(value, size, "%.*s",
		 at ? (int)strcspn(at + strlen(name), ", ") : 0,
		 at ? at + strlen(name) : "");
}

/* Does allow= of this disk name the server? Any port of it is enough. */
static bool disk_allows(const struct netdisk *disk, const struct mount *mount)
{
	bool is_ip6 = strchr(mount->address, ':');
	char allow[2048], entry[96];

	/* A module that lacks the file has no addresses in allow= either. */
	if (!file_exists(SYSFS_DISK "/" BALLAST_FILE_ALLOW, disk->name))
		return true;
	file_read(allow, sizeof(allow), SYSFS_DISK "/" BALLAST_FILE_ALLOW,
		  disk->name);
	snprintf(entry, sizeof(entry), is_ip6 ? "@[%s]\n" : "@%s\n",
		 mount->address);
	return strstr(allow, entry);
}

static void judge(const struct netdisks *disks, const struct mount *mount)
{
	bool is_ip6 = strchr(mount->address, ':'), ballast = false;
	bool is_root = !strcmp(mount->point, "/");
	struct finding *f;
	int i;

	/* The filter uses what all disks allow. */
	for (i = 0; i < disks->nr; i++) {
		if (disks->disks[i].kind != NETDISK_BALLAST)
			continue;
		ballast = true;
		if (disk_allows(&disks->disks[i], mount))
			return;
	}
	if (!ballast || address_is_local(mount->address))
		return;
	f = found("mount-not-allowed", is_root ? SERIOUS : ADVICE,
		  "%s is on a server that no ballast disk allows",
		  mount->point);
	figures(f, "Server: %s, port %u.", mount->address, mount->port);
	why(f,
	    "While memory is short, ballast's filter drops packets that are not for a disk. Programs whose files are there stop, and those whose text has to be read from there cannot run. With its address in allow= the server has enough budget for a disk.");
	command(f,
		"ballastctl attach URI %s=tcp:%u@%s%s%s   # or in OPTIONS in /etc/ballast/NAME.conf",
		BALLAST_OPT_ALLOW, mount->port, is_ip6 ? "[" : "",
		mount->address, is_ip6 ? "]" : "");
}

/* A line of /proc/mounts: device, mount point, type, options. */
static bool mounts_line(char *line, void *data)
{
	struct mount mount = { .port = 2049 };
	char type[32], options[1024], port[8];

	if (sscanf(line, "%*s %255s %31s %1023s", mount.point, type, options) !=
	    3)
		return true;
	if (!strcmp(type, "cifs") || !strcmp(type, "smb3"))
		mount.port = 445;
	else if (strcmp(type, "nfs") && strcmp(type, "nfs4"))
		return true;
	mount_option(options, ",addr=", mount.address, sizeof(mount.address));
	mount_option(options, ",port=", port, sizeof(port));
	if (atoi(port) > 0)
		mount.port = atoi(port);
	if (*mount.address)
		judge(data, &mount);
	return true;
}

void check_mounts(const struct netdisks *disks)
{
	int fd = file_open("/proc/mounts");

	if (fd < 0)
		return;
	file_each_line(fd, mounts_line, (void *)disks);
	close(fd);
}
