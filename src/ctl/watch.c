// SPDX-License-Identifier: GPL-2.0
/*
 * Samples disks, reserves and memory repeatedly. The files stay open, so that
 * sampling works when no memory is left.
 */
#include "watch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guard.h"

double watch_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

double watch_rate(const struct watch *watch, double now, double before)
{
	/* A counter that was reset has no rate. */
	if (watch->seconds <= 0 || now < before)
		return 0;
	return (now - before) / watch->seconds;
}

void watch_rate_disk(const struct watch *watch, const struct watched_disk *disk,
		     struct disk_rates *rates)
{
	const struct disk_stat *now = &disk->disk.stat, *before = &disk->before;
	double requests = 0, ms = 0;
	int i;

	for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
		rates->requests[i] = watch_rate(watch, now->requests[i],
						before->requests[i]);
		rates->bytes[i] = 512 * watch_rate(watch, now->sectors[i],
						   before->sectors[i]);
		requests += now->requests[i] - before->requests[i];
		ms += now->ms[i] - before->ms[i];
	}
	rates->latency = requests > 0 ? ms / requests : -1;
}

static bool meet_disk(const char *name, void *data)
{
	struct watch *watch = data;
	struct watched_disk *next = &watch->disks[watch->nr_disks];
	int i;

	for (i = 0; i < watch->nr_disks; i++)
		if (!strcmp(watch->disks[i].disk.name, name))
			return true;
	if (watch->nr_disks == WATCH_MAX) {
		watch->incomplete = true;
		return false;
	}
	if (!disk_open(&next->disk, name)) {
		next->fresh = true;
		watch->nr_disks++;
	}
	return true;
}

static bool meet_reserve(const char *name, void *data)
{
	struct watch *watch = data;
	struct watched_reserve *next = &watch->reserves[watch->nr_reserves];
	int i;

	for (i = 0; i < watch->nr_reserves; i++)
		if (!strcmp(watch->reserves[i].reserve.name, name))
			return true;
	if (watch->nr_reserves == WATCH_MAX) {
		watch->incomplete = true;
		return false;
	}
	if (!reserve_open(&next->reserve, name)) {
		next->fresh = true;
		watch->nr_reserves++;
	}
	return true;
}

static bool meet_guard(const struct guard *guard, void *data)
{
	struct watch *watch = data;
	size_t len = strlen(watch->guarded);

	snprintf(watch->guarded + len, sizeof(watch->guarded) - len, " %s",
		 guard->name);
	return true;
}

/* Opens files, which needs memory; but so does attaching a disk. */
static void meet(struct watch *watch)
{
	watch->incomplete = false;
	watch->guarded[0] = '\0';
	guard_each(meet_guard, watch);
	disk_each(meet_disk, watch);
	reserve_each(meet_reserve, watch);
}

static void look_at_disks(struct watch *watch)
{
	struct watched_disk *at;
	int i, kept = 0;

	for (i = 0; i < watch->nr_disks; i++) {
		at = &watch->disks[i];
		at->before = at->disk.stat;
		if (disk_read(&at->disk)) {
			disk_close(&at->disk);
			continue;	/* it was detached */
		}
		if (at->fresh)
			at->before = at->disk.stat;
		at->fresh = false;
		if (kept != i)
			watch->disks[kept] = *at;
		kept++;
	}
	watch->nr_disks = kept;
}

static void look_at_reserves(struct watch *watch)
{
	struct watched_reserve *at;
	int i, kept = 0;

	for (i = 0; i < watch->nr_reserves; i++) {
		at = &watch->reserves[i];
		memcpy(at->before, at->reserve.value, sizeof(at->before));
		if (reserve_read(&at->reserve)) {
			reserve_close(&at->reserve);
			continue;
		}
		if (at->fresh)
			memcpy(at->before, at->reserve.value,
			       sizeof(at->before));
		at->fresh = false;
		if (kept != i)
			watch->reserves[kept] = *at;
		kept++;
	}
	watch->nr_reserves = kept;
}

void watch_look(struct watch *watch)
{
	double now = watch_clock();
	bool first = !watch->looked_at;

	watch->seconds = now - watch->looked_at;
	watch->looked_at = now;
	if (memory_read(&watch->memory))
		memset(&watch->memory, 0, sizeof(watch->memory));
	if (first || watch->memory.free > watch->memory.high)
		meet(watch);
	look_at_disks(watch);
	look_at_reserves(watch);
}
