/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_LOCK_H
#define BALLASTCTL_LOCK_H

/*
 * Wait up to ten seconds until no other process makes a swap of an export or
 * moves a disk to it, and keep others from both until close() of the returned
 * file descriptor. -1 after reporting which process holds the lock, or why there
 * is none. Until the close(), this process must not close another descriptor of
 * the attach file: that would end the lock.
 */
int lock_export(const char *address, const char *export);

#endif
