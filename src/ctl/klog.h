/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_KLOG_H
#define BALLASTCTL_KLOG_H

#include <stdbool.h>
#include <stddef.h>

/* Open the kernel log at its end: a file descriptor, or -1 on error. */
int klog_open(void);

/*
 * Why a write to a file of the module failed with @err, -errno: the last line
 * that the module has logged since klog_open() about @what; if there is none,
 * about @other, unless that is NULL; else the text of @err. A line about a disk
 * begins with "ballast: ballast0: ". Lines of another process may be among them,
 * so @other is for what is logged before the kernel knows @what. Call it once.
 */
void klog_why(int fd, const char *what, const char *other, int err, char *why,
	      size_t size);

void klog_close(int fd);

/*
 * Call @line for each record in the log, from the oldest on, with its time
 * after boot. 0 or -errno.
 */
int klog_each(void (*line)(unsigned long long microseconds, const char *text,
			   void *data),
	      void *data);

#endif
