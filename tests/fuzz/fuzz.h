/* SPDX-License-Identifier: GPL-2.0 */
/* What the fuzzers share. */
#ifndef BALLAST_FUZZ_H
#define BALLAST_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>

/* What must hold whatever the input. */
#define REQUIRE(condition)                                              \
	do {                                                            \
		if (!(condition)) {                                     \
			fprintf(stderr, "%s:%d: not so: %s\n",          \
				__FILE__, __LINE__, #condition);        \
			abort();                                        \
		}                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* BALLAST_FUZZ_H */
