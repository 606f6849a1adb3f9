/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User space has no min() and max(). As in the kernel they evaluate once,
 * and both sides are of one type unless it is named.
 */
#ifndef UNIT_LINUX_MINMAX_H
#define UNIT_LINUX_MINMAX_H

#define UNIT_SAME_TYPE(a, b)                                              \
	_Static_assert(__builtin_types_compatible_p(__typeof__(a),        \
						    __typeof__(b)),       \
		       "min() or max() of two types")

#define UNIT_PICK(type_a, type_b, a, op, b)                               \
	({                                                                \
		type_a unit_a = (a);                                      \
		type_b unit_b = (b);                                      \
									  \
		unit_a op unit_b ? unit_a : unit_b;                       \
	})

#define min(a, b)                                                         \
	({                                                                \
		UNIT_SAME_TYPE(a, b);                                     \
		UNIT_PICK(__typeof__(a), __typeof__(b), a, <, b);         \
	})
#define max(a, b)                                                         \
	({                                                                \
		UNIT_SAME_TYPE(a, b);                                     \
		UNIT_PICK(__typeof__(a), __typeof__(b), a, >, b);         \
	})
#define min_t(type, a, b)	UNIT_PICK(type, type, a, <, b)
#define max_t(type, a, b)	UNIT_PICK(type, type, a, >, b)

#endif /* UNIT_LINUX_MINMAX_H */
