/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_RESERVE_H
#define BALLASTCTL_RESERVE_H

#include <stdbool.h>

#define RESERVE_NAME_LEN 16	/* an interface's name, IFNAMSIZ */

enum reserve_field {
	RESERVE_SIZE,
	RESERVE_AVAILABLE,
	RESERVE_LENT,
	RESERVE_PACKET_LIMIT,
	RESERVE_LEND_BELOW,
	RESERVE_IN_USE,
	RESERVE_GRADE,	/* enum reserve_grade */
	RESERVE_ACTIVATIONS,
	RESERVE_IN_USE_MS,
	RESERVE_CRITICAL_MS,
	RESERVE_KEPT,
	RESERVE_ALLOWED,
	RESERVE_UNRELATED,
	RESERVE_PFMEMALLOC,
	RESERVE_DROPPED,
	RESERVE_DROPPED_BYTES,
	RESERVE_DROPPED_FIRST,	/* by reason, from here ... */
	RESERVE_DROPPED_OTHER_SOCKET = RESERVE_DROPPED_FIRST,
	RESERVE_DROPPED_PROTOCOL,
	RESERVE_DROPPED_FRAGMENT,
	RESERVE_DROPPED_BUDGET,
	RESERVE_DROPPED_LIMIT,
	RESERVE_DROPPED_MALFORMED,
	RESERVE_DROPPED_LAST = RESERVE_DROPPED_MALFORMED,	/* ... to here */
	RESERVE_LENDS,
	RESERVE_REFILLS,
	RESERVE_RESCUES,
	RESERVE_NR_FIELDS,
};

enum reserve_grade {
	RESERVE_CALM,
	RESERVE_TIGHT,
	RESERVE_CRITICAL,
};

#define RESERVE_ABSENT (-1) /* a value that this module does not have */

/* The fields' files in /sys/class/net/IFACE/ballast/. */
extern const char *const reserve_files[RESERVE_NR_FIELDS];

/* A reason for a drop, for people: "other socket". */
const char *reserve_reason(enum reserve_field field);
/* The same as one word, the end of the file's name: "other_socket". */
const char *reserve_reason_word(enum reserve_field field);

/* The files are open from reserve_open to reserve_close. */
struct reserve {
	char name[RESERVE_NAME_LEN];
	int fds[RESERVE_NR_FIELDS];
	long long value[RESERVE_NR_FIELDS];
};

/* Whether a disk's packets come in there; else it only has a filter. */
static inline bool reserve_has_disk(const struct reserve *reserve)
{
	return reserve->value[RESERVE_PACKET_LIMIT];
}

/* The state of the machine: "calm", "tight" or "critical". */
const char *reserve_grade_name(const struct reserve *reserve);

/* Whether an interface of this name, which may be any string, has a reserve. */
bool reserve_exists(const char *name);

/* 0 or -errno. reserve_read is -ENODEV once the reserve is gone. */
int reserve_open(struct reserve *reserve, const char *name);
int reserve_read(struct reserve *reserve);
void reserve_close(struct reserve *reserve);

/* Call @fn for each interface with a reserve until it returns false: 0, -errno. */
int reserve_each(bool (*fn)(const char *name, void *data), void *data);

#endif
