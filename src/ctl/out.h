/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_OUT_H
#define BALLASTCTL_OUT_H

#include <stddef.h>

#include "ballastctl.h"

/*
 * The standard output, through a static buffer: it must work when there is no
 * memory. What has gone wrong is told by out_flush, which ends a command.
 */
void out(const char *format, ...) __printf(1, 2);
void out_bytes(const char *text, size_t len);

/* For people: what does not print in UTF-8 is shown as \xNN. */
void out_text(const char *text);

/* FINE, or FAILED once it has said that something could not be written. */
int out_flush(void);

/*
 * How long the character of UTF-8 is that @text begins with; 0: it begins
 * with none, or with one that Unicode forbids.
 */
size_t utf8_length(const char *text);

#endif
