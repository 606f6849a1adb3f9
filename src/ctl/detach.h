/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DETACH_H
#define BALLASTCTL_DETACH_H

/*
 * Write @how, "1" or "force", into a disk's detach. Whoever only looks at a
 * disk, such as udev, has it open for a moment: EBUSY is tried again for some
 * seconds. 0 or -errno.
 */
int detach_write(const char *disk, const char *how);

#endif
