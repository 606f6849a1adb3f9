// SPDX-License-Identifier: GPL-2.0
/*
 * Free memory and the watermarks, from /proc/zoneinfo.
 */
#include "memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files.h"
#include "json.h"
#include "zoneinfo.h"

static int fd = -1;
static char *text;
static size_t size;

/* The file has lines for each processor in each zone, so it can be large. */
static size_t length(void)
{
	static char some[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = pread(fd, some, sizeof(some), len)) > 0)
		len += n;
	return len;
}

int memory_open(void)
{
	if (fd >= 0)
		return 0;
	fd = file_open("/proc/zoneinfo");
	if (fd < 0)
		return fd;
	/* 1.5 times the size, for longer numbers and added processors. */
	size = length() * 3 / 2 + 4096;
	text = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return -errno;
	return 0;
}

int memory_read(struct memory *memory)
{
	static struct zoneinfo info;
	ssize_t len;
	int err;

	len = file_reread(fd, text, size);
	if (len < 0)
		return len;
	err = zoneinfo_parse(text, &info);
	if (err)
		return err;
	*memory = (struct memory) {
		.free = info.sum.free,
		.min = info.sum.min,
		.low = info.sum.low,
		.high = info.sum.high,
	};
	return 0;
}

long long memory_page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

void memory_json(const struct memory *memory)
{
	json_begin("memory", '{');
	json_number("page_size", memory_page_size());
	json_number("free_pages", memory->free);
	json_number("min_pages", memory->min);
	json_number("low_pages", memory->low);
	json_number("high_pages", memory->high);
	json_end('}');
}
