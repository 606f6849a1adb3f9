/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_OPTIONS_H
#define BALLASTCTL_OPTIONS_H

#include <stdbool.h>

#include "ballastctl.h"

/* Attach options on the command line; docs/sysfs.md describes them. */
struct options {
	unsigned long seen;	/* bits, in the order of options.c */
	bool readonly;
	bool has_index;
	char words[2048];	/* all but index, in the kernel's syntax */
	long index;
};

/* FINE, or USAGE after reporting what is wrong with @word. */
int options_add(struct options *options, const char *word);

/*
 * Get the number from @min to @max that is the value of a command's option; @text
 * NULL: it is missing. FINE, or USAGE after reporting what is wrong.
 */
int option_number(const char *option, const char *text, long min, long max,
		  long *number);

#endif
