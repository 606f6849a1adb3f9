// SPDX-License-Identifier: GPL-2.0
/*
 * Determines what a disk holds before it becomes a swap. libblkid recognizes
 * file systems, partition tables and the like. Other data may still be of
 * value, so a disk is blank only if it begins and ends with zeroes.
 */
#include "content.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "header.h"

#define LOOK (1 << 20)	/* bytes that are read at the beginning and the end */

static const char *value_of(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) ? "" : value;
}

/* The signature is in the last ten bytes of the first page. */
static void read_swap(blkid_probe probe, struct content *content)
{
	const char *magic = value_of(probe, "SBMAGIC_OFFSET");
	struct identity *owner = &content->owner;

	content->kind = CONTENT_SWAP;
	content->page_size = atol(magic) + 10;
	snprintf(owner->uuid, sizeof(owner->uuid), "%s",
		 value_of(probe, "UUID"));
	snprintf(owner->label, sizeof(owner->label), "%s",
		 value_of(probe, "LABEL"));
}

static void name_it(blkid_probe probe, struct content *content)
{
	const char *type = value_of(probe, "TYPE");
	const char *label = value_of(probe, "LABEL");
	const char *table = value_of(probe, "PTTYPE");
	const size_t size = sizeof(content->what);

	content->kind = CONTENT_OTHER;
	if (!strcmp(type, "swap"))
		read_swap(probe, content);
	else if (*type && *label)
		snprintf(content->what, size, "%s, labeled %s", type, label);
	else if (*type)
		snprintf(content->what, size, "%s", type);
	else if (*table)
		snprintf(content->what, size, "a partition table (%s)", table);
	else
		snprintf(content->what, size, "a signature without a type");
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

static void unreadable(struct content *content, int err)
{
	content->kind = CONTENT_UNREADABLE;
	snprintf(content->what, sizeof(content->what), "%s", strerror(err));
}

static void look(int fd, struct content *content)
{
	off_t end = lseek(fd, 0, SEEK_END);
	int zero = end < 0 ? -1 : is_zero(fd, 0, end < LOOK ? end : LOOK);

	if (zero > 0 && end > LOOK)
		zero = is_zero(fd, end - LOOK, end);
	if (zero < 0) {
		unreadable(content, errno);
		return;
	}
	content->kind = zero ? CONTENT_BLANK : CONTENT_OTHER;
	if (!zero)
		snprintf(content->what, sizeof(content->what),
			 "data of an unknown kind");
}

static void probe_with(blkid_probe probe, int fd, struct content *content)
{
	const int flags = BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
			  BLKID_SUBLKS_UUID | BLKID_SUBLKS_MAGIC;
	int found;

	blkid_probe_enable_superblocks(probe, true);
	blkid_probe_set_superblocks_flags(probe, flags);
	blkid_probe_enable_partitions(probe, true);
	errno = 0;
	found = blkid_do_safeprobe(probe);
	if (!found) {
		name_it(probe, content);
	} else if (found == 1) {
		look(fd, content);
	} else if (found == -2) {
		content->kind = CONTENT_OTHER;
		snprintf(content->what, sizeof(content->what),
			 "signatures of more than one kind");
	} else {
		unreadable(content, errno ? errno : EIO);
	}
}

static void probe_fd(int fd, struct content *content)
{
	int found = header_read(fd, &content->owner);
	blkid_probe probe;

	if (found < 0) {
		unreadable(content, -found);
		return;
	}
	if (found) {
		content->kind = CONTENT_ENCRYPTED;
		return;
	}
	probe = blkid_new_probe();
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0)) {
		content->kind = CONTENT_UNREADABLE;
		snprintf(content->what, sizeof(content->what),
			 "libblkid can't probe it");
	} else {
		probe_with(probe, fd, content);
	}
	blkid_free_probe(probe);
}

void content_probe(const char *device, struct content *content)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	memset(content, 0, sizeof(*content));
	if (fd < 0) {
		unreadable(content, errno);
		return;
	}
	/* Drop cached pages: the export may have changed on the server. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	probe_fd(fd, content);
	close(fd);
}
