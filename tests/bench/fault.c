// SPDX-License-Identifier: GPL-2.0
/*
 * How long a page takes that has to come from swap.
 *
 *   fault MIB TOUCHES
 *
 * Fills so much memory, more than there is, and then reads from so many of its
 * pages in an order that readahead does not guess. Prints the median and the
 * 99th percentile of those that took a read, in microseconds, and how many
 * that were.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

static int compare(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return a < b ? -1 : a > b;
}

int main(int argc, char **argv)
{
	size_t page = sysconf(_SC_PAGESIZE), pages, touches, nr = 0, i;
	volatile unsigned char *memory;
	double *took;

	if (argc != 3 || atol(argv[1]) < 1 || atol(argv[2]) < 1)
		errx(2, "usage: fault MIB TOUCHES");
	pages = (size_t)atol(argv[1]) * (1 << 20) / page;
	touches = atol(argv[2]);
	took = calloc(touches, sizeof(*took));
	memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!took || memory == MAP_FAILED)
		err(1, "memory");
	for (i = 0; i < pages; i++)
		memory[i * page] = i % 251 + 1;

	srand(1);
	for (i = 0; i < touches; i++) {
		size_t at = (size_t)rand() % pages;
		long faults = major_faults();
		double began = now();
		unsigned char value = memory[at * page];

		began = now() - began;
		if (value != at % 251 + 1)
			errx(1, "page %zu has %d in it", at, value);
		if (major_faults() > faults)
			took[nr++] = began;
	}
	if (!nr)
		errx(1, "no page was swapped out");
	qsort(took, nr, sizeof(*took), compare);
	printf("%.1f %.1f %zu\n", took[nr / 2], took[nr * 99 / 100], nr);
	return 0;
}
