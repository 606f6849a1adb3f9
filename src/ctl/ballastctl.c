// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl: attaches and watches ballast's disks and reserves.
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
	{ "list", cmd_list, help_list },
	{ "status", cmd_status, help_status },
	{ "top", cmd_top, help_top },
	{ "metrics", cmd_metrics, help_metrics },
	{ "doctor", cmd_doctor, help_doctor },
	{ "tune", cmd_tune, help_tune },
};

static const char help[] =
	"Usage: ballastctl COMMAND [ARGUMENT ...]\n"
	"Swap to a disk on another machine, and see how it fares.\n"
	"\n"
	"  attach nbd://SERVER/EXPORT   make a disk of an export; --swap: swap to it\n"
	"  detach DISK                  end it\n"
	"  list                         disks and reserves, a line each\n"
	"  status [DISK|INTERFACE]      all there is to know of them\n"
	"  top                          the same, live, with memory beside it\n"
	"  metrics                      for Prometheus\n"
	"  doctor                       what is wrong with this machine, and the cure\n"
	"  tune min-free-kbytes         set vm.min_free_kbytes, safely\n"
	"\n"
	"  ballastctl COMMAND --help    the command's arguments\n"
	"  ballastctl --version\n"
	"\n"
	"Exit status: 0 fine, 1 it did not work, 2 an argument is wrong and nothing was\n"
	"done (doctor: 0 healthy, 1 advice, 2 serious).\n"
	"\n"
	"See ballastctl(8).\n";

static const char *running;	/* the command's name */

/* Made safe for a terminal and a log: whatever is in it, it is one line. */
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
	(void)n;	/* nobody is left to be told */
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
		return failure("cannot write to the standard output: %m");
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
