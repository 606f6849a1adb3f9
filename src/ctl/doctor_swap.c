// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: network disks, and whether they keep working when memory
 * runs out.
 */
#include <string.h>

#include "addresses.h"
#include "content.h"
#include "doctor.h"
#include "files.h"
#include "interface.h"
#include "netdisk.h"
#include "route.h"
#include "swaps.h"
#include "sysfs.h"

/* A server on this machine needs the memory that swapping is to free. */
static void check_server(const struct netdisk *disk)
{
	struct finding *f;
	struct swap swap;

	if (!address_is_local(disk->server))
		return;
	f = found("server-is-this-machine", disk->swap ? SERIOUS : ADVICE,
		  "the server of %s (%s) is this machine", disk->name,
		  netdisk_kind_name(disk->kind));
	figures(f, "Its address is %s.", disk->server);
	why(f, "To free memory the kernel writes to a server that itself needs memory on this machine, so the machine locks up. A reserve of packet memory does not prevent that.");
	if (disk->kind == NETDISK_BALLAST && swap_find(disk->name, &swap))
		command(f, "swapoff %s", swap.path);
	else if (disk->swap)
		command(f, "swapoff %s%s",
			disk->kind == NETDISK_NFS ? "" : "/dev/", disk->name);
}

/* Has another machine taken the swap, by --take or by an earlier release? */
static void check_owner(const struct netdisk *disk)
{
	static struct content content;
	char device[FILE_PATH_LEN];
	struct identity self;
	struct finding *f;
	struct swap swap;

	if (disk->kind != NETDISK_BALLAST || !swap_find(disk->name, &swap) ||
	    !identity_get(&self))
		return;
	file_path(device, sizeof(device), "/dev/%s", disk->name);
	content_probe(device, &content);
	if (content.kind == CONTENT_UNREADABLE) {
		not_looked_at("whose swap %s is: %s", disk->name, content.what);
		return;
	}
	if (!identity_is_owner(content.owner.uuid) ||
	    identity_is_mine(content.owner.uuid))
		return;
	f = found("swap-of-two-machines", SERIOUS,
		  "another machine has made the swap of %s (%s) its own",
		  disk->name, disk->server);
	figures(f, "Its name is %s, its identity %s.",
		*content.owner.label ? content.owner.label : "not known",
		content.owner.uuid);
	why(f,
	    "Each of the two overwrites pages of the other without an error: programs read memory that is not theirs. A swapoff would read back wrong pages. Detach the disk: programs that have pages there die. Then give each machine an export of its own.");
	command(f, "ballastctl detach --force %s", disk->name);
}

static void check_guard(const struct netdisk *disk)
{
	struct interface interfaces[INTERFACE_MAX];
	char name[IF_NAMESIZE];
	struct finding *f;
	int i, nr;

	if (disk->kind == NETDISK_BALLAST || interfaces_guarded())
		return;
	f = found(disk->kind == NETDISK_NBD ? "nbd-without-guard" :
					      "network-swap-without-guard",
		  disk->swap ? SERIOUS : ADVICE,
		  "%s (%s) is in use%s, and no interface is guarded",
		  disk->name, netdisk_kind_name(disk->kind),
		  disk->swap ? " as swap" : "");
	figures(f, "Server: %s.", *disk->server ? disk->server : "not known");
	why(f, "When memory runs out, unrelated packets take the memory that the disk's replies need, and the machine locks up or makes no progress. A guard keeps a reserve for the replies, and drops unrelated packets while it is in use.");
	if (route_to_text(disk->server, name)) {
		command(f, "ballastctl guard %s --persist", name);
		return;
	}
	nr = interfaces_find(interfaces, INTERFACE_MAX);
	for (i = 0; i < nr; i++)
		command(f, "ballastctl guard %s --persist%s",
			interfaces[i].name,
			nr > 1 ? "   # if this is the route to the server" : "");
}

/* The module refuses a server that lacks what was swapped out to it. */
static void check_verify(const struct netdisk *disk)
{
	struct finding *f;
	char text[16];

	if (disk->kind != NETDISK_BALLAST ||
	    file_value(text, sizeof(text), SYSFS_DISK "/" BALLAST_FILE_VERIFY,
		       disk->name) <= 0 ||
	    strcmp(text, "refused"))
		return;
	f = found("server-lost-pages", SERIOUS,
		  "the server of %s (%s) does not have the pages that were swapped out to it",
		  disk->name, disk->server);
	figures(f,
		"The kernel log has the offset and the reason: dmesg | grep verification.");
	why(f,
	    "It serves a blank export, another one or an old copy, or its crash lost writes that it had acknowledged; or it cannot read them. Programs whose pages are there wait. They continue once the server has the right data. If these are lost, detach the disk: those programs die, and no wrong page gets into memory.");
	command(f, "ballastctl detach --force %s   # if the data are lost",
		disk->name);
}

/*
 * zswap in front of a network disk saves transfers if its pool holds many
 * pages. zbud keeps two compressed pages in one, z3fold three; zsmalloc has no
 * such limit. Newer kernels have only zsmalloc, and no zpool file.
 */
static void check_zswap(const struct netdisks *disks)
{
	struct finding *f;
	char enabled[8], pool[32];

	if (!netdisks_swap(disks) ||
	    file_value(enabled, sizeof(enabled),
		       "/sys/module/zswap/parameters/enabled") <= 0 ||
	    enabled[0] != 'Y' ||
	    file_value(pool, sizeof(pool),
		       "/sys/module/zswap/parameters/zpool") <= 0 ||
	    (strcmp(pool, "zbud") && strcmp(pool, "z3fold")))
		return;
	f = found("zswap-on-top", ADVICE,
		  "zswap in front of a swap on the network uses the pool %s",
		  pool);
	figures(f,
		"Measured on 6.1 with zbud and pages that compress to a third: 14 %% fewer pages read from the swap, 28 %% more major faults.");
	why(f,
	    "It takes memory and saves few round trips. With zsmalloc it saved over 40 %% of the pages read. Switch to that, or switch zswap off: echo N > /sys/module/zswap/parameters/enabled.");
	command(f, "modprobe zsmalloc");
	command(f, "echo zsmalloc > /sys/module/zswap/parameters/zpool");
}

void check_netdisks(const struct netdisks *disks)
{
	int i;

	for (i = 0; i < disks->nr; i++) {
		check_server(&disks->disks[i]);
		check_verify(&disks->disks[i]);
		check_owner(&disks->disks[i]);
		check_guard(&disks->disks[i]);
	}
	check_zswap(disks);
}
