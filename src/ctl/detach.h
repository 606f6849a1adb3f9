/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_DETACH_H
#define BALLASTCTL_DETACH_H

/*
 * Write @how, "1" or "force", to a disk's detach file. udev and others open a
 * disk for a moment to probe it, so EBUSY is retried for 3 s. 0 or -errno.
 */
int detach_write(const char *disk, const char *how);

#endif
