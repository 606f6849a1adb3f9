/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_PROGRAM_H
#define BALLASTCTL_PROGRAM_H

/*
 * Run another program, found by PATH or in the sbin directories, its output
 * thrown away and its complaints let through. FINE, or FAILED once that is
 * said. @argv ends with NULL.
 */
int program_run(char *const argv[]);

#endif
