/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When blocks of a reserve go to the page allocator and when they return,
 * and whether the reserve is in use.
 */
#ifndef BALLAST_LEND_H
#define BALLAST_LEND_H

#include <linux/types.h>

struct ballast_reserve;

void ballast_lend_start(struct ballast_reserve *res);
void ballast_lend_stop(struct ballast_reserve *res);
void ballast_lend_io_begin(struct ballast_reserve *res);
void ballast_lend_io_end(struct ballast_reserve *res);
void ballast_lend_update(struct ballast_reserve *res);
u64 ballast_lend_in_use_ms(struct ballast_reserve *res);

#endif /* BALLAST_LEND_H */
