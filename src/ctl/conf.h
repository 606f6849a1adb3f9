/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_CONF_H
#define BALLASTCTL_CONF_H

#include "ballastctl.h"

/*
 * Replace a file by @text, atomically, and sync it to disk: 0 or -errno. The
 * path is a format; the temporary file's name does not end in .conf.
 */
int conf_write(const char *text, const char *format, ...) __printf(2, 3);

/* The same for a new file. -EEXIST: it exists, and stays as it is. */
int conf_create(const char *text, const char *format, ...) __printf(2, 3);

#endif
