/* SPDX-License-Identifier: GPL-2.0 */
/* Tests have one thread. A lock only checks that it is taken and released in turn. */
#ifndef UNIT_LINUX_SPINLOCK_H
#define UNIT_LINUX_SPINLOCK_H

#include <assert.h>
#include <stdbool.h>

typedef struct {
	bool held;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->held = false;
}

#define spin_lock_irqsave(lock, flags)  \
	do {                            \
		assert(!(lock)->held);  \
		(lock)->held = true;    \
		(flags) = 1;            \
	} while (0)

#define spin_unlock_irqrestore(lock, flags) \
	do {                                \
		assert((lock)->held);       \
		assert((flags) == 1);       \
		(lock)->held = false;       \
	} while (0)

#define lockdep_assert_held(lock)	assert((lock)->held)

#endif /* UNIT_LINUX_SPINLOCK_H */
