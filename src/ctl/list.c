// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl list: prints one line for each disk, and one for each reserve.
 */
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "files.h"
#include "guard.h"
#include "json.h"
#include "out.h"
#include "reserve.h"
#include "swaps.h"

const char help_list[] =
	"Usage: ballastctl list [--json]\n"
	"List the disks and the interfaces' reserves, one line each; print nothing if\n"
	"there is none. Columns of a disk: name, state, size in MiB, requests in flight,\n"
	"MiB of swap in use (- if the disk is not a swap), server, export. Of a reserve:\n"
	"interface, grade (how short of memory the machine is), pages, pages lent,\n"
	"packets it is sized for (0: no disk, only a filter), packets dropped. Then the\n"
	"guarded interfaces, in one line.\n"
	"\n"
	"  --json   print JSON, for programs; status --json has more\n";

struct table {
	bool json;
	bool begun; /* the columns' names were printed */
	bool after; /* another table was printed before */
};

/* Once, before the first line. */
static void heading(struct table *table, const char *text)
{
	if (!table->begun)
		out("%s%s", table->after ? "\n" : "", text);
	table->begun = true;
}

static void print_disk(struct table *table, const struct disk *disk,
		       const struct swap *swap)
{
	char used[24] = "-", names[128];

	snprintf(names, sizeof(names), "%-12s %-12s %10s %9s %10s %-22s %s\n",
		 "DISK", "STATE", "SIZE/MiB", "INFLIGHT", "SWAP/MiB", "SERVER",
		 "EXPORT");
	heading(table, names);
	if (swap)
		snprintf(used, sizeof(used), "%.1f", swap->used_kib / 1024.0);
	out("%-12s %-12s %10.1f %9lld %10s %-22s ", disk->name, disk->state,
	    disk->sectors / 2048.0, disk->inflight, used, disk->server);
	out_text(disk->export);
	out("\n");
}

static void json_disk(const struct disk *disk, const struct swap *swap)
{
	json_begin(NULL, '{');
	json_text("name", disk->name);
	json_text(BALLAST_FILE_SERVER, disk->server);
	json_text(BALLAST_FILE_EXPORT, disk->export);
	json_text(BALLAST_FILE_STATE, disk->state);
	json_number(BALLAST_FILE_INFLIGHT, disk->inflight);
	json_number("size_bytes", disk->sectors * 512);
	swap_json(swap);
	json_end('}');
}

static bool list_disk(const struct disk *disk, void *data)
{
	struct table *table = data;
	struct swap swap;
	bool swapped = swap_find(disk->name, &swap);

	if (table->json)
		json_disk(disk, swapped ? &swap : NULL);
	else
		print_disk(table, disk, swapped ? &swap : NULL);
	return true;
}

static void print_reserve(struct table *table, const struct reserve *reserve)
{
	const long long *value = reserve->value;
	char names[128];

	snprintf(names, sizeof(names), "%-12s %-12s %10s %9s %10s %s\n",
		 "RESERVE", "GRADE", "PAGES", "LENT", "PACKETS", "DROPPED");
	heading(table, names);
	out("%-12s %-12s %10lld %9lld %10lld %lld\n", reserve->name,
	    reserve_grade_name(reserve), value[RESERVE_SIZE],
	    value[RESERVE_LENT], value[RESERVE_PACKET_LIMIT],
	    value[RESERVE_DROPPED]);
}

static void json_reserve(const struct reserve *reserve)
{
	static const enum reserve_field fields[] = {
		RESERVE_SIZE,
		RESERVE_LENT,
		RESERVE_PACKET_LIMIT,
		RESERVE_DROPPED,
	};
	size_t i;

	json_begin(NULL, '{');
	json_text("name", reserve->name);
	json_text(reserve_files[RESERVE_GRADE], reserve_grade_name(reserve));
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		json_number(reserve_files[fields[i]],
			    reserve->value[fields[i]]);
	json_end('}');
}

static bool list_reserve(const char *name, void *data)
{
	static struct reserve reserve;
	struct table *table = data;

	if (reserve_open(&reserve, name))
		return true;
	if (!reserve_read(&reserve)) {
		if (table->json)
			json_reserve(&reserve);
		else
			print_reserve(table, &reserve);
	}
	reserve_close(&reserve);
	return true;
}

int cmd_list(int argc, char **argv)
{
	struct table disks = { 0 }, reserves = { 0 };

	if (argc > 1 && strcmp(argv[1], "--json"))
		return usage_error("%.200s: no such option; see ballastctl list --help",
				   argv[1]);
	if (argc > 2)
		return usage_error("%.200s: list takes no more than --json",
				   argv[2]);
	disks.json = reserves.json = argc > 1;
	if (disks.json) {
		json_begin(NULL, '{');
		json_begin("disks", '[');
	}
	disk_each_read(NULL, list_disk, &disks);
	reserves.after = disks.begun;
	if (disks.json) {
		json_end(']');
		json_begin("reserves", '[');
	}
	reserve_each(list_reserve, &reserves);
	if (disks.json) {
		json_end(']');
		json_end('}');
	} else {
		guard_print();
	}
	return out_flush();
}
