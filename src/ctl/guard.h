/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_GUARD_H
#define BALLASTCTL_GUARD_H

#include <net/if.h>
#include <stdbool.h>

/* A guarded interface, as /sys/class/ballast/guard lists it. */
struct guard {
	char name[IF_NAMESIZE];
	char options[1024];	/* "allow=tcp:22"; empty: none */
};

/* Call @fn for each guarded interface until it returns false. */
void guard_each(bool (*fn)(const struct guard *guard, void *data), void *data);

/* Print a line "guarded: eth0 (allow=tcp:22) bond0"; nothing if there is none. */
void guard_print(void);

#endif
