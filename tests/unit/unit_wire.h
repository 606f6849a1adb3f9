/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the NBD wire format share. What is right is said by the
 * protocol's text, so the tests write the bytes out and do not use the names
 * in wire.h.
 */
#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

#include "unit.h"

#include "wire.h"

/* That a function fails, sets *why and says just that. */
#define assert_wire_error(call, errno_, text)                             \
	do {                                                              \
		why = NULL;                                               \
		assert_int_equal(call, -(errno_));                        \
		assert_non_null(why);                                     \
		assert_string_equal(why, text);                           \
	} while (0)

#define assert_wire_ok(call)                                              \
	do {                                                              \
		why = NULL;                                               \
		assert_int_equal(call, 0);                                \
		assert_null(why);                                         \
	} while (0)

static const char *why;

#endif /* UNIT_WIRE_H */
