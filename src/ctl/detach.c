// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl detach: end a disk, or say who keeps it.
 */
#include "detach.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "files.h"
#include "out.h"
#include "swaps.h"
#include "sysfs.h"

const char help_detach[] =
	"Usage: ballastctl detach [--swapoff] [--force] DISK\n"
	"End a disk (ballast0 or /dev/ballast0). A disk that is swapped on, mounted or\n"
	"open stays, and is said to be so.\n"
	"\n"
	"  --swapoff   first end swapping to it, which brings all that is there back into\n"
	"              memory and can take long\n"
	"  --force     end it all the same: requests in flight fail, and whoever has it\n"
	"              open gets I/O errors; programs that are swapped out to it die\n";

#define BUSY_TRIES 30
#define BUSY_PAUSE_NS 100000000	/* a tenth of a second */

int detach_write(const char *disk, const char *how)
{
	const struct timespec pause = { 0, BUSY_PAUSE_NS };
	int err, tries = BUSY_TRIES;

	for (;;) {
		err = file_write(how, SYSFS_DISK "/" BALLAST_FILE_DETACH,
				 disk);
		if (err != -EBUSY || !--tries)
			return err;
		nanosleep(&pause, NULL);
	}
}

struct mount {
	const char *disk;
	char where[256];
};

/* Of /proc/self/mounts: what, where, and more. */
static bool is_mounted(char *line, void *data)
{
	struct mount *mount = data;
	char what[256];

	if (sscanf(line, "%255s %255s", what, mount->where) == 2 &&
	    !strncmp(what, "/dev/", 5) && is_of_disk(what + 5, mount->disk))
		return false;
	mount->where[0] = '\0';
	return true;
}

static bool find_mount(struct mount *mount)
{
	int fd = file_open("/proc/self/mounts");

	mount->where[0] = '\0';
	if (fd < 0)
		return false;
	file_each_line(fd, is_mounted, mount);
	close(fd);
	return mount->where[0];
}

static bool copy_first(const char *name, void *data)
{
	snprintf(data, DISK_NAME_LEN, "%s", name);
	return false;
}

/* FINE, or FAILED once it has said who has the disk, and how to end that. */
static int refuse_if_used(const char *disk)
{
	struct mount mount = { .disk = disk };
	char holder[DISK_NAME_LEN] = "";
	struct swap swap;

	if (swap_find(disk, &swap))
		return failure("%s: is swapped on; run swapoff %s first, or detach --swapoff %s",
			       disk, swap.path, disk);
	if (find_mount(&mount))
		return failure("%s: is mounted on %s; run umount %s first",
			       disk, mount.where, mount.where);
	file_each_name(copy_first, holder, "/sys/block/%s/holders", disk);
	if (*holder)
		return failure("%s: is part of %s; end that first", disk,
			       holder);
	return FINE;
}

static int swap_off(const char *disk)
{
	struct swap swap;
	char path[FILE_PATH_LEN];

	while (swap_find(disk, &swap)) {
		file_path(path, sizeof(path), "%s", swap.path);
		if (swapoff(path))
			return failure("%s: swapoff: %m", disk);
		out("%s: swapped off\n", disk);
		out_flush();
	}
	return FINE;
}

static int detach(const char *disk, bool force)
{
	int err = detach_write(disk, force ? "force" : "1");

	if (err == -EBUSY)
		return failure("%s: is open, or being detached already; fuser -v /dev/%s tells who has it",
			       disk, disk);
	if (err) {
		errno = -err;
		return failure("%s: detach: %m", disk);
	}
	out("%s: detached\n", disk);
	return out_flush();
}

int cmd_detach(int argc, char **argv)
{
	bool force = false, off = false;
	const char *disk = NULL;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--force"))
			force = true;
		else if (!strcmp(argv[i], "--swapoff"))
			off = true;
		else if (argv[i][0] == '-')
			return usage_error("%.200s: no such option", argv[i]);
		else if (disk)
			return usage_error("%.200s: takes one disk only", argv[i]);
		else
			disk = argv[i];
	}
	if (!disk)
		return usage_error("DISK is missing");
	i = strncmp(disk, "/dev/", 5) ? 0 : 5;
	if (!disk_exists(disk + i))
		return usage_error("%.200s: is no disk of ballast's", disk);
	disk += i;
	if (off && swap_off(disk))
		return FAILED;
	if (!force && refuse_if_used(disk))
		return FAILED;
	return detach(disk, force);
}
