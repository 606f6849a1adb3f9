/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_PROGRAM_H
#define BALLASTCTL_PROGRAM_H

/*
 * Run another program, found in PATH or in /usr/sbin and /sbin. Its output is
 * discarded; its stderr is not. FINE, or FAILED after reporting the failure.
 * @argv ends with NULL.
 */
int program_run(char *const argv[]);

/*
 * Run it, and call @line for each line of its output and its stderr, without
 * the newline. Its exit status; 127: there is no such program; -1: it can't be
 * started, or a signal ended it.
 */
int program_lines(char *const argv[],
		  void (*line)(const char *text, void *data), void *data);

#endif
