// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl metrics: prints the counters in Prometheus' text format, 0.0.4.
 * The format groups samples by metric, so all values are read before printing.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "files.h"
#include "memory.h"
#include "out.h"
#include "reserve.h"
#include "swaps.h"
#include "sysfs.h"

const char help_metrics[] =
	"Usage: ballastctl metrics\n"
	"Print the counters of disks and reserves for Prometheus. For the textfile\n"
	"collector of node_exporter run this from a timer:\n"
	"\n"
	"  cd /var/lib/prometheus/node-exporter\n"
	"  ballastctl metrics > ballast.prom.new && mv ballast.prom.new ballast.prom\n"
	"\n"
	"ballast_up is 0 if the module is not loaded.\n";

struct disk_sample {
	struct disk disk;
	struct swap swap; /* size 0: the disk is not a swap */
	long long encrypted;
};

static struct disk_sample *disks;
static struct reserve *reserves;
static size_t nr_disks, nr_reserves;
static bool no_memory; /* some are missing from the arrays */

static void *one_more(void *array, size_t nr, size_t size)
{
	void *more = reallocarray(array, nr + 1, size);

	if (!more)
		no_memory = true;
	return more;
}

static bool add_disk(const struct disk *disk, void *data)
{
	struct disk_sample *more = one_more(disks, nr_disks, sizeof(*disks));
	struct disk_sample *next;

	(void)data;
	if (!more)
		return false;
	disks = more;
	next = &disks[nr_disks++];
	next->disk = *disk;
	if (!swap_find(disk->name, &next->swap))
		memset(&next->swap, 0, sizeof(next->swap));
	next->encrypted = next->swap.encrypted;
	return true;
}

static bool add_reserve(const char *name, void *data)
{
	struct reserve *more =
		one_more(reserves, nr_reserves, sizeof(*reserves));
	struct reserve *next;

	(void)data;
	if (!more)
		return false;
	reserves = more;
	next = &reserves[nr_reserves];
	if (reserve_open(next, name))
		return true;
	if (!reserve_read(next))
		nr_reserves++;
	reserve_close(next);
	return true;
}

static void head(const char *name, const char *type, const char *help)
{
	out("# HELP ballast_%s %s\n# TYPE ballast_%s %s\n", name, help, name,
	    type);
}

/* A label's value: escapes backslash, quote and newline; always valid UTF-8. */
static void label_value(const char *text)
{
	size_t len;

	for (; *text; text += len ? len : 1) {
		len = utf8_length(text);
		if (!len)
			out("\xef\xbf\xbd"); /* U+FFFD */
		else if (*text == '\\' || *text == '"')
			out("\\%c", *text);
		else if (*text == '\n')
			out("\\n");
		else
			out_bytes(text, len);
	}
}

/* Of this program, of the kernel, and of the module that is loaded. */
static void build_info(void)
{
	char kernel[128], module[64];

	file_value(kernel, sizeof(kernel), "/proc/sys/kernel/osrelease");
	file_value(module, sizeof(module), "/sys/module/ballast/version");
	head("build_info", "gauge",
	     "Versions of ballastctl, the kernel and the loaded module; always 1.");
	out("ballast_build_info{version=\"" BALLAST_VERSION "\",kernel=\"");
	label_value(kernel);
	out("\",module=\"");
	label_value(module);
	out("\"} 1\n");
}

static void disk_label(const struct disk_sample *disk)
{
	out("disk=\"%s\"", disk->disk.name);
}

/* Milliseconds as seconds, without rounding errors of floating point. */
static void seconds(unsigned long long ms)
{
	out(" %llu.%03llu\n", ms / 1000, ms % 1000);
}

static void disk_infos(void)
{
	static const char *const states[] = {
		"live",
		"reconnecting",
		"failed",
		"detaching",
	};
	const struct disk_sample *disk;
	size_t i;

	head("disk_info", "gauge", "Properties of a disk; always 1.");
	for (disk = disks; disk < disks + nr_disks; disk++) {
		out("ballast_disk_info{");
		disk_label(disk);
		out(",server=\"");
		label_value(disk->disk.server);
		out("\",export=\"");
		label_value(disk->disk.export);
		out("\",interface=\"");
		label_value(disk->disk.interface);
		out("\"} 1\n");
	}
	head("disk_state", "gauge", "1 for the current state of a disk.");
	for (disk = disks; disk < disks + nr_disks; disk++) {
		for (i = 0; i < ARRAY_SIZE(states); i++) {
			out("ballast_disk_state{");
			disk_label(disk);
			out(",state=\"%s\"} %d\n", states[i],
			    !strcmp(disk->disk.state, states[i]));
		}
	}
}

/* A number of type long long, or unsigned long long, in struct disk_sample. */
#define OF_DISK(member) offsetof(struct disk_sample, member)

static const struct {
	const char *name, *type, *help;
	size_t offset;
	int factor;
} disk_metrics[] = {
	{ "disk_size_bytes", "gauge", "Size of a disk.", OF_DISK(disk.sectors),
	  512 },
	{ "disk_readonly", "gauge", "1 if a disk is read-only.",
	  OF_DISK(disk.readonly), 1 },
	{ "disk_connections", "gauge",
	  "TCP connections that a disk is configured for.",
	  OF_DISK(disk.connections), 1 },
	{ "disk_inflight_requests", "gauge", "Requests without a reply.",
	  OF_DISK(disk.inflight), 1 },
	{ "disk_reconnects_total", "counter", "Reconnects since the attach.",
	  OF_DISK(disk.reconnects), 1 },
	{ "disk_verified_blocks_total", "counter",
	  "Blocks read back and right before a reconnect.",
	  OF_DISK(disk.verified), 1 },
	{ "disk_verify_errors_total", "counter",
	  "Connections refused by the verification.",
	  OF_DISK(disk.verify_errors), 1 },
	{ "disk_fences", "gauge",
	  "Old connections that may still execute writes.",
	  OF_DISK(disk.fences), 1 },
	{ "disk_fences_held_requests", "gauge",
	  "Answered requests that wait for an old connection.",
	  OF_DISK(disk.fences_held), 1 },
	{ "disk_fences_expired_total", "counter",
	  "Old connections that had not ended after fence= seconds.",
	  OF_DISK(disk.fences_expired), 1 },
	{ "disk_flushes_total", "counter", "Flushes completed.",
	  OF_DISK(disk.stat.flushes), 1 },
	{ "disk_swap_size_bytes", "gauge",
	  "Size of the swap on a disk; 0 if it is not a swap.",
	  OF_DISK(swap.size_kib), 1024 },
	{ "disk_swap_used_bytes", "gauge", "Swap in use on a disk.",
	  OF_DISK(swap.used_kib), 1024 },
	{ "disk_swap_encrypted", "gauge",
	  "1 if the swap on a disk is encrypted.", OF_DISK(encrypted), 1 },
};

static void disk_numbers(void)
{
	const struct disk_sample *disk;
	long long value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(disk_metrics); i++) {
		head(disk_metrics[i].name, disk_metrics[i].type,
		     disk_metrics[i].help);
		for (disk = disks; disk < disks + nr_disks; disk++) {
			value = *(const long long *)((const char *)disk +
						     disk_metrics[i].offset) *
				disk_metrics[i].factor;
			if (value < 0)
				continue; /* the module does not know it */
			out("ballast_%s{", disk_metrics[i].name);
			disk_label(disk);
			out("} %lld\n", value);
		}
	}
}

static void disk_io(void)
{
	static const char *const directions[] = { "read", "write" };
	const struct disk_sample *disk;
	int i;

	head("disk_requests_total", "counter", "Requests completed.");
	for (disk = disks; disk < disks + nr_disks; disk++)
		for (i = DISK_READ; i <= DISK_WRITTEN; i++)
			out("ballast_disk_requests_total{disk=\"%s\",direction=\"%s\"} %llu\n",
			    disk->disk.name, directions[i],
			    disk->disk.stat.requests[i]);
	head("disk_bytes_total", "counter", "Bytes read and written.");
	for (disk = disks; disk < disks + nr_disks; disk++)
		for (i = DISK_READ; i <= DISK_WRITTEN; i++)
			out("ballast_disk_bytes_total{disk=\"%s\",direction=\"%s\"} %llu\n",
			    disk->disk.name, directions[i],
			    disk->disk.stat.sectors[i] * 512);
	head("disk_request_seconds_total", "counter",
	     "Sum of the latencies of completed requests.");
	for (disk = disks; disk < disks + nr_disks; disk++) {
		for (i = DISK_READ; i <= DISK_WRITTEN; i++) {
			out("ballast_disk_request_seconds_total{disk=\"%s\",direction=\"%s\"}",
			    disk->disk.name, directions[i]);
			seconds(disk->disk.stat.ms[i]);
		}
	}
}

enum unit { NUMBER, PAGES, MILLISECONDS };

static const struct {
	enum reserve_field field;
	enum unit unit;
	const char *name, *type, *help;
} reserve_metrics[] = {
	{ RESERVE_SIZE, PAGES, "reserve_size_bytes", "gauge",
	  "Size of an interface's reserve, lent blocks included." },
	{ RESERVE_AVAILABLE, PAGES, "reserve_available_bytes", "gauge",
	  "Memory in the reserve now." },
	{ RESERVE_LENT, PAGES, "reserve_lent_bytes", "gauge",
	  "Memory lent to the page allocator now." },
	{ RESERVE_PACKET_LIMIT, NUMBER, "reserve_packet_limit", "gauge",
	  "Packets that the reserve is sized for; 0: no disk, only a filter." },
	{ RESERVE_LEND_BELOW, PAGES, "reserve_lend_below_bytes", "gauge",
	  "Headroom below which blocks are lent." },
	{ RESERVE_IN_USE, NUMBER, "reserve_in_use", "gauge",
	  "1 while the machine's reserves are in use." },
	{ RESERVE_GRADE, NUMBER, "reserve_grade", "gauge",
	  "How short of memory the machine is: 0 calm, 1 tight, 2 critical." },
	{ RESERVE_ACTIVATIONS, NUMBER, "reserve_activations_total", "counter",
	  "How often the machine's reserves came into use." },
	{ RESERVE_IN_USE_MS, MILLISECONDS, "reserve_in_use_seconds_total",
	  "counter", "How long the machine's reserves were in use." },
	{ RESERVE_CRITICAL_MS, MILLISECONDS, "reserve_critical_seconds_total",
	  "counter", "How long the grade was critical." },
	{ RESERVE_KEPT, NUMBER, "reserve_kept_packets_total", "counter",
	  "Packets that passed the filter while the reserve was in use." },
	{ RESERVE_ALLOWED, NUMBER, "reserve_allowed_packets_total", "counter",
	  "Kept packets that passed within the budget of their class." },
	{ RESERVE_UNRELATED, NUMBER, "reserve_unrelated_packets_total",
	  "counter", "Kept packets that are unrelated to block I/O." },
	{ RESERVE_PFMEMALLOC, NUMBER, "reserve_pfmemalloc_packets_total",
	  "counter",
	  "Packets received in memory of the kernel's emergency reserves." },
	{ RESERVE_DROPPED_BYTES, NUMBER, "reserve_dropped_bytes_total",
	  "counter", "Bytes of the packets that the filter dropped." },
	{ RESERVE_LENDS, NUMBER, "reserve_lends_total", "counter",
	  "Blocks lent." },
	{ RESERVE_REFILLS, NUMBER, "reserve_refills_total", "counter",
	  "Blocks taken back." },
	{ RESERVE_RESCUES, NUMBER, "reserve_rescues_total", "counter",
	  "How often no packet arrived and the whole reserve was lent." },
};

static void reserve_numbers(void)
{
	const struct reserve *reserve;
	long long value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reserve_metrics); i++) {
		head(reserve_metrics[i].name, reserve_metrics[i].type,
		     reserve_metrics[i].help);
		for (reserve = reserves; reserve < reserves + nr_reserves;
		     reserve++) {
			value = reserve->value[reserve_metrics[i].field];
			if (value == RESERVE_ABSENT)
				continue;
			out("ballast_%s{interface=\"", reserve_metrics[i].name);
			label_value(reserve->name);
			out("\"}");
			if (reserve_metrics[i].unit == MILLISECONDS)
				seconds(value);
			else if (reserve_metrics[i].unit == PAGES)
				out(" %lld\n", value * memory_page_size());
			else
				out(" %lld\n", value);
		}
	}
}

static void reserve_drops(void)
{
	const struct reserve *reserve;
	int i;

	head("reserve_dropped_packets_total", "counter",
	     "Packets that the filter dropped, by reason.");
	for (reserve = reserves; reserve < reserves + nr_reserves; reserve++) {
		for (i = RESERVE_DROPPED_FIRST; i <= RESERVE_DROPPED_LAST;
		     i++) {
			if (reserve->value[i] == RESERVE_ABSENT)
				continue;
			out("ballast_reserve_dropped_packets_total{interface=\"");
			label_value(reserve->name);
			out("\",reason=\"%s\"} %lld\n", reserve_reason_word(i),
			    reserve->value[i]);
		}
	}
}

static void memory_numbers(void)
{
	struct memory memory;
	long long page = memory_page_size();

	if (memory_open() || memory_read(&memory))
		return;
	head("memory_free_bytes", "gauge", "Free memory, over all zones.");
	out("ballast_memory_free_bytes %lld\n", memory.free * page);
	head("memory_watermark_bytes", "gauge",
	     "Watermarks of free memory, over all zones.");
	out("ballast_memory_watermark_bytes{watermark=\"min\"} %lld\n",
	    memory.min * page);
	out("ballast_memory_watermark_bytes{watermark=\"low\"} %lld\n",
	    memory.low * page);
	out("ballast_memory_watermark_bytes{watermark=\"high\"} %lld\n",
	    memory.high * page);
}

int cmd_metrics(int argc, char **argv)
{
	if (argc > 1)
		return usage_error("%.200s: metrics takes no argument",
				   argv[1]);
	disk_each_read(NULL, add_disk, NULL);
	reserve_each(add_reserve, NULL);
	/* Prometheus would take a missing disk for a detached one. */
	if (no_memory)
		return failure("no memory for all disks and interfaces");
	head("up", "gauge", "1 if the module is loaded.");
	out("ballast_up %d\n", file_exists(SYSFS_CLASS));
	build_info();
	disk_infos();
	disk_numbers();
	disk_io();
	reserve_numbers();
	reserve_drops();
	memory_numbers();
	free(disks);
	free(reserves);
	return out_flush();
}
