/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DETACH_H
#define BALLASTCTL_DETACH_H

/*
 * Detach a disk whose attach can't be completed, after swapping it off and ending
 * its encryption. Reports what was done on stderr. @identity: the disk's, as
 * persist_identity() has it; another disk that has its name now is left alone.
 */
void detach_undo(const char *disk, unsigned long long identity);

#endif
