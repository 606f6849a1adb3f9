/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_PERSIST_H
#define BALLASTCTL_PERSIST_H

#include <stdbool.h>

#include "ballastctl.h"
#include "options.h"
#include "swapon.h"

#define PERSIST_DIR "/etc/ballast"

/* The file that --persist=@name writes; see ballast.conf(5). */
#define PERSIST_FILE PERSIST_DIR "/%s.conf"

/* Names of files there have only some characters. */
bool persist_is_name(const char *name);

/* Before anything is done: can the file be written? FINE, or USAGE or FAILED. */
int persist_check(const char *name, const char *uri);

/*
 * Write the file of a disk that is attached as @disk, @swapon NULL: no swap.
 * What another machine's swap was is this machine's now, so there is no TAKE=.
 * FINE, or FAILED after reporting why not; then no file is there.
 */
int persist_disk(const char *name, const char *disk, const char *uri,
		 const struct swapon *swapon, const struct options *options);

/* After a detach: name the files that attach the disk again. */
void persist_remind(const char *disk);

#endif
