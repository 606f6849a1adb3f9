/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests share. */
#ifndef UNIT_H
#define UNIT_H

/* cmocka.h wants these four, in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>

#define BYTES(...)	((const u8[]){ __VA_ARGS__ })

static void *unit_memory[256];
static unsigned int unit_memory_nr;

/* Memory of just that size, so that ASan sees the first byte too many. */
static inline void *unit_alloc(size_t size)
{
	void *memory = malloc(size);

	assert_true(unit_memory_nr < ARRAY_SIZE(unit_memory));
	assert_non_null(memory);
	unit_memory[unit_memory_nr++] = memory;
	return memory;
}

static inline void *unit_copy(const void *from, size_t size)
{
	void *memory = unit_alloc(size);

	if (size)
		memcpy(memory, from, size);
	return memory;
}

/* The teardown of every test, also of one that failed half-way. */
static inline int unit_free(void **state)
{
	while (unit_memory_nr)
		free(unit_memory[--unit_memory_nr]);
	return 0;
}

#define UNIT_TEST(test)	cmocka_unit_test_teardown(test, unit_free)

#endif /* UNIT_H */
