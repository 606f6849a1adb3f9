// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl top: shows the activity of disks and reserves, every second.
 *
 * It must work while the machine has no memory left. So it locks itself into
 * memory and allocates only at the start; watch.c keeps the files open.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "options.h"
#include "out.h"
#include "signals.h"
#include "view.h"
#include "watch.h"

const char help_top[] =
	"Usage: ballastctl top [-d SECONDS] [-n COUNT | --once] [--json]\n"
	"Show the activity of each disk and each reserve, and free memory with the\n"
	"kernel's watermarks: a screen, or lines if the output is not a terminal.\n"
	"It locks itself into memory, so it keeps working when none is left.\n"
	"\n"
	"  -d SECONDS   time between updates, 0.1 to 3600 (default 1)\n"
	"  -n COUNT     end after this many updates\n"
	"  --once       the same as -n 1\n"
	"  --json       print one object a line for each update, for programs\n"
	"\n"
	"q or Ctrl-C ends it. LAT is the mean latency of completed requests. Dropped\n"
	"packets are shown by reason, see docs/sysfs.md: of another socket, of another\n"
	"protocol, fragments, over the budget, over packet_limit, malformed. GRADE is\n"
	"how short of memory the machine is: calm, tight or critical.\n";

#define STACK (128 << 10)	/* more than it ever uses */

static bool ended; /* by a key */
static struct termios cooked;
static bool is_json;
static bool is_screen;	/* the output is a terminal, and not for a program */
static bool has_keys;	/* the input is one too */

static bool has_ended(void)
{
	return ended || signals_caught();
}

static void begin_screen(void)
{
	struct termios raw;

	is_screen = !is_json && isatty(STDOUT_FILENO);
	has_keys = is_screen && !tcgetattr(STDIN_FILENO, &cooked);
	if (has_keys) {
		raw = cooked;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (is_screen)
		out("\033[?25l\033[2J");	/* hide the cursor, clear the screen */
}

static void end_screen(void)
{
	if (is_screen)
		out("\033[?25h\n");
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

__attribute__((noinline)) static void touch_stack(void)
{
	volatile char stack[STACK];
	size_t i;

	for (i = 0; i < sizeof(stack); i += 1024)
		stack[i] = 0;
}

/* Allocate at the start: later there may be no memory. */
static int prepare(void)
{
	time_t now = time(NULL);
	struct tm tm;
	int err = memory_open();

	if (err) {
		errno = -err;
		return failure("/proc/zoneinfo: %m");
	}
	localtime_r(&now, &tm);	/* reads the time zone's file */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		failure("mlockall: %m; top may stall when no memory is left");
	touch_stack();
	return FINE;
}

static void show(const struct watch *watch)
{
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	struct timespec clock;
	time_t now;
	char text[16];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &clock);
	if (is_json) {
		view_json(watch, clock.tv_sec + clock.tv_nsec / 1e9);
		return;
	}
	now = clock.tv_sec;
	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	if (!is_screen) {
		view_lines(watch, text);
		return;
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 20)
		size.ws_col = 80;
	view_screen(watch, text, size.ws_col, size.ws_row ? size.ws_row : 24);
}

/* Wait until @when, or for a key or a signal that ends top. */
static void wait_until(double when, const sigset_t *while_waiting)
{
	struct pollfd keys = { .fd = has_keys ? STDIN_FILENO : -1,
			       .events = POLLIN };
	double left;
	char key;

	while (!has_ended() && (left = when - watch_clock()) > 0) {
		struct timespec timeout = {
			.tv_sec = left,
			.tv_nsec = (left - (long)left) * 1e9,
		};

		if (ppoll(&keys, 1, &timeout, while_waiting) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1)
			keys.fd = -1;
		else if (key == 'q' || key == 'Q')
			ended = true;
	}
}

static int run(double interval, long count)
{
	static struct watch watch;
	sigset_t while_waiting;
	double next;
	int err = prepare();

	if (err)
		return err;
	signals_catch();
	signals_block(&while_waiting);
	begin_screen();
	watch_look(&watch);
	next = watch_clock();
	while (!has_ended() && !err) {
		next += interval;
		if (next < watch_clock())	/* it was delayed */
			next = watch_clock() + interval;
		wait_until(next, &while_waiting);
		if (has_ended())
			break;
		watch_look(&watch);
		show(&watch);
		err = out_flush();
		if (count > 0 && !--count)
			break;
	}
	end_screen();
	return err ? err : out_flush();
}

static int read_interval(const char *text, double *interval)
{
	char *end;

	*interval = strtod(text, &end);
	if (end == text || *end || !(*interval >= 0.1) || *interval > 3600)
		return usage_error("-d: %.200s is not a number from 0.1 to 3600",
				   text);
	return FINE;
}

int cmd_top(int argc, char **argv)
{
	double interval = 1;
	const char *value;
	long count = 0;
	int i, err = FINE;

	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--json")) {
			is_json = true;
			continue;
		}
		if (!strcmp(argv[i], "--once")) {
			count = 1;
			continue;
		}
		if (strncmp(argv[i], "-d", 2) && strncmp(argv[i], "-n", 2))
			return usage_error("%.200s: no such option", argv[i]);
		value = argv[i][2] ? argv[i] + 2 : argv[i + 1];
		if (!value)
			return usage_error("%.200s: the number is missing", argv[i]);
		if (argv[i][1] == 'd')
			err = read_interval(value, &interval);
		else
			err = option_number("-n", value, 1, 1000000000, &count);
		if (!argv[i][2])
			i++;
	}
	if (is_json)
		json_lines();
	return err ? err : run(interval, count);
}
