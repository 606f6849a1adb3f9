/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The thread that makes a disk's connections, and makes them anew.
 */
#ifndef BALLAST_RECONNECT_H
#define BALLAST_RECONNECT_H

struct ballast_disk;

int ballast_reconnect_start(struct ballast_disk *disk);
void ballast_reconnect_stop(struct ballast_disk *disk);
void ballast_reconnect_end(struct ballast_disk *disk);

#endif /* BALLAST_RECONNECT_H */
