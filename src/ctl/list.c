// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl list: the disks, a line each.
 */
#include <stdio.h>

#include "disk.h"
#include "files.h"
#include "out.h"
#include "swaps.h"

const char help_list[] =
	"Usage: ballastctl list\n"
	"The disks, a line each; nothing where there is none. Columns: name, state, size\n"
	"in MiB, requests in flight, how much of it is swapped to in MiB (- where it is\n"
	"not swapped on), server, export. For scripts: status --json.\n";

static void print(const struct disk *disk)
{
	char used[24] = "-";
	struct swap swap;

	if (swap_find(disk->name, &swap))
		snprintf(used, sizeof(used), "%.1f", swap.used_kib / 1024.0);
	out("%-12s %-12s %10.1f %9lld %10s %-22s ", disk->name, disk->state,
	    disk->sectors / 2048.0, disk->inflight, used, disk->server);
	out_text(disk->export);
	out("\n");
}

static bool list(const char *name, void *data)
{
	static struct disk disk;
	bool *heading = data;

	if (disk_open(&disk, name))
		return true;	/* it went this moment */
	if (!disk_read(&disk)) {
		if (*heading)
			out("%-12s %-12s %10s %9s %10s %-22s %s\n", "DISK",
			    "STATE", "SIZE/MiB", "INFLIGHT", "SWAP/MiB",
			    "SERVER", "EXPORT");
		*heading = false;
		print(&disk);
	}
	disk_close(&disk);
	return true;
}

int cmd_list(int argc, char **argv)
{
	bool heading = true;

	if (argc > 1)
		return usage_error("%.200s: list takes no argument", argv[1]);
	disk_each(list, &heading);
	return out_flush();
}
