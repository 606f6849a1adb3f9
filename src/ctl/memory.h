/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_MEMORY_H
#define BALLASTCTL_MEMORY_H

/* Sums over all zones, in pages. */
struct memory {
	long long free;
	long long min;
	long long low;
	long long high;
};

/*
 * memory_open allocates all that memory_read needs, so that memory_read works
 * when no memory is left. 0 or -errno.
 */
int memory_open(void);
int memory_read(struct memory *memory);

long long memory_page_size(void);

/* Write the member "memory" of an object. */
void memory_json(const struct memory *memory);

#endif
