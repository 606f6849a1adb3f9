/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_SYSCTL_CONF_H
#define BALLASTCTL_SYSCTL_CONF_H

/* This file sets vm.min_free_kbytes at boot. */
#define SYSCTL_CONF "/etc/sysctl.d/60-ballast.conf"

/*
 * Replace the file atomically and sync it to disk: 0 or -errno.
 */
int sysctl_conf_write(unsigned long min_free);

#endif
