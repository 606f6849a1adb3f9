// SPDX-License-Identifier: GPL-2.0
/*
 * Reading /proc/zoneinfo: text in, numbers out.
 *
 * No allocation, since "top" calls it when there is no memory.
 */
#include "zoneinfo.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The words of a zone's part that we want. Those of the pagesets ("high:")
 * and of the node ("nr_inactive_file") differ from all of them.
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

static void read_line(struct zone *zone, const char *line)
{
	size_t i, len;

	line += strspn(line, " \t");
	for (i = 0; i < FIELDS; i++) {
		len = strlen(fields[i].word);
		if (!strncmp(line, fields[i].word, len) &&
		    (line[len] == ' ' || line[len] == '\t')) {
			*field(zone, i) = strtoul(line + len, NULL, 10);
			return;
		}
	}
}

/* A zone without memory (Movable, as a rule) is in the file, but is none. */
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

/**
 * zoneinfo_parse - read what /proc/zoneinfo says
 * @text: the file, with a zero at its end
 * @info: filled in
 *
 * Return: 0, -EINVAL where it has no zone, -E2BIG where it has too many
 */
int zoneinfo_parse(const char *text, struct zoneinfo *info)
{
	struct zone next;

	memset(info, 0, sizeof(*info));
	strcpy(info->sum.name, "all");
	info->sum.node = -1;
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		memset(&next, 0, sizeof(next));
		/* sscanf() looks for the end of the text each time. */
		if (strncmp(text, "Node ", 5) ||
		    sscanf(text, "Node %d, zone %11s", &next.node,
			   next.name) != 2) {
			read_line(&info->zones[info->nr], text);
			continue;
		}
		end_of_zone(info);
		if (info->nr == ZONEINFO_MAX)
			return -E2BIG;
		info->zones[info->nr] = next;
	}
	/* The loop never leaves nr at ZONEINFO_MAX: there is a zone to end. */
	end_of_zone(info);
	return info->nr ? 0 : -EINVAL;
}

/* Small zones for old hardware, full or empty without consequence. */
int zoneinfo_is_dma(const struct zone *zone)
{
	return !strcmp(zone->name, "DMA");
}
