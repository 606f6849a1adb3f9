/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_PROCESS_H
#define BALLASTCTL_PROCESS_H

#include <stdbool.h>

/*
 * Call @fn with the inode of each socket that a process has open, until it
 * returns false. Those of other users' processes are found by root only.
 */
void process_each_socket(const char *pid,
			 bool (*fn)(unsigned long inode, void *data),
			 void *data);

#endif
