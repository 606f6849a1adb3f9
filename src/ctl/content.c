// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out what a disk holds before it becomes a swap. libblkid knows file
 * systems, partition tables and the like. Data that it does not know may still
 * be of value, so a disk is blank only if it begins and ends with zeroes.
 */
#include "content.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK (1 << 20)	/* bytes that are read at the beginning and the end */

static enum content name_it(blkid_probe probe, char *what, size_t size)
{
	const char *type, *label;

	if (!blkid_probe_lookup_value(probe, "TYPE", &type, NULL)) {
		if (!strcmp(type, "swap"))
			return CONTENT_SWAP;
		if (blkid_probe_lookup_value(probe, "LABEL", &label, NULL))
			snprintf(what, size, "%s", type);
		else
			snprintf(what, size, "%s, labeled %s", type, label);
		return CONTENT_OTHER;
	}
	if (!blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL)) {
		snprintf(what, size, "a partition table (%s)", type);
		return CONTENT_OTHER;
	}
	snprintf(what, size, "a signature without a type");
	return CONTENT_OTHER;
}

/* 1, 0, or -1 with errno set. */
static int is_zero(int fd, off_t from, off_t to)
{
	static char buf[64 << 10];
	ssize_t n, i;

	for (; from < to; from += n) {
		n = pread(fd, buf, sizeof(buf) < (size_t)(to - from) ?
					   sizeof(buf) : (size_t)(to - from),
			  from);
		if (n < 0)
			return -1;
		if (!n)
			break;
		for (i = 0; i < n; i++)
			if (buf[i])
				return 0;
	}
	return 1;
}

static enum content look(int fd, char *what, size_t size)
{
	off_t end = lseek(fd, 0, SEEK_END);
	int zero = end < 0 ? -1 : is_zero(fd, 0, end < LOOK ? end : LOOK);

	if (zero > 0 && end > LOOK)
		zero = is_zero(fd, end - LOOK, end);
	if (zero < 0) {
		snprintf(what, size, "%s", strerror(errno));
		return CONTENT_UNREADABLE;
	}
	if (zero)
		return CONTENT_BLANK;
	snprintf(what, size, "data of an unknown kind");
	return CONTENT_OTHER;
}

static enum content probe_fd(int fd, char *what, size_t size)
{
	blkid_probe probe = blkid_new_probe();
	enum content content;
	int found;

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0)) {
		snprintf(what, size, "libblkid can't probe it");
		blkid_free_probe(probe);
		return CONTENT_UNREADABLE;
	}
	blkid_probe_enable_superblocks(probe, true);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_LABEL);
	blkid_probe_enable_partitions(probe, true);
	errno = 0;
	found = blkid_do_safeprobe(probe);
	if (!found) {
		content = name_it(probe, what, size);
	} else if (found == 1) {
		content = look(fd, what, size);
	} else if (found == -2) {
		snprintf(what, size, "signatures of more than one kind");
		content = CONTENT_OTHER;
	} else {
		snprintf(what, size, "%s", strerror(errno ? errno : EIO));
		content = CONTENT_UNREADABLE;
	}
	blkid_free_probe(probe);
	return content;
}

enum content content_probe(const char *device, char *what, size_t size)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	enum content content;

	if (fd < 0) {
		snprintf(what, size, "%s", strerror(errno));
		return CONTENT_UNREADABLE;
	}
	content = probe_fd(fd, what, size);
	close(fd);
	return content;
}
