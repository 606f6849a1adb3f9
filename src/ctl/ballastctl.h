/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_H
#define BALLASTCTL_H

#define __printf(a, b) __attribute__((format(printf, a, b)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Exit status; doctor uses 1 for advice and 2 for serious findings. */
enum {
	FINE = 0,
	FAILED = 1,
	USAGE = 2,	/* an argument is wrong; nothing was done */
	REFUSED = 3,	/* what the disk holds must not be overwritten */
};

/*
 * The commands. argv[0] is the command's name. main() handles --help: it
 * prints the command's help_ text.
 */
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_guard(int argc, char **argv);
int cmd_move(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_tune(int argc, char **argv);

extern const char help_attach[];
extern const char help_detach[];
extern const char help_guard[];
extern const char help_move[];
extern const char help_events[];
extern const char help_list[];
extern const char help_status[];
extern const char help_top[];
extern const char help_metrics[];
extern const char help_doctor[];
extern const char help_report[];
extern const char help_tune[];

/*
 * Print one line, "ballastctl COMMAND: ...", to stderr. A byte that is not
 * printable ASCII becomes \xNN. They return USAGE and FAILED.
 */
int usage_error(const char *format, ...) __printf(1, 2);
int failure(const char *format, ...) __printf(1, 2);

#endif
