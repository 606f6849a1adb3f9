/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_OUT_H
#define BALLASTCTL_OUT_H

#include <stddef.h>

#include "ballastctl.h"

/*
 * The standard output, through a static buffer, since it must work when no
 * memory is left. out_flush() at the end of a command reports errors.
 */
void out(const char *format, ...) __printf(1, 2);
void out_bytes(const char *text, size_t len);

/* For terminals: a byte that is not printable UTF-8 becomes \xNN. */
void out_text(const char *text);

double mib(double bytes);

/* The "s" of a noun after the number @n. */
const char *plural(long long n);

/* FINE, or FAILED after reporting a failed write. */
int out_flush(void);

/*
 * Length of the UTF-8 character at the beginning of @text; 0: it is not valid
 * UTF-8, or not a character of Unicode.
 */
size_t utf8_length(const char *text);

#endif
