// SPDX-License-Identifier: GPL-2.0
/*
 * Reads /sys/class/net/IFACE/ballast/; docs/sysfs.md describes the files.
 */
#include "reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "sysfs.h"

const char *const reserve_files[RESERVE_NR_FIELDS] = {
	[RESERVE_SIZE] = BALLAST_FILE_SIZE_PAGES,
	[RESERVE_AVAILABLE] = BALLAST_FILE_AVAILABLE_PAGES,
	[RESERVE_LENT] = BALLAST_FILE_LENT_PAGES,
	[RESERVE_PACKET_LIMIT] = BALLAST_FILE_PACKET_LIMIT,
	[RESERVE_LEND_BELOW] = BALLAST_FILE_LEND_BELOW,
	[RESERVE_IN_USE] = BALLAST_FILE_IN_USE,
	[RESERVE_GRADE] = BALLAST_FILE_GRADE,
	[RESERVE_ACTIVATIONS] = BALLAST_FILE_ACTIVATIONS,
	[RESERVE_IN_USE_MS] = BALLAST_FILE_IN_USE_MS,
	[RESERVE_CRITICAL_MS] = BALLAST_FILE_CRITICAL_MS,
	[RESERVE_KEPT] = BALLAST_FILE_RX_KEPT,
	[RESERVE_ALLOWED] = BALLAST_FILE_RX_ALLOWED,
	[RESERVE_UNRELATED] = BALLAST_FILE_RX_UNRELATED,
	[RESERVE_PFMEMALLOC] = BALLAST_FILE_RX_PFMEMALLOC,
	[RESERVE_DROPPED] = BALLAST_FILE_RX_DROPPED,
	[RESERVE_DROPPED_BYTES] = BALLAST_FILE_RX_DROPPED_BYTES,
	[RESERVE_DROPPED_OTHER_SOCKET] = BALLAST_FILE_RX_DROPPED_SOCKET,
	[RESERVE_DROPPED_PROTOCOL] = BALLAST_FILE_RX_DROPPED_PROTO,
	[RESERVE_DROPPED_FRAGMENT] = BALLAST_FILE_RX_DROPPED_FRAG,
	[RESERVE_DROPPED_BUDGET] = BALLAST_FILE_RX_DROPPED_BUDGET,
	[RESERVE_DROPPED_LIMIT] = BALLAST_FILE_RX_DROPPED_LIMIT,
	[RESERVE_DROPPED_MALFORMED] = BALLAST_FILE_RX_DROPPED_BAD,
	[RESERVE_LENDS] = BALLAST_FILE_LENDS,
	[RESERVE_REFILLS] = BALLAST_FILE_REFILLS,
	[RESERVE_RESCUES] = BALLAST_FILE_RESCUES,
};

/* The order of enum reserve_grade. */
static const char *const grade_names[] = { "calm", "tight", "critical" };

/* A module that was loaded before an upgrade lacks these. */
static bool is_new(enum reserve_field field)
{
	return field == RESERVE_GRADE || field == RESERVE_CRITICAL_MS ||
	       field == RESERVE_UNRELATED || field == RESERVE_PFMEMALLOC ||
	       field == RESERVE_DROPPED_LIMIT;
}

const char *reserve_grade_name(const struct reserve *reserve)
{
	long long grade = reserve->value[RESERVE_GRADE];

	if (grade == RESERVE_ABSENT) /* it drops all unrelated packets */
		grade = reserve->value[RESERVE_IN_USE] ? RESERVE_CRITICAL :
							 RESERVE_CALM;
	return grade_names[grade];
}

const char *reserve_reason(enum reserve_field field)
{
	static const char *const reasons[] = {
		"other socket", "protocol", "fragment",
		"budget",	"limit",    "malformed",
	};

	return reasons[field - RESERVE_DROPPED_FIRST];
}

const char *reserve_reason_word(enum reserve_field field)
{
	return reserve_files[field] + sizeof(BALLAST_FILE_RX_DROPPED);
}

bool reserve_exists(const char *name)
{
	return file_is_name(name, RESERVE_NAME_LEN) &&
	       file_exists(SYSFS_NIC, name);
}

int reserve_open(struct reserve *reserve, const char *name)
{
	size_t i;
	int fd;

	memset(reserve, 0, sizeof(*reserve));
	memset(reserve->fds, -1, sizeof(reserve->fds));
	if (!file_is_name(name, RESERVE_NAME_LEN))
		return -ENODEV;
	strcpy(reserve->name, name);
	for (i = 0; i < RESERVE_NR_FIELDS; i++) {
		fd = file_open(SYSFS_NIC "/%s", name, reserve_files[i]);
		reserve->fds[i] = fd;
		if (fd < 0 && !(fd == -ENOENT && is_new(i))) {
			reserve_close(reserve);
			return fd;
		}
	}
	return 0;
}

void reserve_close(struct reserve *reserve)
{
	size_t i;

	for (i = 0; i < RESERVE_NR_FIELDS; i++) {
		if (reserve->fds[i] >= 0)
			close(reserve->fds[i]);
		reserve->fds[i] = -1;
	}
}

static long long parse(enum reserve_field field, const char *text)
{
	long long grade;

	if (field != RESERVE_GRADE)
		return strtoll(text, NULL, 10);
	for (grade = RESERVE_CRITICAL; grade > RESERVE_CALM; grade--)
		if (!strncmp(text, grade_names[grade],
			     strlen(grade_names[grade])))
			break;
	return grade;
}

int reserve_read(struct reserve *reserve)
{
	char text[32];
	ssize_t len;
	size_t i;

	for (i = 0; i < RESERVE_NR_FIELDS; i++) {
		reserve->value[i] = RESERVE_ABSENT;
		if (reserve->fds[i] < 0)
			continue;
		len = file_reread(reserve->fds[i], text, sizeof(text));
		if (len < 0)
			return len;
		reserve->value[i] = parse(i, text);
	}
	return 0;
}

struct each {
	bool (*fn)(const char *name, void *data);
	void *data;
};

static bool if_reserve(const char *name, void *data)
{
	const struct each *each = data;

	return !reserve_exists(name) || each->fn(name, each->data);
}

int reserve_each(bool (*fn)(const char *name, void *data), void *data)
{
	struct each each = { fn, data };

	return file_each_name(if_reserve, &each, "/sys/class/net");
}
