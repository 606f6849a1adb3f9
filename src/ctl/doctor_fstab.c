// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: swaps and file systems of /etc/fstab on disks of ballast.
 */
#include <blkid/blkid.h>
#include <ctype.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "files.h"
#include "netdisk.h"
#include "stack.h"

/* "UUID=..." in fstab is a link in /dev/disk/by-uuid, encoded as by udev. */
static void source_path(const char *source, char *path, size_t size)
{
	static const char *const tags[] = {
		"UUID",
		"LABEL",
		"PARTUUID",
		"PARTLABEL",
	};
	char by[16], value[256];
	size_t i, j, len;

	for (i = 0; i < ARRAY_SIZE(tags); i++) {
		len = strlen(tags[i]);
		if (strncmp(source, tags[i], len) || source[len] != '=')
			continue;
		for (j = 0; j <= len; j++)
			by[j] = tolower((unsigned char)tags[i][j]);
		source += len + 1;
		source += *source == '"';
		snprintf(path, size, "%.*s", (int)strcspn(source, "\""),
			 source);
		blkid_encode_string(path, value, sizeof(value));
		snprintf(path, size, "/dev/disk/by-%s/%s", by, value);
		return;
	}
	snprintf(path, size, "%s", source);
}

/* The disk of ballast that a line of fstab is on; NULL: none, or it is not there. */
static const struct netdisk *disk_of(const struct netdisks *disks,
				     const char *source)
{
	char path[320], device[64];
	int i;

	source_path(source, path, sizeof(path));
	if (!file_exists("%s", path) ||
	    !stack_device(path, device, sizeof(device)))
		return NULL;
	for (i = 0; i < disks->nr; i++)
		if (disks->disks[i].kind == NETDISK_BALLAST &&
		    stack_is_on(device, disks->disks[i].name))
			return &disks->disks[i];
	return NULL;
}

/* The generator orders the swaps /dev/ballast0 to /dev/ballast15 itself. */
static bool is_ordered(const struct mntent *line)
{
	unsigned int number;
	int end = 0;

	return !strcmp(line->mnt_type, MNTTYPE_SWAP) &&
	       sscanf(line->mnt_fsname, "/dev/ballast%2u%n", &number, &end) ==
		       1 &&
	       !line->mnt_fsname[end] && number < 16;
}

static void check_line(const struct netdisks *disks, const struct mntent *line)
{
	bool swap = !strcmp(line->mnt_type, MNTTYPE_SWAP);
	const struct netdisk *disk;
	struct finding *f;

	if (hasmntopt(line, "_netdev") || is_ordered(line))
		return;
	disk = disk_of(disks, line->mnt_fsname);
	if (!disk)
		return;
	f = found("fstab-without-netdev", ADVICE,
		  "/etc/fstab has %s on %s without the option _netdev",
		  swap ? "the swap" : line->mnt_dir, disk->name);
	figures(f, "Device: %s. Options: %s.", line->mnt_fsname,
		line->mnt_opts);
	why(f,
	    "systemd does not know that it needs the network, and may stop the network first at shutdown. The machine then waits for a server that it cannot reach. At boot it may wait for the disk before it starts the network.");
	command(f,
		"${EDITOR:-vi} /etc/fstab   # add _netdev,nofail to the options of %s",
		line->mnt_fsname);
	command(f, "systemctl daemon-reload");
}

void check_fstab(const struct netdisks *disks)
{
	char path[FILE_PATH_LEN];
	struct mntent *line;
	FILE *table = NULL;

	if (file_path(path, sizeof(path), "/etc/fstab"))
		table = setmntent(path, "re");
	while (table && (line = getmntent(table)))
		check_line(disks, line);
	if (table)
		endmntent(table);
}
