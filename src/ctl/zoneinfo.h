/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/zoneinfo: each zone's watermarks as the kernel really has them. */
#ifndef CTL_ZONEINFO_H
#define CTL_ZONEINFO_H

#include <stdbool.h>

/* Zones that have memory; 5 a node at most, as a rule 3 on the first. */
#define ZONEINFO_MAX	128

/* All in pages. min, low and high have the kernel's boost in them already. */
struct zone {
	int node;
	char name[12];
	unsigned long free;
	unsigned long boost;
	unsigned long min;
	unsigned long low;
	unsigned long high;
	unsigned long managed;
	unsigned long free_cma;
	unsigned long active_file;
	unsigned long inactive_file;
	/*
	 * What an allocation that would take a higher zone has to leave here
	 * on top of a watermark: the largest of the file's "protection".
	 */
	unsigned long protection;
};

/*
 * zones: those with managed pages, in the file's order. sum: over all of
 * them, its name "all" and its node -1.
 */
struct zoneinfo {
	int nr;
	struct zone zones[ZONEINFO_MAX];
	struct zone sum;
};

int zoneinfo_parse(const char *text, struct zoneinfo *info);
int zoneinfo_read(struct zoneinfo *info);

/*
 * Whether each node has a zone with free pages over that watermark. This is
 * what kswapd asks of high before it sleeps: that other zones of the node are
 * below it is no shortage.
 */
bool zoneinfo_over_high(const struct zoneinfo *info);
bool zoneinfo_over_low(const struct zoneinfo *info);
bool zoneinfo_over_min(const struct zoneinfo *info);

#endif /* CTL_ZONEINFO_H */
