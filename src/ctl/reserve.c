// SPDX-License-Identifier: GPL-2.0
/*
 * What /sys/class/net/IFACE/ballast/ has to say; docs/sysfs.md describes the
 * files.
 */
#include "reserve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

const char *const reserve_files[RESERVE_NR_FIELDS] = {
	[RESERVE_SIZE] = "size_pages",
	[RESERVE_AVAILABLE] = "available_pages",
	[RESERVE_LENT] = "lent_pages",
	[RESERVE_PACKET_LIMIT] = "packet_limit",
	[RESERVE_LEND_BELOW] = "lend_below",
	[RESERVE_IN_USE] = "in_use",
	[RESERVE_ACTIVATIONS] = "activations",
	[RESERVE_IN_USE_MS] = "in_use_ms",
	[RESERVE_KEPT] = "rx_kept",
	[RESERVE_ALLOWED] = "rx_allowed",
	[RESERVE_DROPPED] = "rx_dropped",
	[RESERVE_DROPPED_BYTES] = "rx_dropped_bytes",
	[RESERVE_DROPPED_OTHER_SOCKET] = "rx_dropped_other_socket",
	[RESERVE_DROPPED_PROTOCOL] = "rx_dropped_protocol",
	[RESERVE_DROPPED_FRAGMENT] = "rx_dropped_fragment",
	[RESERVE_DROPPED_BUDGET] = "rx_dropped_budget",
	[RESERVE_DROPPED_MALFORMED] = "rx_dropped_malformed",
	[RESERVE_LENDS] = "lends",
	[RESERVE_REFILLS] = "refills",
	[RESERVE_RESCUES] = "rescues",
};

const char *reserve_reason(enum reserve_field field)
{
	static const char *const reasons[] = {
		"other socket", "protocol", "fragment", "budget", "malformed",
	};

	return reasons[field - RESERVE_DROPPED_FIRST];
}

bool reserve_exists(const char *name)
{
	return file_is_name(name, RESERVE_NAME_LEN) &&
	       file_exists("/sys/class/net/%s/ballast", name);
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
		fd = file_open("/sys/class/net/%s/ballast/%s", name,
			       reserve_files[i]);
		reserve->fds[i] = fd;
		if (fd < 0) {
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

int reserve_read(struct reserve *reserve)
{
	char number[32];
	ssize_t len;
	size_t i;

	for (i = 0; i < RESERVE_NR_FIELDS; i++) {
		len = file_reread(reserve->fds[i], number, sizeof(number));
		if (len < 0)
			return len;
		reserve->value[i] = strtoll(number, NULL, 10);
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
