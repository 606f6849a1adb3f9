// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl status: prints all that sysfs has about disks and reserves, as
 * text or JSON. It does not allocate: it has to work when no memory is left.
 */
#include <stdio.h>
#include <string.h>

#include "disk.h"
#include "files.h"
#include "guard.h"
#include "json.h"
#include "memory.h"
#include "out.h"
#include "reserve.h"
#include "swaps.h"
#include "sysfs.h"

const char help_status[] =
	"Usage: ballastctl status [DISK|INTERFACE] [--json]\n"
	"Show all that is known of the disks, the reserves and the machine's memory, or\n"
	"of one disk (ballast0, /dev/ballast0) or one interface's reserve (eth0).\n"
	"\n"
	"  --json   print JSON, for programs; the names are those of the files in sysfs,\n"
	"           which docs/sysfs.md describes\n"
	"\n"
	"It works when no memory is left. Exit status: 0; 2 if there is no such disk or\n"
	"reserve.\n";

static bool as_json;

static const char *const directions[] = { "read", "written" };

static void print_verify(const struct disk *disk)
{
	if (!*disk->verify)
		return;
	out("  verify: %s, %lld block%s read back, %lld connection%s refused\n",
	    disk->verify, disk->verified, plural(disk->verified),
	    disk->verify_errors, plural(disk->verify_errors));
	if (!strcmp(disk->verify, "refused"))
		out("  The server does not have the pages that were swapped out to it. Restore the\n"
		    "  server's data; see the kernel log and ballastctl doctor.\n");
}

static void print_fences(const struct disk *disk)
{
	if (disk->fences < 0)
		return;
	out("  fences: %lld old connection%s, %lld waiting request%s, %lld expired\n",
	    disk->fences, plural(disk->fences), disk->fences_held,
	    plural(disk->fences_held), disk->fences_expired);
}

static void print_disk(const struct disk *disk, const struct swap *swap)
{
	const struct disk_stat *stat = &disk->stat;
	unsigned long long n;
	int i;

	out("%s: %s, %.1f MiB%s, server %s, export \"", disk->name,
	    disk->state, mib(disk->sectors * 512.0),
	    disk->readonly ? ", read-only" : "", disk->server);
	out_text(disk->export);
	out("\"\n  connections: %lld by %s, reconnects: %lld\n",
	    disk->connections,
	    disk->interface[0] ? disk->interface : "no interface",
	    disk->reconnects);
	if (swap)
		out("  swap: %.1f MiB of %.1f MiB used, priority %d%s%s%s\n",
		    swap->used_kib / 1024.0, swap->size_kib / 1024.0,
		    swap->priority, swap->encrypted ? ", encrypted" : "",
		    swap->stacked ? ", on " : "",
		    swap->stacked ? swap->path : "");
	print_verify(disk);
	print_fences(disk);
	out("  in flight: %lld request%s\n", disk->inflight,
	    plural(disk->inflight));
	for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
		n = stat->requests[i];
		out("  %s: %llu request%s, %.1f MiB, %.1f ms each\n",
		    directions[i], n, plural(n), mib(stat->sectors[i] * 512.0),
		    n ? (double)stat->ms[i] / n : 0);
	}
	out("  flushed: %llu time%s, %.1f ms each\n", stat->flushes,
	    plural(stat->flushes),
	    stat->flushes ? (double)stat->flush_ms / stat->flushes : 0);
}

static void json_disk(const struct disk *disk, const struct swap *swap)
{
	char key[24];
	int i;

	json_begin(NULL, '{');
	json_text("name", disk->name);
	json_text(BALLAST_FILE_SERVER, disk->server);
	json_text(BALLAST_FILE_EXPORT, disk->export);
	json_text(BALLAST_FILE_STATE, disk->state);
	json_text(BALLAST_FILE_INTERFACE, disk->interface);
	json_number(BALLAST_FILE_CONNECTIONS, disk->connections);
	json_number(BALLAST_FILE_INFLIGHT, disk->inflight);
	json_number(BALLAST_FILE_RECONNECTS, disk->reconnects);
	if (*disk->verify) {
		json_text(BALLAST_FILE_VERIFY, disk->verify);
		json_number(BALLAST_FILE_VERIFIED, disk->verified);
		json_number(BALLAST_FILE_VERIFY_ERRORS, disk->verify_errors);
	}
	if (disk->fences >= 0) {
		json_number(BALLAST_FILE_FENCES, disk->fences);
		json_number(BALLAST_FILE_FENCES_HELD, disk->fences_held);
		json_number(BALLAST_FILE_FENCES_EXPIRED, disk->fences_expired);
	}
	json_number("size_bytes", disk->sectors * 512);
	json_bool("readonly", disk->readonly);
	for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
		snprintf(key, sizeof(key), "%s_requests", directions[i]);
		json_number(key, disk->stat.requests[i]);
		snprintf(key, sizeof(key), "%s_bytes", directions[i]);
		json_number(key, disk->stat.sectors[i] * 512);
		snprintf(key, sizeof(key), "%s_ms", directions[i]);
		json_number(key, disk->stat.ms[i]);
	}
	json_number("flushes", disk->stat.flushes);
	json_number("flush_ms", disk->stat.flush_ms);
	swap_json(swap);
	json_end('}');
}

static long long known(long long value)
{
	return value == RESERVE_ABSENT ? 0 : value;
}

static void print_blocks(const struct reserve *reserve)
{
	const long long *value = reserve->value;

	out("%s: reserve of %lld pages (%.1f MiB) for %lld packets, ",
	    reserve->name, value[RESERVE_SIZE],
	    mib((double)value[RESERVE_SIZE] * memory_page_size()),
	    value[RESERVE_PACKET_LIMIT]);
}

static void print_lending(const struct reserve *reserve)
{
	const long long *value = reserve->value;

	out("  pages: %lld available, %lld lent; lends while headroom is below %lld\n",
	    value[RESERVE_AVAILABLE], value[RESERVE_LENT],
	    value[RESERVE_LEND_BELOW]);
	out("  blocks: %lld lent, %lld taken back; rescues: %lld\n",
	    value[RESERVE_LENDS], value[RESERVE_REFILLS],
	    value[RESERVE_RESCUES]);
}

static void print_reserve(const struct reserve *reserve)
{
	const long long *value = reserve->value;
	int i;

	if (reserve_has_disk(reserve))
		print_blocks(reserve);
	else
		out("%s: no disk, only a filter, ", reserve->name);
	out("%s (%s)\n", value[RESERVE_IN_USE] ? "IN USE" : "not in use",
	    reserve_grade_name(reserve));
	if (reserve_has_disk(reserve))
		print_lending(reserve);
	out("  was in use: %lld time%s, %.1f s, %.1f s of it critical\n",
	    value[RESERVE_ACTIVATIONS], plural(value[RESERVE_ACTIVATIONS]),
	    value[RESERVE_IN_USE_MS] / 1000.0,
	    known(value[RESERVE_CRITICAL_MS]) / 1000.0);
	out("  received in that time: %lld packet%s kept (%lld allowed, %lld unrelated), %lld dropped (%.1f MiB)\n",
	    value[RESERVE_KEPT], plural(value[RESERVE_KEPT]),
	    value[RESERVE_ALLOWED], known(value[RESERVE_UNRELATED]),
	    value[RESERVE_DROPPED], mib(value[RESERVE_DROPPED_BYTES]));
	out("  dropped by reason:");
	for (i = RESERVE_DROPPED_FIRST; i <= RESERVE_DROPPED_LAST; i++)
		out("%s %s %lld", i == RESERVE_DROPPED_FIRST ? "" : ",",
		    reserve_reason(i), known(value[i]));
	out("\n  received from the emergency reserves: %lld packet%s\n",
	    known(value[RESERVE_PFMEMALLOC]),
	    plural(known(value[RESERVE_PFMEMALLOC])));
}

static void json_reserve(const struct reserve *reserve)
{
	int i;

	json_begin(NULL, '{');
	json_text("name", reserve->name);
	for (i = 0; i < RESERVE_NR_FIELDS; i++) {
		if (reserve->value[i] == RESERVE_ABSENT)
			continue;
		if (i == RESERVE_IN_USE)
			json_bool(reserve_files[i], reserve->value[i]);
		else if (i == RESERVE_GRADE)
			json_text(reserve_files[i],
				  reserve_grade_name(reserve));
		else
			json_number(reserve_files[i], reserve->value[i]);
	}
	json_end('}');
}

static bool show_disk(const struct disk *disk, void *data)
{
	struct swap swap;
	bool swapped = swap_find(disk->name, &swap);

	(void)data;
	(as_json ? json_disk : print_disk)(disk, swapped ? &swap : NULL);
	return true;
}

static bool show_reserve(const char *name, void *data)
{
	static struct reserve reserve;

	(void)data;
	if (reserve_open(&reserve, name))
		return true;
	if (!reserve_read(&reserve))
		(as_json ? json_reserve : print_reserve)(&reserve);
	reserve_close(&reserve);
	return true;
}

static bool json_guard(const struct guard *guard, void *data)
{
	(void)data;
	json_text(NULL, guard->name);
	return true;
}

/* Guarded interfaces; the reserves may be on interfaces below them. */
static void show_guard(void)
{
	if (!as_json) {
		guard_print();
		return;
	}
	json_begin("guarded", '[');
	guard_each(json_guard, NULL);
	json_end(']');
}

static void show_memory(void)
{
	struct memory memory;
	double page = memory_page_size();

	if (memory_open() || memory_read(&memory))
		return;
	if (!as_json) {
		out("memory: %.1f MiB free; watermarks: min %.1f, low %.1f, high %.1f MiB\n",
		    mib(memory.free * page), mib(memory.min * page),
		    mib(memory.low * page), mib(memory.high * page));
		return;
	}
	memory_json(&memory);
}

/* Show everything, or the disk or interface that is not NULL. */
static void show(const char *disk, const char *interface)
{
	bool all = !disk && !interface;

	if (as_json) {
		json_begin(NULL, '{');
		json_bool("loaded", file_exists(SYSFS_CLASS));
		json_begin("disks", '[');
	} else if (all && !file_exists(SYSFS_CLASS)) {
		out("the module is not loaded; attach loads it\n");
	}
	if (disk || all)
		disk_each_read(disk, show_disk, NULL);
	if (as_json) {
		json_end(']');
		json_begin("reserves", '[');
	}
	if (interface)
		show_reserve(interface, NULL);
	else if (all)
		reserve_each(show_reserve, NULL);
	if (as_json)
		json_end(']');
	if (all) {
		show_guard();
		show_memory();
	}
	if (as_json)
		json_end('}');
}

int cmd_status(int argc, char **argv)
{
	const char *which = NULL, *name;
	bool disk, reserve;
	int i;

	as_json = false;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			as_json = true;
		else if (argv[i][0] == '-')
			return usage_error("%.200s: no such option", argv[i]);
		else if (which)
			return usage_error("%.200s: only one disk or interface can be given",
					   argv[i]);
		else
			which = argv[i];
	}
	if (!which) {
		show(NULL, NULL);
		return out_flush();
	}
	name = disk_name(which);
	disk = disk_exists(name);
	reserve = name == which && reserve_exists(name);
	if (!disk && !reserve)
		return usage_error("%.200s: neither a disk of ballast nor an interface with a reserve",
				   which);
	show(disk ? name : NULL, reserve ? name : NULL);
	return out_flush();
}
