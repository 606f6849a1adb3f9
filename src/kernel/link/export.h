/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether an export can be a disk, and whether a server's export is still the
 * one that the disk was attached to. No kernel dependencies and any context:
 * builds in user space too.
 */
#ifndef BALLAST_EXPORT_H
#define BALLAST_EXPORT_H

#include <linux/types.h>

struct wire_export;

int ballast_export_check(struct wire_export *export, u32 page_size,
			 const char **why);
const char *ballast_export_differs(const struct wire_export *was,
				   const struct wire_export *is,
				   bool multi_conn, bool readonly);

#endif /* BALLAST_EXPORT_H */
