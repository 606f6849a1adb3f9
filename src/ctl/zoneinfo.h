/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/zoneinfo: each zone's watermarks as the kernel really has them. */
#ifndef CTL_ZONEINFO_H
#define CTL_ZONEINFO_H

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
int zoneinfo_is_dma(const struct zone *zone);

#endif /* CTL_ZONEINFO_H */
