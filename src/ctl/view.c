// SPDX-License-Identifier: GPL-2.0
/*
 * The output of "top". It does not allocate memory.
 */
#include "view.h"

#include <stdio.h>

#include "out.h"

#define BAR_MAX 160
#define LINE_BAR 40
#define END "\033[K\n"	/* clears the rest of the line */

static double rate_field(const struct watch *watch,
			 const struct watched_reserve *reserve,
			 enum reserve_field field)
{
	return watch_rate(watch, reserve->reserve.value[field],
			  reserve->before[field]);
}

/*
 * A bar of free memory, from 0 to four times the high watermark, with a mark
 * at each watermark:
 * [####|##|..|............]
 */
static void draw_bar(const struct memory *memory, int width)
{
	const long long marks[] = { memory->min, memory->low, memory->high };
	long long scale = memory->high > 0 ? 4 * memory->high : 1;
	char bar[BAR_MAX + 1];
	size_t i;
	int at;

	if (width > BAR_MAX)
		width = BAR_MAX;
	for (at = 0; at < width; at++)
		bar[at] = memory->free * width > at * scale ? '#' : '.';
	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (marks[i] >= 0 && marks[i] < scale)
			bar[marks[i] * width / scale] = '|';
	if (memory->free > scale)
		bar[width - 1] = '>';
	bar[width] = '\0';
	out("[%s]", bar);
}

static void draw_memory(const struct watch *watch, int width)
{
	const struct memory *memory = &watch->memory;
	double page = memory_page_size();

	out("memory free %.1f MiB; watermarks: min %.1f, low %.1f, high %.1f MiB" END,
	    mib(memory->free * page), mib(memory->min * page),
	    mib(memory->low * page), mib(memory->high * page));
	draw_bar(memory, width - 3);	/* the last column would wrap */
	out(END END);
}

static void draw_disk(const struct watch *watch,
		      const struct watched_disk *disk)
{
	struct disk_rates rates;
	char latency[16] = "-";

	watch_rate_disk(watch, disk, &rates);
	if (rates.latency >= 0)
		snprintf(latency, sizeof(latency), "%.1f", rates.latency);
	out("%-12s %-12s %8.0f %7.2f %8.0f %7.2f %8s %8lld" END,
	    disk->disk.name, disk->disk.state, rates.requests[DISK_READ],
	    mib(rates.bytes[DISK_READ]), rates.requests[DISK_WRITTEN],
	    mib(rates.bytes[DISK_WRITTEN]), latency, disk->disk.inflight);
}

static void draw_reserve(const struct watch *watch,
			 const struct watched_reserve *reserve)
{
	const long long *value = reserve->reserve.value;
	int i;

	out("%-11s %-5.5s %5lld %5lld %6.0f %6.0f", reserve->reserve.name,
	    reserve_grade_name(&reserve->reserve), value[RESERVE_SIZE],
	    value[RESERVE_LENT], rate_field(watch, reserve, RESERVE_KEPT),
	    rate_field(watch, reserve, RESERVE_DROPPED));
	for (i = RESERVE_DROPPED_FIRST; i <= RESERVE_DROPPED_LAST; i++)
		out(" %5.0f", rate_field(watch, reserve, i));
	out(END);
}

/* The number of lines to show of @nr if @room lines are left; at least one. */
static int at_most(int nr, int room)
{
	if (room < 1)
		room = 1;
	return nr < room ? nr : room;
}

void view_screen(const struct watch *watch, const char *time, int width,
		 int height)
{
	int disks = at_most(watch->nr_disks, height - 9);
	int reserves = at_most(watch->nr_reserves, height - 8 - disks);
	int i;

	out("\033[Hballastctl top - %s%s, q ends%s%s" END END, time,
	    watch->incomplete ? " - not all disks and reserves are shown" : "",
	    *watch->guarded ? " - guarded:" : "", watch->guarded);
	draw_memory(watch, width);
	out("%-12s %-12s %8s %7s %8s %7s %8s %8s" END, "DISK", "STATE",
	    "READ/s", "MiB/s", "WRITE/s", "MiB/s", "LAT/ms", "INFLIGHT");
	for (i = 0; i < disks; i++)
		draw_disk(watch, &watch->disks[i]);
	/* The last six columns are drops by reason. */
	out(END "%-11s %-5s %5s %5s %6s %6s %5s %5s %5s %5s %5s %5s" END,
	    "RESERVE", "GRADE", "PAGES", "LENT", "KEPT/s", "DROP/s", "SOCK",
	    "PROTO", "FRAG", "BUDG", "LIMIT", "MALF");
	for (i = 0; i < reserves; i++)
		draw_reserve(watch, &watch->reserves[i]);
	out("\033[J");
}

static void line_of_disk(const struct watch *watch, const char *time,
			 const struct watched_disk *disk)
{
	struct disk_rates rates;

	watch_rate_disk(watch, disk, &rates);
	out("%s disk %s %s read %.0f/s %.2f MiB/s write %.0f/s %.2f MiB/s ",
	    time, disk->disk.name, disk->disk.state, rates.requests[DISK_READ],
	    mib(rates.bytes[DISK_READ]), rates.requests[DISK_WRITTEN],
	    mib(rates.bytes[DISK_WRITTEN]));
	if (rates.latency >= 0)
		out("latency %.1f ms ", rates.latency);
	else
		out("latency - ms ");
	out("inflight %lld\n", disk->disk.inflight);
}

static void line_of_reserve(const struct watch *watch, const char *time,
			    const struct watched_reserve *reserve)
{
	const long long *value = reserve->reserve.value;
	int i;

	out("%s reserve %s %s size %lld lent %lld kept %.0f/s dropped %.0f/s",
	    time, reserve->reserve.name, reserve_grade_name(&reserve->reserve),
	    value[RESERVE_SIZE], value[RESERVE_LENT],
	    rate_field(watch, reserve, RESERVE_KEPT),
	    rate_field(watch, reserve, RESERVE_DROPPED));
	for (i = RESERVE_DROPPED_FIRST; i <= RESERVE_DROPPED_LAST; i++)
		out(" %s %.0f/s", reserve_reason_word(i),
		    rate_field(watch, reserve, i));
	out("\n");
}

void view_lines(const struct watch *watch, const char *time)
{
	const struct memory *memory = &watch->memory;
	double page = memory_page_size();
	int i;

	out("%s memory free %.1f min %.1f low %.1f high %.1f MiB ", time,
	    mib(memory->free * page), mib(memory->min * page),
	    mib(memory->low * page), mib(memory->high * page));
	draw_bar(memory, LINE_BAR);
	out("\n");
	for (i = 0; i < watch->nr_disks; i++)
		line_of_disk(watch, time, &watch->disks[i]);
	for (i = 0; i < watch->nr_reserves; i++)
		line_of_reserve(watch, time, &watch->reserves[i]);
	if (*watch->guarded)
		out("%s guarded%s\n", time, watch->guarded);
}
