/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_PROGRAM_H
#define BALLASTCTL_PROGRAM_H

/*
 * Run another program, found in PATH or in /usr/sbin and /sbin. Its output is
 * discarded; its stderr is not. FINE, or FAILED after reporting the failure.
 * @argv ends with NULL.
 */
int program_run(char *const argv[]);

#endif
