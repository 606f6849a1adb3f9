// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl: attaches and monitors ballast's disks and reserves.
 */
#include "ballastctl.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "ballastctl"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "attach", cmd_attach, help_attach },
	{ "detach", cmd_detach, help_detach },
	{ "move", cmd_move, help_move },
	{ "guard", cmd_guard, help_guard },
	{ "list", cmd_list, help_list },
	{ "status", cmd_status, help_status },
	{ "top", cmd_top, help_top },
	{ "events", cmd_events, help_events },
	{ "metrics", cmd_metrics, help_metrics },
	{ "doctor", cmd_doctor, help_doctor },
	{ "report", cmd_report, help_report },
	{ "tune", cmd_tune, help_tune },
};

static const char help[] =
	"Usage: ballastctl COMMAND [ARGUMENT ...]\n"
	"Swap to a disk on another machine, and monitor it.\n"
	"\n"
	"  attach nbd://SERVER/EXPORT   attach an export as a disk; --swap: swap to it\n"
	"  detach DISK                  detach a disk\n"
	"  move DISK nbd://...          move a disk to another server\n"
	"  guard INTERFACE              protect network disks of other drivers\n"
	"  list                         list the disks and reserves, one line each\n"
	"  status [DISK|INTERFACE]      show all that is known of disks and reserves\n"
	"  top                          show activity and memory, updated every second\n"
	"  events                       print a line for each change of state\n"
	"  metrics                      print all counters for Prometheus\n"
	"  doctor                       find problems, with the commands that fix them\n"
	"  report [FILE]                collect what a report of a problem needs\n"
	"  tune min-free-kbytes         show or set vm.min_free_kbytes, safely\n"
	"\n"
	"  ballastctl COMMAND --help    show the command's arguments\n"
	"  ballastctl --version\n"
	"\n"
	"Exit status: 0 success, 1 failure, 2 an argument is wrong and nothing was done,\n"
	"3 the disk must not be overwritten (doctor: 0 healthy, 1 advice, 2 serious).\n"
	"\n"
	"See ballastctl(8).\n";

static const char *running;	/* the command's name */

/*
 * Print one line that is safe for terminals and logs: escape every byte that is
 * not printable ASCII.
 */
static void complain(const char *format, va_list args)
{
	char text[1024], line[4 * sizeof(text) + 64], *to = line;
	const char *from;
	ssize_t n;

	vsnprintf(text, sizeof(text), format, args);
	to += sprintf(to, NAME "%s%s: ", running ? " " : "",
		      running ? running : "");
	for (from = text; *from; from++) {
		if (*from >= ' ' && *from <= '~')
			*to++ = *from;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*from);
	}
	*to++ = '\n';
	n = write(STDERR_FILENO, line, to - line);
	(void)n;	/* there is no other place to report it */
}

int usage_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	return USAGE;
}

int failure(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	return FAILED;
}

static int print(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout))
		return failure("standard output: %m");
	return FINE;
}

static bool wants_help(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return usage_error("a command is missing; see ballastctl --help");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return print(help);
	if (!strcmp(argv[1], "--version"))
		return print(NAME " " BALLAST_VERSION "\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (wants_help(argc - 1, argv + 1))
			return print(commands[i].help);
		running = commands[i].name;
		return commands[i].run(argc - 1, argv + 1);
	}
	return usage_error("%.200s: no such command; see ballastctl --help",
			   argv[1]);
}
