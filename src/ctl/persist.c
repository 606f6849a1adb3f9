// SPDX-License-Identifier: GPL-2.0
/*
 * attach --persist: the file that attaches a disk at each boot.
 */
#include "persist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "files.h"
#include "out.h"
#include "program.h"
#include "sysfs.h"

/* Notes by which the unit ballast@NAME knows its disk. */
#define NOTE_DIR "/run/ballast"
#define IDENTITY "identity " /* a line of a note; boot/disk reads it */

bool persist_is_name(const char *name)
{
	return *name && *name != '.' &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789:_.-")];
}

int persist_check_directory(void)
{
	if (file_exists(PERSIST_DIR))
		return FINE;
	return failure("--persist: " PERSIST_DIR
		       " does not exist; run mkdir " PERSIST_DIR);
}

/* systemd reads the value in quotes, and ignores the file if it is not UTF-8. */
static bool is_value(const char *text)
{
	size_t len;

	for (; *text; text += len) {
		len = utf8_length(text);
		if (!len || strchr("\"\\`\n", *text))
			return false;
	}
	return true;
}

int persist_check(const char *name, const char *uri)
{
	if (!persist_is_name(name) || strlen(name) > 200)
		return usage_error("--persist=%.200s: is not a name of up to 200 letters, digits and : _ . -, not beginning with a dot",
				   name);
	if (!is_value(uri))
		return usage_error("%.200s: --persist: can't be written to a file: encode \" as %%22, \\ as %%5C, ` as %%60, and bytes that are not UTF-8 as %%XX",
				   uri);
	if (persist_check_directory())
		return FAILED;
	if (file_exists(PERSIST_FILE, name))
		return failure(PERSIST_FILE
			       ": already exists; remove it, or use another name: --persist=NAME",
			       name);
	return FINE;
}

int persist_disk(const char *name, const char *uri, const struct swapon *swapon,
		 const struct options *options)
{
	char text[16384], priority[32] = "", index[32] = "";
	int err;

	if (swapon && swapon->priority >= 0)
		snprintf(priority, sizeof(priority), "PRIORITY=%d\n",
			 swapon->priority);
	if (options->has_index)
		snprintf(index, sizeof(index), " " BALLAST_OPT_INDEX "=%ld",
			 options->index);
	err = snprintf(text, sizeof(text),
		       "# Written by ballastctl attach --persist.\n"
		       "URI=\"%s\"\n%s%s%s%sOPTIONS=\"%s%s\"\n",
		       uri, swapon ? "SWAP=yes\n" : "",
		       swapon && swapon->encrypt ? "ENCRYPT=yes\n" : "",
		       swapon && swapon->discard ? "DISCARD=yes\n" : "",
		       priority, options->words + (*options->words == ' '),
		       index);
	err = (size_t)err < sizeof(text) ?
		      conf_create(text, PERSIST_FILE, name) :
		      -E2BIG;
	if (err)
		return failure(PERSIST_FILE ": %s", name, strerror(-err));
	return FINE;
}

void persist_forget(const char *name)
{
	char path[FILE_PATH_LEN];

	if (file_path(path, sizeof(path), PERSIST_FILE, name))
		unlink(path);
}

unsigned long long persist_identity(const char *disk)
{
	char path[FILE_PATH_LEN];
	struct stat status;

	if (!file_path(path, sizeof(path), "/sys/block/%s", disk) ||
	    stat(path, &status))
		return 0;
	return status.st_ino;
}

/*
 * Because of the note, the unit does not attach the disk again. A stop of the
 * unit, or a purge of the package, then detaches it.
 */
void persist_start(const char *name, const char *disk,
		   unsigned long long identity)
{
	char path[FILE_PATH_LEN], text[96], unit[256];
	char *const reload[] = { "systemctl", "daemon-reload", NULL };
	char *const start[] = { "systemctl", "start", unit, NULL };

	if (!identity || persist_identity(disk) != identity)
		return; /* another process has detached it */
	if (file_path(path, sizeof(path), NOTE_DIR))
		mkdir(path, 0755);
	snprintf(text, sizeof(text), "/dev/%s: attached\n" IDENTITY "%llu\n",
		 disk, identity);
	if (conf_write(text, NOTE_DIR "/%s", name) ||
	    !file_exists("/run/systemd/system"))
		return;
	snprintf(unit, sizeof(unit), "ballast@%s.service", name);
	if (!program_run(reload))
		program_run(start);
}

static void ignore(const char *line, void *data)
{
	(void)line, (void)data;
}

/*
 * While the unit stops, as when it detaches the disk itself, it is not active:
 * another stop would turn a restart into a stop.
 */
void persist_stop(const char *name, bool wait)
{
	char unit[256];
	char *const is_active[] = { "systemctl", "--quiet", "is-active", unit,
				    NULL };
	char *const stop[] = { "systemctl", "stop", unit,
			       wait ? NULL : "--no-block", NULL };

	snprintf(unit, sizeof(unit), "ballast@%s.service", name);
	if (file_exists("/run/systemd/system") &&
	    !program_lines(is_active, ignore, NULL))
		program_run(stop);
}

struct detached {
	char line[64];
	unsigned long long identity;
};

/*
 * A note has what attach printed. The next disk may get the same name, and is
 * not the unit's. A note without an identity is that of a start that has not
 * ended.
 */
static bool remind(const char *name, void *data)
{
	char text[4096], path[FILE_PATH_LEN], *identity;
	const struct detached *detached = data;

	if (file_read(text, sizeof(text), NOTE_DIR "/%s", name) <= 0 ||
	    !strstr(text, detached->line))
		return true;
	identity = strstr(text, "\n" IDENTITY);
	if (identity && strtoull(identity + strlen("\n" IDENTITY), NULL, 10) !=
				detached->identity)
		return true;
	if (file_path(path, sizeof(path), NOTE_DIR "/%s", name))
		unlink(path);
	persist_stop(name, false);
	if (file_exists(PERSIST_FILE, name))
		out(PERSIST_FILE
		    " attaches it again at the next boot; remove it to end that\n",
		    name);
	return true;
}

void persist_remind(const char *disk, unsigned long long identity)
{
	struct detached detached = { .identity = identity };

	snprintf(detached.line, sizeof(detached.line), "/dev/%s: attached",
		 disk);
	file_each_name(remind, &detached, NOTE_DIR);
}
