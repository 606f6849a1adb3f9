// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl list: prints one line for each disk.
 */
#include <stdio.h>

#include "disk.h"
#include "files.h"
#include "out.h"
#include "swaps.h"

const char help_list[] =
	"Usage: ballastctl list\n"
	"List the disks, one line each; print nothing if there is none. Columns: name,\n"
	"state, size in MiB, requests in flight, MiB of swap in use (- if the disk is not\n"
	"a swap), server, export. For reserves see status; for scripts use status --json.\n";

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
		return true;	/* detached since its name was read */
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
