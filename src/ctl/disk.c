// SPDX-License-Identifier: GPL-2.0
/*
 * Reads /sys/block/ballastN/; docs/sysfs.md describes the files.
 */
#include "disk.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "sysfs.h"

/* size 0: a number; else a text in a buffer of this size. stat is separate. */
static const struct field {
	const char *file;
	size_t offset;
	size_t size;
} fields[] = {
#define OURS(_file) "ballast/" _file
#define TEXT(_file, _member)                          \
	{ _file, offsetof(struct disk, _member),      \
	  sizeof(((struct disk *)0)->_member) }
#define NUMBER(_file, _member) { _file, offsetof(struct disk, _member), 0 }
	TEXT(OURS(BALLAST_FILE_SERVER), server),
	TEXT(OURS(BALLAST_FILE_EXPORT), export),
	TEXT(OURS(BALLAST_FILE_STATE), state),
	TEXT(OURS(BALLAST_FILE_INTERFACE), interface),
	NUMBER(OURS(BALLAST_FILE_CONNECTIONS), connections),
	NUMBER(OURS(BALLAST_FILE_INFLIGHT), inflight),
	NUMBER(OURS(BALLAST_FILE_RECONNECTS), reconnects),
	NUMBER("size", sectors),
	NUMBER("ro", readonly),
	TEXT(OURS(BALLAST_FILE_VERIFY), verify),
	NUMBER(OURS(BALLAST_FILE_VERIFIED), verified),
	NUMBER(OURS(BALLAST_FILE_VERIFY_ERRORS), verify_errors),
	NUMBER(OURS(BALLAST_FILE_FENCES), fences),
	NUMBER(OURS(BALLAST_FILE_FENCES_HELD), fences_held),
	NUMBER(OURS(BALLAST_FILE_FENCES_EXPIRED), fences_expired),
};

/* A module of an earlier release, maybe still loaded, lacks the last six. */
#define REQUIRED (ARRAY_SIZE(fields) - 6)

#define STAT ARRAY_SIZE(fields)	/* index of its file descriptor */

_Static_assert(sizeof(((struct disk *)0)->fds) / sizeof(int) == STAT + 1,
	       "a file descriptor for each file");

const char *disk_name(const char *argument)
{
	return strncmp(argument, "/dev/", 5) ? argument : argument + 5;
}

bool disk_exists(const char *name)
{
	return file_is_name(name, DISK_NAME_LEN) &&
	       file_exists(SYSFS_DISK, name);
}

int disk_open(struct disk *disk, const char *name)
{
	size_t i;
	int err = 0;

	memset(disk, 0, sizeof(*disk));
	memset(disk->fds, -1, sizeof(disk->fds));
	if (!file_is_name(name, DISK_NAME_LEN))
		return -ENODEV;
	strcpy(disk->name, name);
	for (i = 0; i <= STAT && !err; i++) {
		disk->fds[i] = file_open("/sys/block/%s/%s", name,
					 i == STAT ? "stat" : fields[i].file);
		if (disk->fds[i] < 0 &&
		    (i == STAT || i < REQUIRED || disk->fds[i] != -ENOENT))
			err = disk->fds[i];
	}
	if (err)
		disk_close(disk);
	return err;
}

void disk_close(struct disk *disk)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(disk->fds); i++) {
		if (disk->fds[i] >= 0)
			close(disk->fds[i]);
		disk->fds[i] = -1;
	}
}

static int read_field(struct disk *disk, size_t i)
{
	void *value = (char *)disk + fields[i].offset;
	char number[32];
	ssize_t len;

	if (disk->fds[i] < 0) {
		if (!fields[i].size)
			*(long long *)value = -1;
		return 0;
	}
	if (!fields[i].size) {
		len = file_reread(disk->fds[i], number, sizeof(number));
		*(long long *)value = strtoll(number, NULL, 10);
		return len < 0 ? len : 0;
	}
	len = file_reread(disk->fds[i], value, fields[i].size);
	if (len > 0 && ((char *)value)[len - 1] == '\n')
		((char *)value)[len - 1] = '\0';
	return len < 0 ? len : 0;
}

/* The kernel's Documentation/block/stat.rst has the columns. */
static int read_stat(struct disk *disk)
{
	struct disk_stat *stat = &disk->stat;
	unsigned long long column[17] = { 0 };
	char text[512], *at = text;
	ssize_t len;
	size_t i;

	len = file_reread(disk->fds[STAT], text, sizeof(text));
	if (len < 0)
		return len;
	for (i = 0; i < ARRAY_SIZE(column); i++)
		column[i] = strtoull(at, &at, 10);
	for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
		stat->requests[i] = column[4 * i];
		stat->sectors[i] = column[4 * i + 2];
		stat->ms[i] = column[4 * i + 3];
	}
	stat->flushes = column[15];
	stat->flush_ms = column[16];
	return 0;
}

int disk_read(struct disk *disk)
{
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(fields) && !err; i++)
		err = read_field(disk, i);
	return err ? err : read_stat(disk);
}

struct each {
	bool (*fn)(const char *name, void *data);
	void *data;
};

static bool if_ours(const char *name, void *data)
{
	const struct each *each = data;

	/* By name first: this saves a look-up for every other disk. */
	if (strncmp(name, "ballast", 7) || !disk_exists(name))
		return true;
	return each->fn(name, each->data);
}

int disk_each(bool (*fn)(const char *name, void *data), void *data)
{
	struct each each = { fn, data };

	return file_each_name(if_ours, &each, "/sys/block");
}

struct each_read {
	bool (*fn)(const struct disk *disk, void *data);
	void *data;
};

static bool read_one(const char *name, void *data)
{
	const struct each_read *each = data;
	static struct disk disk;
	bool go_on = true;

	if (disk_open(&disk, name))
		return true;
	if (!disk_read(&disk))
		go_on = each->fn(&disk, each->data);
	disk_close(&disk);
	return go_on;
}

void disk_each_read(const char *name,
		    bool (*fn)(const struct disk *disk, void *data), void *data)
{
	struct each_read each = { fn, data };

	if (name)
		read_one(name, &each);
	else
		disk_each(read_one, &each);
}
