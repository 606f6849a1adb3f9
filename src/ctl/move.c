// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl move: moves a disk to another server that has the same data.
 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "files.h"
#include "klog.h"
#include "lock.h"
#include "out.h"
#include "server.h"
#include "sysfs.h"
#include "uri.h"

const char help_move[] =
	"Usage: ballastctl move DISK nbd://SERVER[:PORT]/EXPORT\n"
	"Move a disk that is in use to another server that has the same data: another\n"
	"machine that serves the same storage, or another address or export of the same\n"
	"server. Requests wait for a moment and none fails.\n"
	"\n"
	"The new server is tried first. If it can't be reached, or its export can't\n"
	"replace the current one, or it lacks pages that were swapped out, the disk\n"
	"stays with its server, and the reason is printed.\n"
	"\n"
	"It holds until the disk is detached; change the URI in /etc/ballast as well.\n";

struct move {
	const char *disk;
	struct nbd_uri uri;
	char address[128]; /* [ADDRESS]:PORT that is tried */
};

static int tell_failure(const struct move *move, int err, int klog)
{
	char why[512];

	klog_why(klog, move->disk, NULL, err, why, sizeof(why));
	return failure("%s: stays with its server; %s: %s", move->disk,
		       move->address, why);
}

/* Return: 0; or -errno, which is reported */
static int write_move(struct move *move)
{
	static char words[8192];
	char same[DISK_NAME_LEN];
	int klog, err;

	/* One export must be one swap only. */
	if (server_find_swap(move->address, move->uri.export, move->disk,
			     same)) {
		failure("%s: export \"%.200s\" is already swapped to, as %s",
			move->address, move->uri.export, same);
		return -EEXIST;
	}
	snprintf(words, sizeof(words),
		 BALLAST_OPT_SERVER "=%s " BALLAST_OPT_EXPORT "=\"%s\"",
		 move->address, move->uri.export);
	klog = klog_open();
	err = file_write(words, SYSFS_DISK "/" BALLAST_FILE_MOVE, move->disk);
	if (err == -ENOENT)
		failure("%s: the loaded module is of an earlier release, and can't move disks",
			move->disk);
	else if (err)
		tell_failure(move, err, klog);
	klog_close(klog);
	return err;
}

/* The same. The lock is for the case that another process makes a swap of it. */
static int try_address(struct move *move)
{
	int lock = lock_export(move->address, move->uri.export), err;

	if (lock < 0)
		return -EEXIST;
	err = write_move(move);
	close(lock);
	return err;
}

/* Try the addresses in order, until one works or fails for another reason. */
static int move_to(struct move *move)
{
	struct addrinfo *list, *info;
	int err = -EADDRNOTAVAIL;

	if (server_resolve(move->uri.host, move->uri.port, &list))
		return FAILED;
	for (info = list; info; info = info->ai_next) {
		if (!server_address(info, move->address, sizeof(move->address)))
			continue;
		err = try_address(move);
		if (!server_is_unreachable(err))
			break;
	}
	freeaddrinfo(list);
	return err ? FAILED : FINE;
}

int cmd_move(int argc, char **argv)
{
	static struct move move;
	const char *why;
	int i;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			return usage_error("%.200s: no such option", argv[i]);
		if (i > 2)
			return usage_error("%.200s: only DISK and a URI can be given",
					   argv[i]);
	}
	if (argc < 2)
		return usage_error("DISK is missing");
	move.disk = disk_name(argv[1]);
	if (!disk_exists(move.disk))
		return usage_error("%.200s: is not a disk of ballast", argv[1]);
	if (argc < 3)
		return usage_error("nbd://SERVER[:PORT]/EXPORT is missing");
	why = uri_parse(argv[2], NULL, &move.uri);
	if (why)
		return usage_error("%.200s: %s", argv[2], why);
	/* The user of move knows the machine, and can write the values. */
	if (move.uri.has_id || move.uri.has_host || move.uri.has_mac)
		return usage_error("%.200s: %%m, %%H and %%M are for attach; write what they stand for",
				   argv[2]);
	if (move_to(&move))
		return FAILED;
	out("%s: moved to %s, export \"", move.disk, move.address);
	out_text(move.uri.export);
	out("\"\n");
	return out_flush();
}
