/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DETACH_H
#define BALLASTCTL_DETACH_H

/*
 * Detach a disk whose attach can't be completed, after swapping it off and ending
 * its encryption. Reports what was done on stderr.
 */
void detach_undo(const char *disk);

#endif
