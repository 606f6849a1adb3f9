/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How large a reserve is, and at which headroom it comes into use.
 */
#ifndef BALLAST_SIZE_H
#define BALLAST_SIZE_H

#include <linux/types.h>

struct ballast_reserve;

void ballast_size_init(void);
void ballast_size_follow(struct ballast_reserve *res);
void ballast_size_compute(struct ballast_reserve *res);
unsigned int ballast_size_pages(const struct ballast_reserve *res);
ssize_t ballast_size_explain(const struct ballast_reserve *res, char *buf);

#endif /* BALLAST_SIZE_H */
