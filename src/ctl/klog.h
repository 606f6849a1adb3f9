/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_KLOG_H
#define BALLASTCTL_KLOG_H

#include <stdbool.h>
#include <stddef.h>

/* The kernel log from here on: a descriptor, or -1 where it can't be read. */
int klog_open(void);

/*
 * The last line that the module has logged since about attaching @disk,
 * without its "ballast: "; false: none. May be asked once.
 */
bool klog_complaint(int fd, const char *disk, char *line, size_t size);

void klog_close(int fd);

#endif
