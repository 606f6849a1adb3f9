/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the parts of "ballastctl doctor": the report and the checks. */
#ifndef BALLASTCTL_DOCTOR_H
#define BALLASTCTL_DOCTOR_H

#include <stdbool.h>

#include "ballastctl.h"
#include "zoneinfo.h"

/* The values are doctor's exit status. */
enum severity {
	HEALTHY = 0,
	ADVICE = 1,
	SERIOUS = 2,
};

#define FINDING_COMMANDS 3

struct finding {
	const char *id;		/* the same in every release */
	enum severity severity;
	char what[256];
	char figures[512];
	char why[512];
	char commands[FINDING_COMMANDS][256];
	int nr_commands;
};

/*
 * Add a finding; figures(), why() and command() fill it in. Never returns
 * NULL: a finding beyond the limit is counted, and its text is not shown.
 */
struct finding *found(const char *id, enum severity severity,
		      const char *format, ...) __printf(3, 4);

/* Add figures that the finding is based on; can be called several times. */
void figures(struct finding *finding, const char *format, ...)
	__printf(2, 3);
void why(struct finding *finding, const char *format, ...) __printf(2, 3);
/* Add a command that fixes it; the report lists them in this order. */
void command(struct finding *finding, const char *format, ...)
	__printf(2, 3);

/* Report something that could not be checked, with the reason. */
void not_looked_at(const char *format, ...) __printf(1, 2);

enum severity report_severity(void);
/* @zones: printed with the findings; NULL if they are not known. */
void report_text(const struct zoneinfo *zones);
void report_json(const struct zoneinfo *zones);

/* Counters of reclaim in /proc/vmstat, as in "sar -B". */
struct reclaim {
	long long kswapd;	/* pages scanned by kswapd */
	long long direct;	/* pages scanned by allocating processes */
	long long stolen;	/* pages freed by either */
	long long stalls;	/* allocations that had to reclaim */
};

int reclaim_read(struct reclaim *reclaim);

struct netdisks;

/* The checks. @seconds: 0: since boot; else over that many seconds from now. */
void check_min_free(void);
void check_zones(const struct zoneinfo *zones);
void check_reclaim(int seconds);
void check_sockets(void);
void check_kernel_log(const struct netdisks *disks);
void check_netdisks(const struct netdisks *disks);
void check_interfaces(const struct netdisks *disks);
void check_captures(const struct netdisks *disks, const struct zoneinfo *zones);
void check_mounts(const struct netdisks *disks);
void check_fstab(const struct netdisks *disks);
void check_managers(const struct netdisks *disks);

#endif
