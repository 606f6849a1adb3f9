/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /sys/class/ballast/: attach and guard.
 */
#ifndef BALLAST_ATTACH_H
#define BALLAST_ATTACH_H

int ballast_attach_init(void);
void ballast_attach_exit(void);

#endif /* BALLAST_ATTACH_H */
