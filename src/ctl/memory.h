/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_MEMORY_H
#define BALLASTCTL_MEMORY_H

/* In pages, the sums over all zones. */
struct memory {
	long long free;
	long long min;
	long long low;
	long long high;
};

/*
 * memory_open takes what memory_read will need, so that this can be read when
 * there is no more. 0 or -errno.
 */
int memory_open(void);
int memory_read(struct memory *memory);

long long memory_page_size(void);

#endif
