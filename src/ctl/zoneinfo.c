// SPDX-License-Identifier: GPL-2.0
/*
 * Parses /proc/zoneinfo.
 *
 * It does not allocate, since "top" uses it when no memory is left.
 */
#include "zoneinfo.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

/*
 * The fields of a zone that are used. The names in pagesets ("high:") and of the
 * node ("nr_inactive_file") are different.
 */
static const struct {
	const char *word;
	size_t offset;
} fields[] = {
	{ "pages free", offsetof(struct zone, free) },
	{ "boost", offsetof(struct zone, boost) },
	{ "min", offsetof(struct zone, min) },
	{ "low", offsetof(struct zone, low) },
	{ "high", offsetof(struct zone, high) },
	{ "managed", offsetof(struct zone, managed) },
	{ "nr_free_cma", offsetof(struct zone, free_cma) },
	{ "nr_zone_active_file", offsetof(struct zone, active_file) },
	{ "nr_zone_inactive_file", offsetof(struct zone, inactive_file) },
};

#define FIELDS	(sizeof(fields) / sizeof(fields[0]))

static unsigned long *field(struct zone *zone, size_t i)
{
	return (unsigned long *)((char *)zone + fields[i].offset);
}

static void read_protection(struct zone *zone, const char *line)
{
	const char *at = line + strcspn(line, "(\n");
	unsigned long pages;
	char *end;

	/* "(0, 3019, 9035)" */
	for (; *at == '(' || *at == ','; at = end) {
		pages = strtoul(at + 1, &end, 10);
		if (pages > zone->protection)
			zone->protection = pages;
	}
}

static void read_field(struct zone *zone, const char *line)
{
	size_t i, len;

	line += strspn(line, " \t");
	if (!strncmp(line, "protection:", 11)) {
		read_protection(zone, line);
		return;
	}
	for (i = 0; i < FIELDS; i++) {
		len = strlen(fields[i].word);
		if (!strncmp(line, fields[i].word, len) &&
		    (line[len] == ' ' || line[len] == '\t')) {
			*field(zone, i) = strtoul(line + len, NULL, 10);
			return;
		}
	}
}

/* Skip zones without memory (usually Movable), which the file lists too. */
static void end_of_zone(struct zoneinfo *info)
{
	struct zone *zone = &info->zones[info->nr];
	size_t i;

	if (!zone->name[0] || !zone->managed)
		return;
	for (i = 0; i < FIELDS; i++)
		*field(&info->sum, i) += *field(zone, i);
	info->nr++;
}

static void begin(struct zoneinfo *info)
{
	memset(info, 0, sizeof(*info));
	strcpy(info->sum.name, "all");
	info->sum.node = -1;
}

/* False: there are too many zones. */
static bool read_line(struct zoneinfo *info, const char *line)
{
	struct zone next;

	memset(&next, 0, sizeof(next));
	/* sscanf() scans to the end of the text each time, so compare first. */
	if (strncmp(line, "Node ", 5) ||
	    sscanf(line, "Node %d, zone %11s", &next.node, next.name) != 2) {
		read_field(&info->zones[info->nr], line);
		return true;
	}
	end_of_zone(info);
	if (info->nr == ZONEINFO_MAX)
		return false;
	info->zones[info->nr] = next;
	return true;
}

static int finish(struct zoneinfo *info)
{
	/* read_line() never leaves nr at ZONEINFO_MAX: there is a zone to end. */
	end_of_zone(info);
	return info->nr ? 0 : -EINVAL;
}

/**
 * zoneinfo_parse - parse /proc/zoneinfo
 * @text: content of the file, with a NUL at the end
 * @info: filled in
 *
 * Return: 0; -EINVAL: no zone; -E2BIG: too many zones
 */
int zoneinfo_parse(const char *text, struct zoneinfo *info)
{
	begin(info);
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		if (!read_line(info, text))
			return -E2BIG;
	return finish(info);
}

struct reading {
	struct zoneinfo *info;
	bool fits;
};

static bool each_line(char *line, void *data)
{
	struct reading *reading = data;

	reading->fits = read_line(reading->info, line);
	return reading->fits;
}

/* Read and parse the file; also returns -errno if it can't be read. */
int zoneinfo_read(struct zoneinfo *info)
{
	struct reading reading = { info, true };
	int fd, err;

	begin(info);
	fd = file_open("/proc/zoneinfo");
	if (fd < 0)
		return fd;
	err = file_each_line(fd, each_line, &reading);
	close(fd);
	if (err)
		return err;
	return reading.fits ? finish(info) : -E2BIG;
}

static bool over(const struct zoneinfo *info, size_t watermark)
{
	const struct zone *zone = info->zones;
	const struct zone *end = zone + info->nr;
	bool enough = false;

	for (; zone < end; zone++) {
		unsigned long mark = *(const unsigned long *)
				      ((const char *)zone + watermark);

		enough |= zone->free >= mark + zone->protection;
		if (zone + 1 < end && zone[1].node == zone->node)
			continue;
		/* the node's last zone */
		if (!enough)
			return false;
		enough = false;
	}
	return true;
}

bool zoneinfo_over_high(const struct zoneinfo *info)
{
	return over(info, offsetof(struct zone, high));
}

bool zoneinfo_over_low(const struct zoneinfo *info)
{
	return over(info, offsetof(struct zone, low));
}

bool zoneinfo_over_min(const struct zoneinfo *info)
{
	return over(info, offsetof(struct zone, min));
}
