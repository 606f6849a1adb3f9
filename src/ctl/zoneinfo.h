/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/zoneinfo: each zone's watermarks as the kernel uses them. */
#ifndef CTL_ZONEINFO_H
#define CTL_ZONEINFO_H

#include <stdbool.h>

/* Zones that have memory; at most 5 per node, usually 3 on the first. */
#define ZONEINFO_MAX	128

/* All in pages. min, low and high include the kernel's boost. */
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
	 * Pages that an allocation which prefers a higher zone has to leave
	 * here, in addition to a watermark: the largest "protection".
	 */
	unsigned long protection;
};

/*
 * zones: zones with managed pages, in the file's order. sum: the sums over
 * them, with the name "all" and the node -1.
 */
struct zoneinfo {
	int nr;
	struct zone zones[ZONEINFO_MAX];
	struct zone sum;
};

int zoneinfo_parse(const char *text, struct zoneinfo *info);
int zoneinfo_read(struct zoneinfo *info);

/*
 * Whether each node has a zone with free pages over the watermark. kswapd uses
 * this condition, for high, before it sleeps: zones below the watermark are no
 * shortage if another zone of the node is above it.
 */
bool zoneinfo_over_high(const struct zoneinfo *info);
bool zoneinfo_over_low(const struct zoneinfo *info);
bool zoneinfo_over_min(const struct zoneinfo *info);

#endif /* CTL_ZONEINFO_H */
