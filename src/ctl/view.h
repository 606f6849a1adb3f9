/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_VIEW_H
#define BALLASTCTL_VIEW_H

#include "watch.h"

/* What was seen, for a terminal @width columns wide: it is overwritten in place. */
void view_screen(const struct watch *watch, const char *time, int width,
		 int height);

/* The same in lines that begin with the time. */
void view_lines(const struct watch *watch, const char *time);

#endif
