/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The module's directories in sysfs. The names of options and files, and the
 * limits, come from ballast/limits.h, which the module uses too.
 */
#ifndef BALLASTCTL_SYSFS_H
#define BALLASTCTL_SYSFS_H

#include <ballast/limits.h>

#define SYSFS_CLASS	"/sys/class/ballast"
#define SYSFS_DISK	"/sys/block/%s/ballast"
#define SYSFS_NIC	"/sys/class/net/%s/ballast"

#define SYSFS_ATTACH	SYSFS_CLASS "/" BALLAST_FILE_ATTACH
#define SYSFS_GUARD	SYSFS_CLASS "/" BALLAST_FILE_GUARD

/* A limit as part of a text. */
#define LIMIT_TEXT(_limit)	LIMIT_TEXT_OF(_limit)
#define LIMIT_TEXT_OF(_value)	#_value

#endif
