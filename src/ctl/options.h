/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_OPTIONS_H
#define BALLASTCTL_OPTIONS_H

#include <stdbool.h>

#include "ballastctl.h"

/* The attach options of docs/sysfs.md that the command line may have. */
struct options {
	unsigned long seen;	/* a bit each, in options.c's order */
	bool readonly;
	bool has_index;
	char words[1024];	/* all but index, as the kernel takes them */
	long index;
};

/* FINE, or USAGE once it has said what is wrong with @word. */
int options_add(struct options *options, const char *word);

#endif
