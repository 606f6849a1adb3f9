// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: interfaces that carry disks: offloads, receive ring, the
 * memory that its refill may use, packets that the driver dropped, and disks
 * that are reached through a program.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "drivers.h"
#include "ethtool.h"
#include "files.h"
#include "interface.h"
#include "netdisk.h"
#include "sysfs.h"

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static const char *driver_name(const struct interface *nic)
{
	return *nic->driver ? nic->driver : "not known";
}

static void offload_figures(struct finding *f, const struct interface *nic,
			    const struct offloads *o)
{
	figures(f, "%s: scatter-gather %s, TSO %s, GSO %s, GRO %s.",
		*nic->driver ? nic->driver : "its driver", on_off(o->sg),
		on_off(o->tso), on_off(o->gso), on_off(o->gro));
}

/*
 * Without scatter-gather, TSO and GSO are off too, so report only the former.
 * Do not report TSO alone: GSO does the same, only later.
 */
static void check_offloads(const struct interface *nic)
{
	struct offloads o;
	struct finding *f;
	int err = ethtool_offloads(nic->name, &o);

	if (err) {
		not_looked_at("%s: offloads: %s", nic->name, strerror(-err));
		return;
	}
	if (!o.sg) {
		f = found("scatter-gather-off", ADVICE,
			  "%s: scatter-gather is off", nic->name);
		offload_figures(f, nic, &o);
		why(f, "Each packet is copied to contiguous memory before it is sent. This takes memory when the kernel writes pages out to free memory.");
		command(f, "ethtool -K %s sg on tso on gso on", nic->name);
	} else if (!o.gso && !o.tso) {
		f = found("segmentation-off", ADVICE,
			  "%s: GSO and TSO are off", nic->name);
		offload_figures(f, nic, &o);
		why(f, "The kernel handles three packets, and allocates memory for them, for each page that is written out, instead of one packet for several pages.");
		command(f, "ethtool -K %s tso on gso on", nic->name);
	}
	if (!o.gro) {
		f = found("gro-off", ADVICE, "%s: GRO is off", nic->name);
		offload_figures(f, nic, &o);
		why(f, "Each received packet passes through the kernel and ballast's filter on its own. During a packet storm there is no processor time for that.");
		command(f, "ethtool -K %s gro on", nic->name);
	}
}

/*
 * The size of one packet's buffer, as the module computes it for the size of
 * the reserve; its "estimate" has "each 2048 bytes of buffer". 0: not known.
 */
static long buffer_bytes(const struct interface *nic)
{
	char text[1024];
	const char *at;

	file_read(text, sizeof(text), SYSFS_NIC "/" BALLAST_FILE_ESTIMATE,
		  nic->name);
	at = strstr(text, " bytes of buffer");
	if (!at)
		return 0;
	while (at > text && isdigit((unsigned char)at[-1]))
		at--;
	return strtol(at, NULL, 10);
}

static void check_ring(const struct interface *nic)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned int ring, most;
	struct finding *f;
	long buffer, pages;

	if (!nic->reserve || !nic->size_pages ||
	    ethtool_rx_ring(nic->name, &ring, &most))
		return;
	buffer = buffer_bytes(nic);
	if (!buffer) {
		not_looked_at("%s: receive ring: the reserve's " BALLAST_FILE_ESTIMATE " does not have the size of a buffer",
			      nic->name);
		return;
	}
	pages = buffer * ring / page * nic->rx_queues;
	if (pages <= nic->size_pages)
		return;
	f = found("ring-over-reserve", ADVICE,
		  "%s: the receive rings hold more than the reserve", nic->name);
	figures(f, "Queues: %d, of %u packets of %ld KiB each: %ld pages; the reserve has %lld.",
		nic->rx_queues, ring, buffer / 1024, pages,
		nic->size_pages);
	why(f, "The pages that ballast lends may be used up before the rings are full, and before a reply for the disk arrives.");
	command(f, "echo %ld > " SYSFS_NIC "/" BALLAST_FILE_SIZE_PAGES, pages,
		nic->name);
	command(f, "ethtool -G %s rx %u   # or smaller rings", nic->name,
		ring > 256 ? 256 : ring / 2);
}

/* Not a problem with a reserve: lending provides the pages. */
static void check_refill(const struct interface *nic)
{
	enum refill refill = driver_refill(nic->driver);
	struct finding *f;

	if (nic->reserve && nic->size_pages)
		return;
	if (refill != REFILL_PLAIN)
		return;
	f = found("refill-without-reserves", SERIOUS,
		  "%s: the driver's refill can't use the emergency reserves, and the interface has no reserve of ballast",
		  nic->name);
	figures(f, "Driver %s: GFP_ATOMIC without __GFP_MEMALLOC.", nic->driver);
	why(f, "Below 3/8 of the min watermark its allocations fail, whatever the kernel has set aside. The ring runs empty, and replies for the swap disk are lost.");
	if (nic->reserve)
		command(f, "echo auto > " SYSFS_NIC "/" BALLAST_FILE_SIZE_PAGES,
			nic->name);
	else
		command(f, "modprobe ballast && echo %s > " SYSFS_GUARD,
			nic->name);
}

struct statistics {
	char worst[33];		/* the statistic's name */
	unsigned long long value;
};

static bool is_linearize_failure(const char *name)
{
	return strcasestr(name, "lineari") &&
	       (strcasestr(name, "fail") || strcasestr(name, "err") ||
		strcasestr(name, "drop"));
}

/* Drivers name these differently, and there is no other interface. */
static void each_statistic(const char *name, unsigned long long value,
			   void *data)
{
	struct statistics *failures = data;

	if (!is_linearize_failure(name) || value <= failures->value)
		return;
	snprintf(failures->worst, sizeof(failures->worst), "%s", name);
	failures->value = value;
}

static void check_linearize(const struct interface *nic)
{
	struct statistics failures = { .value = 0 };
	struct finding *f;
	int err = ethtool_statistics(nic->name, each_statistic, &failures);

	/* -EOPNOTSUPP: the driver has none. */
	if (err && err != -EOPNOTSUPP)
		not_looked_at("%s: the driver's statistics: %s", nic->name,
			      strerror(-err));
	if (!failures.value)
		return;
	f = found("linearize-failures", ADVICE,
		  "%s: packets with too many fragments for the card could not be linearized",
		  nic->name);
	figures(f, "%s: %llu (driver %s).", failures.worst, failures.value,
		driver_name(nic));
	why(f, "Linearizing needs up to 64 KiB of contiguous memory; when that runs out the driver drops the packet silently, and TCP retransmits it much later.");
	command(f, "ip link set %s gso_max_segs 8", nic->name);
}

/* Some drops are normal, for example while the link was down. */
static void check_drops(const struct interface *nic)
{
	long long dropped, sent;
	struct finding *f;

	if (file_number(&dropped, "/sys/class/net/%s/statistics/tx_dropped",
			nic->name) ||
	    file_number(&sent, "/sys/class/net/%s/statistics/tx_packets",
			nic->name))
		return;
	if (dropped < 10 || dropped < sent / 10000)
		return;
	f = found("transmit-drops", ADVICE,
		  "%s: the driver drops packets on transmit", nic->name);
	figures(f, "%lld dropped, %lld sent (driver %s).", dropped, sent,
		driver_name(nic));
	why(f, "TCP does not learn of these drops and retransmits only after 200 ms or more; swapping stops for that time. The usual cause is that no memory was left to map or copy the packet.");
	command(f, "ethtool -S %s | grep -i tx", nic->name);
}

static void check_interface(const struct interface *nic)
{
	/* Unit tests have a tree of files and no NIC. */
	if (!getenv("BALLAST_ROOT")) {
		check_offloads(nic);
		check_ring(nic);
		check_linearize(nic);
	}
	check_refill(nic);
	check_drops(nic);
}

/* A tun or tap interface: a program carries its packets, as OpenVPN does. */
static void check_program(const struct netdisk *disk)
{
	char name[IFNAMSIZ];
	struct finding *f;

	if (disk->kind != NETDISK_BALLAST ||
	    file_value(name, sizeof(name),
		       SYSFS_DISK "/" BALLAST_FILE_INTERFACE,
		       disk->name) <= 0 ||
	    !file_exists("/sys/class/net/%s/tun_flags", name))
		return;
	f = found("disk-through-program", SERIOUS,
		  "%s: a program carries the packets of its interface %s",
		  disk->name, name);
	figures(f, "%s: a tun or tap interface.", name);
	why(f,
	    "The program needs memory itself in order to free memory, so swapping can lock up; and ballast's filter drops that program's packets. A tunnel in the kernel, such as WireGuard, has neither problem.");
}

/*
 * Check interfaces with a reserve. If there is swap on the network and no
 * guard, check all physical ones, since the swap's route is not known here.
 */
void check_interfaces(const struct netdisks *disks)
{
	struct interface interfaces[INTERFACE_MAX];
	bool all = netdisks_foreign(disks) && netdisks_swap(disks) &&
		   !interfaces_guarded();
	int i, nr;

	for (i = 0; i < disks->nr; i++)
		check_program(&disks->disks[i]);
	nr = interfaces_find(interfaces, INTERFACE_MAX);
	if (nr < 0)
		not_looked_at("interfaces: /sys/class/net: %s", strerror(-nr));
	for (i = 0; i < nr; i++)
		if (interfaces[i].reserve || all)
			check_interface(&interfaces[i]);
}
