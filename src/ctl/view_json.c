// SPDX-License-Identifier: GPL-2.0
/*
 * The output of "top --json": one line for each sample. It does not allocate
 * memory.
 */
#include <stdio.h>

#include "json.h"
#include "view.h"

static void json_disk(const struct watch *watch,
		      const struct watched_disk *disk)
{
	static const char *const requests[] = {
		"read_requests_per_second",
		"written_requests_per_second",
	};
	static const char *const bytes[] = {
		"read_bytes_per_second",
		"written_bytes_per_second",
	};
	struct disk_rates rates;
	int i;

	watch_rate_disk(watch, disk, &rates);
	json_begin(NULL, '{');
	json_text("name", disk->disk.name);
	json_text(BALLAST_FILE_STATE, disk->disk.state);
	json_number(BALLAST_FILE_INFLIGHT, disk->disk.inflight);
	for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
		json_real(requests[i], rates.requests[i]);
		json_real(bytes[i], rates.bytes[i]);
	}
	if (rates.latency >= 0)
		json_real("latency_ms", rates.latency);
	else
		json_null("latency_ms");
	json_end('}');
}

static void rate(const struct watch *watch,
		 const struct watched_reserve *reserve,
		 enum reserve_field field)
{
	char key[64];

	if (reserve->reserve.value[field] == RESERVE_ABSENT)
		return;
	snprintf(key, sizeof(key), "%s_per_second", reserve_files[field]);
	json_real(key, watch_rate(watch, reserve->reserve.value[field],
				  reserve->before[field]));
}

static void json_reserve(const struct watch *watch,
			 const struct watched_reserve *reserve)
{
	const long long *value = reserve->reserve.value;
	int i;

	json_begin(NULL, '{');
	json_text("name", reserve->reserve.name);
	json_text(reserve_files[RESERVE_GRADE],
		  reserve_grade_name(&reserve->reserve));
	json_number(reserve_files[RESERVE_SIZE], value[RESERVE_SIZE]);
	json_number(reserve_files[RESERVE_LENT], value[RESERVE_LENT]);
	rate(watch, reserve, RESERVE_KEPT);
	rate(watch, reserve, RESERVE_DROPPED);
	for (i = RESERVE_DROPPED_FIRST; i <= RESERVE_DROPPED_LAST; i++)
		rate(watch, reserve, i);
	json_end('}');
}

void view_json(const struct watch *watch, double time)
{
	int i;

	json_begin(NULL, '{');
	json_real("time", time);
	json_real("seconds", watch->seconds);
	json_bool("incomplete", watch->incomplete);
	memory_json(&watch->memory);
	json_begin("disks", '[');
	for (i = 0; i < watch->nr_disks; i++)
		json_disk(watch, &watch->disks[i]);
	json_end(']');
	json_begin("reserves", '[');
	for (i = 0; i < watch->nr_reserves; i++)
		json_reserve(watch, &watch->reserves[i]);
	json_end(']');
	json_end('}');
}
