/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaces what identifies machines and people in text. The same thing gets the
 * same placeholder each time, such as IPV4-1.
 */
#ifndef BALLASTCTL_REDACT_H
#define BALLASTCTL_REDACT_H

#include <stdio.h>

/*
 * Names have no recognizable form: only registered ones are replaced. Common
 * words of a report are not registered, since they identify nothing.
 */
void redact_host(const char *name);
void redact_export(const char *name);

/*
 * Write @line, which has no newline, with addresses, MACs, machine ids, UUIDs,
 * export "..." and registered names replaced.
 */
void redact_line(const char *line, FILE *to);

#endif
