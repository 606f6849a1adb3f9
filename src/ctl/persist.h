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

/* Does it have only characters that are allowed in these names? */
bool persist_is_name(const char *name);

/* FINE, or FAILED after reporting that PERSIST_DIR does not exist. */
int persist_check_directory(void);

/* Before the attach: can the file be written? FINE, USAGE or FAILED. */
int persist_check(const char *name, const char *uri);

/*
 * Write the file of a disk, @swapon NULL: no swap. A swap that was taken is this
 * machine's now, so the file has no TAKE=. FINE, or FAILED after reporting why;
 * then there is no file.
 */
int persist_disk(const char *name, const char *uri, const struct swapon *swapon,
		 const struct options *options);

/* Remove the file again. */
void persist_forget(const char *name);

/*
 * A number that no other disk has, not even one that gets the same name later,
 * as boot/disk writes it; 0: there is no such disk.
 */
unsigned long long persist_identity(const char *disk);

/* Give the disk, which is attached as @disk, to the file's unit. */
void persist_start(const char *name, const char *disk,
		   unsigned long long identity);

/*
 * Stop the file's unit if it is active, because a start would do nothing.
 * @wait: until it has stopped.
 */
void persist_stop(const char *name, bool wait);

/*
 * After a detach: end the unit that the disk belongs to, and name the files that
 * attach the disk again. @identity: the disk's, from before the detach.
 */
void persist_remind(const char *disk, unsigned long long identity);

#endif
