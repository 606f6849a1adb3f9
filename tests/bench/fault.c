// SPDX-License-Identifier: GPL-2.0
/*
 * How long a page takes that has to come from swap, while nothing else wants
 * memory.
 *
 *   fault MIB
 *
 * Prints the median and the 99th percentile, in microseconds, and how many of
 * the pages took a read; what swap's readahead had brought in before did not.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static long major_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_majflt;
}

static size_t resident(void *memory, size_t pages, size_t page)
{
	static unsigned char in[1 << 20];
	size_t nr = 0, i;

	if (pages > sizeof(in) || mincore(memory, pages * page, in))
		err(1, "mincore");
	for (i = 0; i < pages; i++)
		nr += in[i] & 1;
	return nr;
}

/* What is being written stays until it is asked for again. */
static void page_out(void *memory, size_t pages, size_t page)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (madvise(memory, pages * page, MADV_PAGEOUT))
			err(1, "MADV_PAGEOUT");
		if (resident(memory, pages, page) < pages / 50)
			return;
		usleep(50000);
	}
	errx(1, "%zu of %zu pages stay", resident(memory, pages, page), pages);
}

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	size_t page = sysconf(_SC_PAGESIZE), pages, nr = 0, i;
	volatile char *memory;
	double *took;
	long faults;

	if (argc != 2 || atol(argv[1]) < 1)
		errx(2, "usage: fault MIB");
	pages = (size_t)atol(argv[1]) * (1 << 20) / page;
	took = calloc(pages, sizeof(*took));
	memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!took || memory == MAP_FAILED)
		err(1, "memory");
	for (i = 0; i < pages; i++)
		memory[i * page] = i % 251 + 1;
	page_out((void *)memory, pages, page);

	for (i = 0; i < pages; i++) {
		/* In an order that readahead does not guess. */
		size_t at = (i * 40503) % pages;
		double began = now();
		char value;

		faults = major_faults();
		value = memory[at * page];
		if (value != (char)(at % 251 + 1))
			errx(1, "page %zu has %d in it", at, value);
		began = now() - began;
		if (major_faults() > faults)
			took[nr++] = began;
	}
	if (!nr)
		errx(1, "no page was swapped out");
	qsort(took, nr, sizeof(*took), compare);
	printf("%.1f %.1f %zu\n", took[nr / 2], took[nr * 99 / 100], nr);
	return 0;
}
