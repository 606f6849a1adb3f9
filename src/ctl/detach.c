// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl detach: detaches a disk, or reports what uses it.
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

#include "crypt.h"
#include "disk.h"
#include "files.h"
#include "out.h"
#include "persist.h"
#include "swaps.h"
#include "sysfs.h"

const char help_detach[] =
	"Usage: ballastctl detach [--swapoff] [--force] DISK\n"
	"Detach a disk (ballast0 or /dev/ballast0). Refuses a disk that is a swap, is\n"
	"mounted or is open, and names what uses it.\n"
	"\n"
	"  --swapoff   run swapoff first; this reads everything back into memory and can\n"
	"              take long\n"
	"  --force     detach a disk that is in use: requests in flight fail, processes\n"
	"              that have it open get I/O errors, and processes that are swapped\n"
	"              out to it are killed\n";

#define BUSY_TRIES 30
#define BUSY_PAUSE_NS 100000000	/* a tenth of a second */

/*
 * Write @how, "1" or "force", to a disk's detach file. udev and others open a
 * disk for a moment to probe it, so EBUSY is retried for 3 s. 0 or -errno.
 */
static int detach_write(const char *disk, const char *how)
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

/* A line of /proc/self/mounts: device, mount point, and more. */
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

struct holder {
	const char *disk;
	char ours[DISK_NAME_LEN];	/* the disk's encryption, "": none */
	char name[DISK_NAME_LEN];
};

/* Find a holder other than our encryption, which detach ends itself. */
static bool find_holder(const char *name, void *data)
{
	struct holder *holder = data;

	if (!strcmp(name, holder->ours))
		return true;
	snprintf(holder->name, sizeof(holder->name), "%s", name);
	return false;
}

/* The same for a partition, if @name is one. */
static bool find_part_holder(const char *name, void *data)
{
	struct holder *holder = data;

	if (is_of_disk(name, holder->disk))
		file_each_name(find_holder, holder, "/sys/block/%s/%s/holders",
			       holder->disk, name);
	return !*holder->name;
}

/*
 * FINE, or FAILED after reporting the md, LVM or other mapping that is on the
 * disk. Checked before swapoff, since the disk could not be detached.
 */
static int refuse_if_held(const char *disk)
{
	struct holder holder = { .disk = disk };
	char dm[128], name[132] = "";
	struct swap swap;

	crypt_find(disk, holder.ours, sizeof(holder.ours));
	file_each_name(find_holder, &holder, "/sys/block/%s/holders", disk);
	if (!*holder.name)
		file_each_name(find_part_holder, &holder, "/sys/block/%s",
			       disk);
	if (!*holder.name)
		return FINE;
	if (file_value(dm, sizeof(dm), "/sys/block/%s/dm/name", holder.name) >
	    0)
		snprintf(name, sizeof(name), " (%s)", dm);
	if (swap_find(disk, &swap) && swap.stacked)
		return failure("%s: is part of %s%s; run swapoff %s and stop %s first",
			       disk, holder.name, name, swap.path, holder.name);
	return failure("%s: is part of %s%s; stop %s first", disk, holder.name,
		       name, holder.name);
}

/* FINE, or FAILED after reporting what uses the disk and how to end that. */
static int refuse_if_used(const char *disk)
{
	struct mount mount = { .disk = disk };
	struct swap swap;

	if (swap_find(disk, &swap))
		return failure("%s: is a swap; run swapoff %s first, or detach --swapoff %s",
			       disk, swap.path, disk);
	if (find_mount(&mount))
		return failure("%s: is mounted on %s; run umount %s first",
			       disk, mount.where, mount.where);
	return FINE;
}

/*
 * EINVAL: another process is swapping it off, such as systemd at shutdown.
 * Retry until it is off: that process may give up.
 */
static int swap_off(const char *disk, bool quiet)
{
	const struct timespec pause = { 0, BUSY_PAUSE_NS };
	struct swap swap;
	char path[FILE_PATH_LEN];

	while (swap_find(disk, &swap)) {
		if (file_is_test())
			return failure("%s: swapoff: not with BALLAST_ROOT",
				       disk);
		file_path(path, sizeof(path), "%s", swap.path);
		if (!swapoff(path)) {
			if (!quiet)
				out("%s: swap is off\n", disk);
			out_flush();
		} else if (errno == EINVAL) {
			nanosleep(&pause, NULL);
		} else {
			return failure("%s: swapoff: %m", disk);
		}
	}
	return FINE;
}

/*
 * With @force detach the disk first, so that nothing waits for its server; the
 * encryption ends when its last user closes it.
 */
static int detach(const char *disk, bool force)
{
	char dm[DISK_NAME_LEN];
	bool encrypted = crypt_find(disk, dm, sizeof(dm));
	unsigned long long identity = persist_identity(disk);
	int err;

	if (encrypted && !force && crypt_close(disk, false))
		return failure("%s: is encrypted, as %s, which is in use; fuser -v /dev/%s lists the processes that have it open",
			       disk, dm, dm);
	err = detach_write(disk, force ? "force" : "1");
	if (err == -EBUSY)
		return failure("%s: is open, or is being detached; fuser -v /dev/%s lists the processes that have it open",
			       disk, disk);
	if (err) {
		errno = -err;
		return failure("%s: detach: %m", disk);
	}
	if (encrypted && force && crypt_close(disk, true))
		return FAILED;
	out("%s: detached\n", disk);
	persist_remind(disk, identity);
	return out_flush();
}

void detach_undo(const char *disk, unsigned long long identity)
{
	char dm[DISK_NAME_LEN];
	int err;

	if (persist_identity(disk) != identity)
		return; /* it is gone */
	if (swap_off(disk, true) ||
	    (crypt_find(disk, dm, sizeof(dm)) && crypt_close(disk, false))) {
		failure("%s: stays attached", disk);
		return;
	}
	err = detach_write(disk, "1");
	errno = -err;
	if (err == -ENOENT || err == -ENODEV)
		return; /* it has just gone */
	if (err)
		failure("%s: detach: %m; the disk stays attached", disk);
	else
		failure("%s: detached again", disk);
}

int cmd_detach(int argc, char **argv)
{
	bool force = false, off = false;
	const char *disk = NULL, *argument;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--force"))
			force = true;
		else if (!strcmp(argv[i], "--swapoff"))
			off = true;
		else if (argv[i][0] == '-')
			return usage_error("%.200s: no such option", argv[i]);
		else if (disk)
			return usage_error("%.200s: only one disk can be given", argv[i]);
		else
			disk = argv[i];
	}
	if (!disk)
		return usage_error("DISK is missing");
	argument = disk;
	disk = disk_name(argument);
	if (!disk_exists(disk))
		return usage_error("%.200s: is not a disk of ballast",
				   argument);
	if (!force && refuse_if_held(disk))
		return FAILED;
	if (off && swap_off(disk, false))
		return FAILED;
	if (!force && refuse_if_used(disk))
		return FAILED;
	return detach(disk, force);
}
