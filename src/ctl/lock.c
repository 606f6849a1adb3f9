// SPDX-License-Identifier: GPL-2.0
/*
 * The lock of an export that becomes a swap, or the place of one, see lock.h.
 *
 * It is a lock of fcntl(2) on one byte of the attach file, which no process
 * locks for another purpose: that needs no file in /run, which may be full; ends
 * with the process; and names its holder. The byte is a hash of the export, so
 * that a server that hangs does not hold up the swap of another.
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "ballastctl.h"
#include "files.h"
#include "signals.h"
#include "sysfs.h"

#define TRIES 100
#define PAUSE_NS 100000000 /* a tenth of a second */

/* FNV-1a. Two exports with one hash wait for each other, which does no harm. */
static unsigned int hash(unsigned int value, const char *text)
{
	do
		value = (value ^ (unsigned char)*text) * 16777619u;
	while (*text++);
	return value;
}

/* With errno from fcntl(). */
static void tell_failure(int fd, const struct flock *wanted, const char *export)
{
	struct flock holder = *wanted;

	if (signals_caught())
		failure("interrupted");
	else if (errno != EAGAIN && errno != EACCES)
		failure("export \"%.200s\": can't be locked: %m", export);
	else if (fcntl(fd, F_GETLK, &holder) || holder.l_pid <= 0)
		failure("export \"%.200s\": another process makes a swap of it or moves a disk to it, and does not end",
			export);
	else
		failure("export \"%.200s\": process %d makes a swap of it or moves a disk to it, and does not end",
			export, (int)holder.l_pid);
}

int lock_export(const char *address, const char *export)
{
	const struct timespec pause = { 0, PAUSE_NS };
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = hash(hash(2166136261u, address), export) >> 1,
		.l_len = 1,
	};
	char path[FILE_PATH_LEN];
	int fd = -1, tries = 0;

	if (file_path(path, sizeof(path), SYSFS_ATTACH))
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		failure(SYSFS_ATTACH ": %m");
		return -1;
	}
	while (fcntl(fd, F_SETLK, &lock)) {
		if ((errno == EAGAIN || errno == EACCES) && tries++ < TRIES &&
		    !signals_caught()) {
			nanosleep(&pause, NULL);
			continue;
		}
		tell_failure(fd, &lock, export);
		close(fd);
		return -1;
	}
	return fd;
}
