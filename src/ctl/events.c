// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl events: prints a line for each change of state. The kernel wakes
 * it by poll(2). It does not allocate once it runs.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "files.h"
#include "json.h"
#include "options.h"
#include "out.h"
#include "reserve.h"
#include "sysfs.h"

const char help_events[] =
	"Usage: ballastctl events [DISK|INTERFACE] [-n COUNT] [--json]\n"
	"Print a line for each change from now on, until a signal: the state of a disk,\n"
	"whether its server has the data (verify), the grade of an interface; of all, or\n"
	"of one. A line is: time in UTC, name, what, from, to, and the reason. \"-\" stands\n"
	"for a disk or a reserve that is not there.\n"
	"\n"
	"  -n COUNT   end after this many changes\n"
	"  --json     print one JSON object a line: time, name, what, from, to, why\n";

#define EVENTS_MAX 128 /* watched files; more are not watched */
#define EVENTS_RESCAN 1000 /* ms; for new disks and interfaces */

enum what { STATE, VERIFY, GRADE };

static const char *const what_names[] = {
	[STATE] = BALLAST_FILE_STATE,
	[VERIFY] = BALLAST_FILE_VERIFY,
	[GRADE] = BALLAST_FILE_GRADE,
};

/* One file; both descriptors are open. */
struct watched {
	char name[DISK_NAME_LEN];
	enum what what;
	int fd;
	int reconnects_fd; /* of a disk's state; else -1 */
	char value[16];
	long long reconnects;
};

static struct watched watched[EVENTS_MAX];
static int nr_watched;
static const char *only; /* NULL: all */
static bool as_json;
static bool started; /* files found before that are no events */
static long left = -1; /* events still to print; below 0: any number */

static void now(char *text, size_t size)
{
	struct timespec time;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &time);
	gmtime_r(&time.tv_sec, &tm);
	len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, size - len, ".%03ldZ", time.tv_nsec / 1000000);
}

static void json_value(const char *key, const char *value)
{
	if (*value)
		json_text(key, value);
	else
		json_null(key);
}

static void event(const struct watched *at, const char *from, const char *to,
		  const char *why)
{
	char time[40];

	if (!started || !left || !strcmp(from, to))
		return;
	left -= left > 0;
	now(time, sizeof(time));
	if (as_json) {
		json_begin(NULL, '{');
		json_text("time", time);
		json_text("name", at->name);
		json_text("what", what_names[at->what]);
		json_value("from", from);
		json_value("to", to);
		json_text("why", why);
		json_end('}');
		return;
	}
	out("%s %s %s %s %s", time, at->name, what_names[at->what],
	    *from ? from : "-", *to ? to : "-");
	if (*why) {
		out(" ");
		out_text(why);
	}
	out("\n");
}

/* "" for a file that is gone. */
static void read_word(int fd, char *word, size_t size)
{
	if (file_reread(fd, word, size) < 0)
		*word = '\0';
	word[strcspn(word, "\n")] = '\0';
}

static long long read_number(int fd)
{
	char text[24];

	return fd >= 0 && file_reread(fd, text, sizeof(text)) > 0 ?
		       strtoll(text, NULL, 10) :
		       0;
}

/* Why a disk's or an interface's value is what it is. */
static void find_why(const struct watched *at, char *why, size_t size)
{
	long long lent, pages;

	*why = '\0';
	if (at->what != GRADE)
		file_value(why, size, SYSFS_DISK "/" BALLAST_FILE_REASON,
			   at->name);
	else if (!file_number(&lent, SYSFS_NIC "/" BALLAST_FILE_LENT_PAGES,
			      at->name) &&
		 !file_number(&pages, SYSFS_NIC "/" BALLAST_FILE_SIZE_PAGES,
			      at->name) &&
		 pages)
		snprintf(why, size, "%lld of %lld pages lent", lent, pages);
}

/*
 * Connections that were lost and restored since the last look count as a
 * change, although the state is the same.
 */
static void look_at_state(struct watched *at, const char *value,
			  const char *why)
{
	static const char lost[] = "reconnecting";
	long long reconnects = read_number(at->reconnects_fd);
	char restored[48] = "";

	if (reconnects > at->reconnects)
		snprintf(restored, sizeof(restored),
			 "%lld connection%s restored",
			 reconnects - at->reconnects,
			 plural(reconnects - at->reconnects));
	at->reconnects = reconnects;
	if (*restored && !strcmp(at->value, value) && strcmp(value, lost)) {
		event(at, at->value, lost, why);
		event(at, lost, value, restored);
	} else {
		event(at, at->value, value,
		      !strcmp(value, "live") ? restored : why);
	}
}

/* Return: whether it is still there */
static bool look(struct watched *at)
{
	char value[sizeof(at->value)], why[256];

	read_word(at->fd, value, sizeof(value));
	find_why(at, why, sizeof(why));
	if (!*value)
		event(at, at->value, "", "");
	else if (at->what == STATE)
		look_at_state(at, value, why);
	else
		event(at, at->value, value,
		      at->what == VERIFY && !strcmp(value, "on") ? "" : why);
	strcpy(at->value, value);
	if (*value)
		return true;
	close(at->fd);
	if (at->reconnects_fd >= 0)
		close(at->reconnects_fd);
	return false;
}

static void look_at_all(void)
{
	int i, kept = 0;

	for (i = 0; i < nr_watched; i++)
		if (look(&watched[i]))
			watched[kept++] = watched[i];
	nr_watched = kept;
}

static bool is_watched(const char *name, enum what what)
{
	int i;

	for (i = 0; i < nr_watched; i++)
		if (watched[i].what == what && !strcmp(watched[i].name, name))
			return true;
	return false;
}

/* The files of a directory appear one by one, so each is checked. */
static void meet(const char *name, enum what what, const char *directory)
{
	struct watched *at = &watched[nr_watched];
	char path[FILE_PATH_LEN];

	if ((only && strcmp(only, name)) || is_watched(name, what) ||
	    nr_watched == EVENTS_MAX)
		return;
	snprintf(path, sizeof(path), directory, name);
	memset(at, 0, sizeof(*at));
	at->fd = file_open("%s/%s", path, what_names[what]);
	if (at->fd < 0)
		return;
	snprintf(at->name, sizeof(at->name), "%s", name);
	at->what = what;
	at->reconnects_fd = -1;
	read_word(at->fd, at->value, sizeof(at->value));
	if (!*at->value) {
		close(at->fd);
		return;
	}
	if (what == STATE)
		at->reconnects_fd =
			file_open("%s/" BALLAST_FILE_RECONNECTS, path);
	at->reconnects = read_number(at->reconnects_fd);
	event(at, "", at->value, "");
	nr_watched++;
}

static bool meet_disk(const char *name, void *data)
{
	(void)data;
	meet(name, STATE, SYSFS_DISK);
	meet(name, VERIFY, SYSFS_DISK);
	return true;
}

static bool meet_reserve(const char *name, void *data)
{
	(void)data;
	meet(name, GRADE, SYSFS_NIC);
	return true;
}

static void wait_for_change(void)
{
	static struct pollfd fds[2 * EVENTS_MAX];
	int i, nr = 0;

	for (i = 0; i < nr_watched; i++) {
		fds[nr++] = (struct pollfd){ .fd = watched[i].fd,
					     .events = POLLPRI };
		fds[nr++] = (struct pollfd){ .fd = watched[i].reconnects_fd,
					     .events = POLLPRI };
	}
	poll(fds, nr, EVENTS_RESCAN);
}

static int run(void)
{
	int err = FINE;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		failure("mlockall: %m; events may stall when no memory is left");
	if (as_json)
		json_lines();
	while (!err && left) {
		/* First: a disk that is attached again is a new one. */
		look_at_all();
		disk_each(meet_disk, NULL);
		reserve_each(meet_reserve, NULL);
		started = true;
		err = out_flush();
		if (!err && left)
			wait_for_change();
	}
	return err;
}

static int parse_count(const char *value)
{
	return option_number("-n", value, 1, 1000000000, &left);
}

int cmd_events(int argc, char **argv)
{
	int i, err = FINE;

	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--json"))
			as_json = true;
		else if (!strcmp(argv[i], "-n"))
			err = parse_count(argv[++i]);
		else if (!strncmp(argv[i], "-n", 2))
			err = parse_count(argv[i] + 2);
		else if (argv[i][0] == '-')
			err = usage_error("%.200s: no such option", argv[i]);
		else if (only)
			err = usage_error("%.200s: only one disk or interface can be given",
					  argv[i]);
		else
			only = argv[i];
	}
	if (err)
		return err;
	if (only)
		only = disk_name(only);
	if (only && !disk_exists(only) && !reserve_exists(only))
		return usage_error("%.200s: neither a disk of ballast nor an interface with a reserve",
				   only);
	return run();
}
