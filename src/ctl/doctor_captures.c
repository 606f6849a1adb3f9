// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: sockets that capture packets, whose buffers are larger
 * than what the machine keeps free for packets. ballast's filter cannot drop
 * what they receive.
 */
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "captures.h"
#include "doctor.h"
#include "files.h"
#include "interface.h"
#include "netdisk.h"
#include "process.h"
#include "sysfs.h"

/*
 * Smaller buffers do not count: DHCP clients and LLDP daemons use the kernel's
 * default, 208 KiB, and filter what they receive. A machine may have dozens of
 * them.
 */
#define CAPTURE_SMALL (1 << 20)

/*
 * For a burst of packets, a machine that swaps has its reserves and the memory
 * that kswapd keeps free, at most the high watermarks. Larger buffers are a
 * finding; this many times as large, a serious one. On a machine of 256 MiB,
 * where both are 5 MiB, with a server of 60 Mbit/s, a capture that was not read
 * locked up swapping with a buffer of 20 MiB, and did not with 8 MiB, in one
 * run each. With a reserve of 5,500 pages, where both are 24 MiB, it did not
 * with 22 MiB, in 5 of 5 runs.
 */
#define CAPTURES_SERIOUS 2

/* Number of captures that are named, those with the largest buffers. */
#define CAPTURES_NAMED 3

/* The process that has a socket open. */
struct holder {
	unsigned int inode;
	bool found;
	char pid[12];
	char name[32];
};

static bool each_socket(unsigned long inode, void *data)
{
	struct holder *holder = data;

	holder->found = inode == holder->inode;
	return !holder->found;
}

static bool each_process(const char *pid, void *data)
{
	struct holder *holder = data;

	if (isdigit((unsigned char)*pid))
		process_each_socket(pid, each_socket, holder);
	if (!holder->found)
		return true;
	snprintf(holder->pid, sizeof(holder->pid), "%.11s", pid);
	file_value(holder->name, sizeof(holder->name), "/proc/%s/comm", pid);
	return false;
}

static void name_capture(struct finding *f, const struct capture *capture)
{
	struct holder holder = { .inode = capture->inode };
	char name[IF_NAMESIZE] = "all interfaces";

	file_each_name(each_process, &holder, "/proc");
	if (capture->interface && !if_indextoname(capture->interface, name))
		snprintf(name, sizeof(name), "interface %u",
			 capture->interface);
	if (holder.found)
		figures(f, " %s (pid %s)", holder.name, holder.pid);
	else
		figures(f, " A process that was not found");
	figures(f, " on %s: %lld KiB, %lld KiB in use.", name,
		capture->limit >> 10, capture->held >> 10);
}

static int by_limit(const void *a, const void *b)
{
	const struct capture *one = a, *other = b;

	return (one->limit < other->limit) - (one->limit > other->limit);
}

/* Pages of all reserves; @nic: an interface that has one, or empty. */
static long long reserve_pages(char nic[IF_NAMESIZE])
{
	struct interface interfaces[INTERFACE_MAX];
	int nr = interfaces_find(interfaces, INTERFACE_MAX), i;
	long long pages = 0;

	*nic = '\0';
	for (i = 0; i < nr; i++) {
		if (!interfaces[i].reserve)
			continue;
		pages += interfaces[i].size_pages;
		if (!*nic)
			snprintf(nic, IF_NAMESIZE, "%.15s", interfaces[i].name);
	}
	return pages;
}

static void report(const struct captures *captures, long long total,
		   long long kept, const char *nic,
		   const struct zoneinfo *zones, bool swap)
{
	long page = sysconf(_SC_PAGESIZE);
	long long pages = (total + page - 1) / page;
	struct finding *f;
	int i;

	f = found("capture-buffer",
		  swap && total > CAPTURES_SERIOUS * kept ? SERIOUS : ADVICE,
		  "packet captures may hold %lld KiB of packets that ballast's filter cannot drop",
		  total >> 10);
	figures(f, "Reserves and high watermarks: %lld KiB.", kept >> 10);
	for (i = 0; i < captures->nr && i < CAPTURES_NAMED &&
		    captures->captures[i].limit > CAPTURE_SMALL;
	     i++)
		name_capture(f, &captures->captures[i]);
	why(f,
	    "A capture receives a packet before the filter does, and only its receive buffer limits what it holds. If the program does not read, for example because its pages are swapped out, a flood fills the buffer with the memory that the disk's packets need, and swapping can lock up. Let the program use a smaller buffer, or a ring (PACKET_RX_RING), which takes all of its memory at once.");
	command(f,
		"ss --packet --memory --processes   # rb is what each may hold, r what it holds");
	if (*nic && pages <= (long long)zones->sum.managed / 10)
		command(f,
			"echo %lld > " SYSFS_NIC "/" BALLAST_FILE_SIZE_PAGES
			"   # a reserve as large as the buffers",
			pages, nic);
}

void check_captures(const struct netdisks *disks, const struct zoneinfo *zones)
{
	static struct captures captures;
	long page = sysconf(_SC_PAGESIZE);
	long long total = 0, kept;
	char nic[IF_NAMESIZE];
	int i;

	if (!disks->nr)
		return;
	captures_find(&captures);
	qsort(captures.captures, captures.nr, sizeof(*captures.captures),
	      by_limit);
	for (i = 0; i < captures.nr; i++)
		if (captures.captures[i].limit > CAPTURE_SMALL)
			total += captures.captures[i].limit;
	kept = (reserve_pages(nic) + zones->sum.high) * page;
	if (total > kept)
		report(&captures, total, kept, nic, zones,
		       netdisks_swap(disks));
}
