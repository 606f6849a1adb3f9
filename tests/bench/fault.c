// SPDX-License-Identifier: GPL-2.0
/*
 * How long a page takes that has to come from swap.
 *
 *   fault MIB TOUCHES [RECLAIM [inorder]]
 *
 * Fills so much memory, and then reads from so many of its pages in an order
 * that readahead does not guess, or in that of their addresses. It is more than
 * there is; or RECLAIM is memory.reclaim of the program's control group, by which
 * the pages are swapped out although there is memory, so that no fault has to
 * make room first. Prints the median and the 99th percentile of those that took
 * a read, in microseconds, how many that were, what a page took on average, read
 * or not, and how many pages a second RECLAIM swapped out. Writes a line to its
 * standard error before the reads.
 *
 * Eight bytes each are equal, so pages can be compressed, and are not empty.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MOST_TRIES 3000 /* of 10 ms, to swap out */

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

static void fill(volatile unsigned char *at, size_t page)
{
	static uint64_t state = 1;
	size_t i;

	for (i = 0; i < page; i += sizeof(state)) {
		state = state * 6364136223846793005 + 1442695040888963407;
		*(volatile uint64_t *)(at + i) =
			(state >> 56) * 0x0101010101010101;
	}
}

static size_t resident(void *memory, size_t pages, size_t page)
{
	unsigned char *in = malloc(pages);
	size_t i, nr = 0;

	if (!in || mincore(memory, pages * page, in))
		err(1, "mincore");
	for (i = 0; i < pages; i++)
		nr += in[i] & 1;
	free(in);
	return nr;
}

/*
 * What is reclaimed once is written, and stays in the swap cache; when that is
 * reclaimed, too, it is freed. The file says EAGAIN where it got less.
 */
static void swap_out(const char *reclaim, void *memory, size_t pages,
		     size_t page)
{
	char most[24];
	int i, fd = open(reclaim, O_WRONLY);

	if (fd < 0)
		err(1, "%s", reclaim);
	snprintf(most, sizeof(most), "%zu", pages * page);
	for (i = 0; resident(memory, pages, page) > pages / 50; i++) {
		if (write(fd, most, strlen(most)) < 0 && errno != EAGAIN)
			err(1, "%s", reclaim);
		if (i == MOST_TRIES)
			errx(1, "%zu of %zu pages are still in memory",
			     resident(memory, pages, page), pages);
		usleep(10000);
	}
	close(fd);
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
	double *took, all = 0, out;

	if (argc < 3 || atol(argv[1]) < 1 || atol(argv[2]) < 1)
		errx(2, "usage: fault MIB TOUCHES [RECLAIM [inorder]]");
	pages = (size_t)atol(argv[1]) * (1 << 20) / page;
	touches = atol(argv[2]);
	took = calloc(touches, sizeof(*took));
	memory = mmap(NULL, pages * page, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!took || memory == MAP_FAILED)
		err(1, "memory");
	for (i = 0; i < pages; i++) {
		fill(memory + i * page, page);
		memory[i * page] = i % 251 + 1;
	}
	out = now();
	if (argc > 3)
		swap_out(argv[3], (void *)memory, pages, page);
	out = pages / (now() - out) * 1e6;
	fprintf(stderr, "filled\n");

	srand(1);
	for (i = 0; i < touches; i++) {
		size_t at = (argc > 4 ? i : (size_t)rand()) % pages;
		long faults = major_faults();
		double began = now();
		unsigned char value = memory[at * page];

		began = now() - began;
		all += began;
		if (value != at % 251 + 1)
			errx(1, "page %zu has %d in it", at, value);
		if (major_faults() > faults)
			took[nr++] = began;
	}
	if (!nr)
		errx(1, "no page was swapped out");
	qsort(took, nr, sizeof(*took), compare);
	printf("%.1f %.1f %zu %.1f %.0f\n", took[nr / 2], took[nr * 99 / 100],
	       nr, all / touches, out);
	return 0;
}
