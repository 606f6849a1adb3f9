// SPDX-License-Identifier: GPL-2.0
/*
 * Reads /proc/swaps.
 */
#include "swaps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypt.h"
#include "files.h"
#include "json.h"
#include "stack.h"

struct search {
	const char *disk;
	char dm[DISK_NAME_LEN]; /* the name of its encryption, "": none */
	struct swap *swap;
	bool found;
};

bool is_of_disk(const char *device, const char *disk)
{
	size_t len = strlen(disk);

	if (strncmp(device, disk, len))
		return false;
	return !device[len] ||
	       (device[len] == 'p' && isdigit((unsigned char)device[len + 1]));
}

static bool match(char *line, void *data)
{
	struct search *search = data;
	struct swap *swap = search->swap;
	char device[64];

	if (sscanf(line, "%159s %*s %lld %lld %d", swap->path, &swap->size_kib,
		   &swap->used_kib, &swap->priority) != 4)
		return true;
	if (!stack_device(swap->path, device, sizeof(device)))
		return true;
	swap->encrypted = *search->dm && !strcmp(device, search->dm);
	search->found = swap->encrypted || is_of_disk(device, search->disk);
	swap->stacked = !search->found && stack_is_on(device, search->disk);
	search->found |= swap->stacked;
	return !search->found;
}

bool swap_find(const char *disk, struct swap *swap)
{
	struct search search = { .disk = disk, .swap = swap };
	int fd = file_open("/proc/swaps");

	if (fd < 0)
		return false;
	crypt_find(disk, search.dm, sizeof(search.dm));
	file_each_line(fd, match, &search);
	close(fd);
	return search.found;
}

void swap_json(const struct swap *swap)
{
	if (!swap) {
		json_null("swap");
		return;
	}
	json_begin("swap", '{');
	json_text("path", swap->path);
	json_number("size_bytes", swap->size_kib * 1024);
	json_number("used_bytes", swap->used_kib * 1024);
	json_number("priority", swap->priority);
	json_bool("encrypted", swap->encrypted);
	json_end('}');
}
