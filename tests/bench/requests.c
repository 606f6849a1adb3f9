// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to a disk, so many of them at a time, and the time that one takes.
 *
 *   requests DISK read|write BLOCK DEPTH COUNT [random]
 *
 * A quarter of COUNT is done first and not counted. Prints nanoseconds a
 * request. It does little itself, and the same for each request.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEPTH 128

static struct load {
	aio_context_t context;
	struct iocb control[MAX_DEPTH];
	uint64_t blocks, submitted;
	size_t block;
	int random;
} load;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void submit(struct iocb *control)
{
	uint64_t nr = load.submitted++;

	if (load.random) /* the high bits of a product: every run has the same */
		nr = (nr * 0x9e3779b97f4a7c15) >> 20;
	control->aio_offset = nr % load.blocks * load.block;
	if (syscall(SYS_io_submit, load.context, 1, &control) != 1)
		err(1, "io_submit");
}

/* As many requests end as are submitted. */
static void run(long count, int depth)
{
	struct io_event events[MAX_DEPTH];

	while (count > 0) {
		int i, nr = syscall(SYS_io_getevents, load.context, 1, depth,
				    events, NULL);

		if (nr < 1)
			err(1, "io_getevents");
		for (i = 0; i < nr; i++) {
			if (events[i].res != (int64_t)load.block)
				errx(1, "a request ended with %lld",
				     (long long)events[i].res);
			submit((struct iocb *)events[i].obj);
		}
		count -= nr;
	}
}

static void prepare(const char *disk, int writes, int depth)
{
	int i, fd = open(disk, O_RDWR | O_DIRECT);
	uint64_t size;
	char *memory;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size))
		err(1, "%s", disk);
	load.blocks = size / load.block;
	memory = mmap(NULL, depth * load.block, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "memory");
	if (syscall(SYS_io_setup, depth, &load.context))
		err(1, "io_setup");
	for (i = 0; i < depth; i++)
		load.control[i] = (struct iocb){
			.aio_fildes = fd,
			.aio_lio_opcode = writes ? IOCB_CMD_PWRITE :
						   IOCB_CMD_PREAD,
			.aio_buf = (uintptr_t)(memory + i * load.block),
			.aio_nbytes = load.block,
		};
}

int main(int argc, char **argv)
{
	int depth = argc > 5 ? atoi(argv[4]) : 0, i;
	long count = argc > 5 ? atol(argv[5]) : 0;
	double began;

	if (depth < 1 || depth > MAX_DEPTH || count < 1 || atol(argv[3]) < 512)
		errx(2,
		     "usage: requests DISK read|write BLOCK DEPTH COUNT [random]");
	load.block = atol(argv[3]);
	load.random = argc > 6;
	prepare(argv[1], !strcmp(argv[2], "write"), depth);
	for (i = 0; i < depth; i++)
		submit(&load.control[i]);
	run(count / 4 + 1, depth);
	began = now();
	run(count, depth);
	printf("%.0f\n", (now() - began) / count);
	return 0;
}
