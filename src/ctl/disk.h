/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DISK_H
#define BALLASTCTL_DISK_H

#include <stdbool.h>

#include <ballast/limits.h>

#define DISK_NAME_LEN 32
#define DISK_SERVER_LEN (BALLAST_MAX_HOST + sizeof("[]:65535"))
#define DISK_EXPORT_LEN (BALLAST_MAX_EXPORT + 1)

enum disk_direction { DISK_READ, DISK_WRITTEN };

/* Counters of /sys/block/NAME/stat. */
struct disk_stat {
	unsigned long long requests[2];	/* by disk_direction, completed */
	unsigned long long sectors[2];
	unsigned long long ms[2];	/* sum of all requests' latencies */
	unsigned long long flushes;
	unsigned long long flush_ms;
};

/* A disk's values in sysfs; the files are open from disk_open to disk_close. */
struct disk {
	char name[DISK_NAME_LEN];
	int fds[16];
	char server[DISK_SERVER_LEN];
	char export[DISK_EXPORT_LEN];
	char state[16];
	char interface[16];
	long long connections;
	long long inflight;
	long long reconnects;
	long long sectors;
	long long readonly;
	char verify[16];	/* empty: the module lacks the file */
	long long verified;	/* this and the next four: -1, likewise */
	long long verify_errors;
	long long fences;
	long long fences_held;
	long long fences_expired;
	struct disk_stat stat;
};

/* The name in an argument, which may be "/dev/ballast0". */
const char *disk_name(const char *argument);

/* Whether a ballast disk has this name, which may be any string. */
bool disk_exists(const char *name);

/* 0 or -errno. disk_read is -ENODEV once the disk is gone. */
int disk_open(struct disk *disk, const char *name);
int disk_read(struct disk *disk);
void disk_close(struct disk *disk);

/* Call @fn for each disk's name until it returns false, in no order: 0, -errno. */
int disk_each(bool (*fn)(const char *name, void *data), void *data);

/*
 * Read each disk, or only the disk @name if not NULL, and call @fn for it until
 * it returns false. A disk that was detached meanwhile is left out.
 */
void disk_each_read(const char *name,
		    bool (*fn)(const struct disk *disk, void *data),
		    void *data);

#endif
