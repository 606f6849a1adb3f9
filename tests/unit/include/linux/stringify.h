/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User space's stand-in for <linux/stringify.h>.
 */
#ifndef UNIT_LINUX_STRINGIFY_H
#define UNIT_LINUX_STRINGIFY_H

#define __stringify_1(x...)	#x
#define __stringify(x...)	__stringify_1(x)

#endif /* UNIT_LINUX_STRINGIFY_H */
