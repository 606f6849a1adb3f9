/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_H
#define BALLASTCTL_H

#define __printf(a, b) __attribute__((format(printf, a, b)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What ballastctl exits with; doctor's advice and worse are 1 and 2 too. */
enum {
	FINE = 0,
	FAILED = 1,	/* it was tried, and did not work */
	USAGE = 2,	/* an argument is wrong; nothing was tried */
};

/*
 * The commands. argv[0] is the command's name; --help never comes here, it
 * prints the command's help_ text.
 */
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_tune(int argc, char **argv);

extern const char help_attach[];
extern const char help_detach[];
extern const char help_list[];
extern const char help_status[];
extern const char help_top[];
extern const char help_metrics[];
extern const char help_doctor[];
extern const char help_tune[];

/*
 * One line to stderr, "ballastctl COMMAND: ...", whatever the arguments have
 * in them: what does not print is shown as \xNN. Returns USAGE, or FAILED.
 */
int usage_error(const char *format, ...) __printf(1, 2);
int failure(const char *format, ...) __printf(1, 2);

#endif
