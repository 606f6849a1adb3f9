/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_VIEW_H
#define BALLASTCTL_VIEW_H

#include "watch.h"

/* Show @watch on a terminal of @width columns, over the previous screen. */
void view_screen(const struct watch *watch, const char *time, int width,
		 int height);

/* Print it as lines that begin with the time. */
void view_lines(const struct watch *watch, const char *time);

/* Print it as one line of JSON; @time is in seconds since 1970. */
void view_json(const struct watch *watch, double time);

#endif
