/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_MODULE_H
#define BALLASTCTL_MODULE_H

/* Load the kernel module if it is not loaded: FINE, or FAILED after saying why. */
int module_load(void);

#endif
