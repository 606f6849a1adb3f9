/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaces what identifies machines and people in text. The same thing gets the
 * same placeholder each time, such as IPV4-1.
 */
#ifndef BALLASTCTL_REDACT_H
#define BALLASTCTL_REDACT_H

#include <stdio.h>

/*
 * A name that has no form of its own is replaced only where it was registered
 * before. One that is a common word of a report stays, for it tells nothing.
 */
void redact_host(const char *name);
void redact_export(const char *name);

/*
 * Write a line, without a newline: addresses, MACs, machine ids and UUIDs,
 * what stands as export "...", and registered names are replaced.
 */
void redact_line(const char *line, FILE *to);

#endif
