/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When blocks of a reserve go to the page allocator and when they return.
 */
#ifndef BALLAST_LEND_H
#define BALLAST_LEND_H

#include <linux/types.h>

#include "pressure.h"

struct ballast_reserve;

/**
 * struct ballast_lend_view - input and output of ballast_lend()
 * @hangs: reclaim depends on the network
 * @grade: of the machine
 * @headroom: after lending, in pages; of the last reserve
 * @lent: blocks of a reserve are lent
 */
struct ballast_lend_view {
	bool hangs;
	enum ballast_grade grade;
	long headroom;
	bool lent;
};

enum ballast_grade ballast_lend(struct ballast_reserve *res,
				struct ballast_lend_view *view);
bool ballast_lend_tick(struct ballast_reserve *res, bool hangs);

#endif /* BALLAST_LEND_H */
