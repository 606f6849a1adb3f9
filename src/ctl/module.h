/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_MODULE_H
#define BALLASTCTL_MODULE_H

#include <stdbool.h>

/*
 * Load the kernel module if it is not loaded; @loaded: whether this loaded it.
 * FINE, or FAILED after reporting why, also if only root may use it.
 */
int module_load(bool *loaded);

#endif
