/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of "ballastctl doctor" share: the report and the checks. */
#ifndef BALLASTCTL_DOCTOR_H
#define BALLASTCTL_DOCTOR_H

#include <stdbool.h>

#include "ballastctl.h"
#include "zoneinfo.h"

/* The values are what doctor exits with. */
enum severity {
	HEALTHY = 0,
	ADVICE = 1,
	SERIOUS = 2,
};

#define FINDING_COMMANDS 3

struct finding {
	const char *id;		/* stays from release to release */
	enum severity severity;
	char what[256];
	char figures[512];
	char why[512];
	char commands[FINDING_COMMANDS][256];
	int nr_commands;
};

/*
 * A finding, to be filled in by the three below it. Never NULL: what there is
 * no room for is counted, and goes nowhere.
 */
struct finding *found(const char *id, enum severity severity,
		      const char *format, ...) __printf(3, 4);

/* The figures that it rests on; called again: more of them. */
void figures(struct finding *finding, const char *format, ...)
	__printf(2, 3);
void why(struct finding *finding, const char *format, ...) __printf(2, 3);
/* A command that cures it, one after the other as they are to be run. */
void command(struct finding *finding, const char *format, ...)
	__printf(2, 3);

/* Something that could not be looked at, and for what reason. */
void not_looked_at(const char *format, ...) __printf(1, 2);

enum severity report_severity(void);
/* @zones: beside the findings, NULL if they are not known. */
void report_text(const struct zoneinfo *zones);
void report_json(const struct zoneinfo *zones);

/* Figures of /proc/vmstat about reclaim, as "sar -B" has them. */
struct reclaim {
	long long kswapd;	/* pages scanned by kswapd */
	long long direct;	/* pages scanned by who wanted memory */
	long long stolen;	/* pages freed by either */
	long long stalls;	/* allocations that had to */
};

int reclaim_read(struct reclaim *reclaim);

struct netdisks;

/* The checks. @seconds: 0: since boot, else over that many from now on. */
void check_min_free(void);
void check_zones(const struct zoneinfo *zones);
void check_reclaim(int seconds);
void check_sockets(void);
void check_kernel_log(const struct netdisks *disks);
void check_netdisks(const struct netdisks *disks);
void check_interfaces(const struct netdisks *disks);

#endif
