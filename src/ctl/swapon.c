// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a disk this machine's swap, and swaps to it. Refuses a disk that holds
 * anything but a swap, and the swap of another machine: two machines that swap
 * to one disk overwrite each other's pages, and neither gets an error.
 */
#include "swapon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "ballastctl.h"
#include "content.h"
#include "crypt.h"
#include "files.h"
#include "header.h"
#include "out.h"
#include "program.h"
#include "swaps.h"

struct target {
	struct swapon *options;
	const char *disk;
	char device[FILE_PATH_LEN];	/* the disk */
	char mapping[FILE_PATH_LEN];	/* its encryption */
	struct content content;
	struct identity self;
};

static bool is_mine(const struct target *target)
{
	return identity_is_mine(target->content.owner.uuid);
}

/* A swap made by mkswap alone, or by an earlier release, has no owner. */
static int refuse_owner(const struct target *target)
{
	const struct identity *owner = &target->content.owner;

	if (target->options->take || is_mine(target) ||
	    !identity_is_owner(owner->uuid))
		return FINE;
	failure("/dev/%s: is the swap of another machine, %s (%s); if that one no longer swaps to it, use --take, or TAKE=yes in /etc/ballast",
		target->disk, *owner->label ? owner->label : "without a name",
		owner->uuid);
	return REFUSED;
}

/* A kernel with another page size made it, maybe on another machine. */
static int refuse_page_size(const struct target *target)
{
	long size = sysconf(_SC_PAGESIZE);

	if (target->options->take || is_mine(target) ||
	    target->content.page_size == size)
		return FINE;
	failure("/dev/%s: is a swap with pages of %ld bytes, and this kernel's have %ld: it may be another machine's; to overwrite it use --take, or TAKE=yes in /etc/ballast",
		target->disk, target->content.page_size, size);
	return REFUSED;
}

static int refuse(const struct target *target)
{
	int err;

	switch (target->content.kind) {
	case CONTENT_BLANK:
		return FINE;
	case CONTENT_SWAP:
		err = refuse_owner(target);
		return err ? err : refuse_page_size(target);
	case CONTENT_ENCRYPTED:
		return refuse_owner(target);
	case CONTENT_OTHER:
		failure("/dev/%s: holds %s; to overwrite it, attach without --swap and run mkswap",
			target->disk, target->content.what);
		return REFUSED;
	default:
		return failure("/dev/%s: can't be read: %s", target->disk,
			       target->content.what);
	}
}

/* Without an identity of this machine the swap gets a random one. */
static int mkswap(const struct target *target, const char *device)
{
	char *argv[8] = { "mkswap" };
	int nr = 1;

	if (*target->self.label) {
		argv[nr++] = "--label";
		argv[nr++] = (char *)target->self.label;
	}
	if (*target->self.uuid) {
		argv[nr++] = "--uuid";
		argv[nr++] = (char *)target->self.uuid;
	}
	argv[nr++] = (char *)device;
	target->options->formatted = true;
	return program_run(argv);
}

static void tell(const struct target *target, const char *what)
{
	const char *owner = target->content.owner.label;

	if (target->options->quiet)
		return;
	out("/dev/%s: %s", target->disk, what);
	if (target->options->take && *owner && !is_mine(target)) {
		out(" of ");
		out_text(owner);
	}
	out(", ran mkswap\n");
}

static int make_clear(const struct target *target)
{
	const struct content *content = &target->content;
	bool ours = is_mine(target) || !*target->self.uuid;
	int err;

	if (content->kind == CONTENT_SWAP && ours &&
	    content->page_size == sysconf(_SC_PAGESIZE)) {
		if (!target->options->quiet)
			out("/dev/%s: is already a swap\n", target->disk);
		return FINE;
	}
	if (content->kind == CONTENT_ENCRYPTED) {
		err = header_write(target->device, NULL);
		if (err)
			return failure("/dev/%s: can't be written: %s",
				       target->disk, strerror(-err));
	}
	if (mkswap(target, target->device))
		return FAILED;
	tell(target, content->kind == CONTENT_BLANK ? "was blank" :
		     content->kind == CONTENT_SWAP  ? "was a swap" :
						      "was an encrypted swap");
	return FINE;
}

/* The key is new each time, so the former content becomes unreadable. */
static int make_encrypted(struct target *target)
{
	char dm[DISK_NAME_LEN];
	int err;

	if (crypt_open(target->disk, target->options->discard))
		return FAILED;
	if (!crypt_find(target->disk, dm, sizeof(dm)))
		return failure("/dev/%s: cryptsetup succeeded, but no mapping is there",
			       target->disk);
	file_path(target->mapping, sizeof(target->mapping), "/dev/%s", dm);
	if (mkswap(target, target->mapping))
		return FAILED;
	err = header_write(target->device, &target->self);
	if (err)
		return failure("/dev/%s: can't be written: %s", target->disk,
			       strerror(-err));
	if (target->content.kind == CONTENT_SWAP)
		tell(target, "was a swap, is encrypted now");
	else
		tell(target, "is encrypted");
	return FINE;
}

static int switch_on(const struct target *target)
{
	const struct swapon *options = target->options;
	int flags = 0;

	if (options->priority >= 0)
		flags = SWAP_FLAG_PREFER |
			(options->priority & SWAP_FLAG_PRIO_MASK);
	if (options->discard)
		flags |= SWAP_FLAG_DISCARD;
	if (file_is_test())
		return failure("/dev/%s: swapon: not with BALLAST_ROOT",
			       target->disk);
	if (swapon(options->encrypt ? target->mapping : target->device, flags))
		return failure("/dev/%s: swapon: %m", target->disk);
	return FINE;
}

static int make_and_switch_on(struct target *target)
{
	char dm[DISK_NAME_LEN];
	int err;

	if (!target->options->encrypt)
		return make_clear(target) || switch_on(target) ? FAILED : FINE;
	err = make_encrypted(target) || switch_on(target) ? FAILED : FINE;
	if (err && crypt_find(target->disk, dm, sizeof(dm)))
		crypt_close(target->disk, false);
	return err;
}

int swapon_disk(struct swapon *options, const char *disk)
{
	static struct target target;
	struct swap swap;
	int err;

	target.options = options;
	target.disk = disk;
	file_path(target.device, sizeof(target.device), "/dev/%s", disk);
	identity_get(&target.self);
	content_probe(target.device, &target.content);
	/* An initramfs that has made the swap may not know another identity. */
	if (is_mine(&target))
		strcpy(target.self.uuid, target.content.owner.uuid);
	err = refuse(&target);
	if (!err)
		err = make_and_switch_on(&target);
	if (!err && !options->quiet && swap_find(disk, &swap))
		out("/dev/%s: swap is on, %.1f MiB, priority %d%s\n", disk,
		    swap.size_kib / 1024.0, swap.priority,
		    swap.encrypted ? ", encrypted" : "");
	return err;
}
