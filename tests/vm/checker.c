// SPDX-License-Identifier: GPL-2.0
/*
 * Records what a disk has acknowledged, and checks each read against it.
 *
 *   checker DISK SEED SECONDS THREADS SECTORS [zero] [buffered]
 *
 * THREADS threads read and write the first SECTORS sectors, of 512 bytes, with
 * O_DIRECT, in requests of varying length that overlap; one is under way in
 * each thread. zero: they write zeroes too, which tell nothing of their
 * writer. buffered: each thread has sectors of its own, and what it writes
 * goes through the page cache and is acknowledged by fsync(); reads of all
 * sectors are direct. It ends after SECONDS or on SIGTERM, and then reads
 * all of it once more.
 *
 * checker.h has the record and the rule.
 *
 * Status: 0; 1: a violation or an error, of which the first few are
 * described; 2: it could not run.
 */
#define _GNU_SOURCE
#include "checker.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONGEST 64 /* sectors of a request */
#define SWEEP 256 /* sectors of a long read */
#define PAGE_SECTORS 8 /* buffered requests are of whole pages */
#define MAX_THREADS 32

static int direct_fd, buffered_fd;
static bool zeroes;
static volatile sig_atomic_t stop;

/* Returns whether a call that took from began_ns on did what it should. */
static bool done(struct thread *thread, int kind, unsigned int first,
		 unsigned int nr, uint64_t began_ns, long result, long expected)
{
	uint64_t took = now_ns() - began_ns;
	int err = errno;

	if (took > thread->slowest_ns)
		thread->slowest_ns = took;
	pthread_mutex_lock(&lock);
	counts[kind]++;
	if (result != expected)
		complain(&errors,
			 "ERROR: %s of sectors %u to %u: %s; it began at %.3f s, ended at %.3f s\n",
			 kinds[kind], first, first + nr - 1,
			 result < 0 ? strerror(err) : "too short",
			 since_start(began_ns), since_start(now_ns()));
	pthread_mutex_unlock(&lock);
	return result == expected;
}

static void do_read(struct thread *thread, int kind, unsigned int first,
		    unsigned int nr)
{
	struct seen seen[SWEEP];
	uint64_t began = now_ns();
	long result;

	begin_read(first, nr, seen);
	result = pread(direct_fd, thread->buffer, nr * SECTOR,
		       (off_t)first * SECTOR);
	if (done(thread, kind, first, nr, began, result, nr * SECTOR))
		end_read(first, nr, seen, thread->buffer);
}

/* What failed may have been done, or be done yet: it stays without an order. */
static void do_write(struct thread *thread, int fd, unsigned int first,
		     unsigned int nr)
{
	uint64_t began = now_ns();
	unsigned int i;
	long result;

	begin_write(thread, first, nr, false);
	for (i = 0; i < nr; i++)
		encode((uint64_t *)thread->buffer + i * WORDS, thread->number,
		       thread->seq, first + i);
	result = pwrite(fd, thread->buffer, nr * SECTOR, (off_t)first * SECTOR);
	if (done(thread, WRITE, first, nr, began, result, nr * SECTOR))
		end_write(thread, first, nr, fd == direct_fd);
}

static void do_zero(struct thread *thread, unsigned int first, unsigned int nr)
{
	uint64_t range[2] = { (uint64_t)first * SECTOR, (uint64_t)nr * SECTOR };
	uint64_t began = now_ns();

	begin_write(thread, first, nr, true);
	if (done(thread, ZERO, first, nr, began,
		 ioctl(direct_fd, BLKZEROOUT, range), 0))
		end_write(thread, first, nr, true);
}

static void do_sync(struct thread *thread)
{
	uint64_t began = now_ns();

	if (done(thread, SYNC, thread->first, thread->nr, began,
		 fsync(buffered_fd), 0))
		end_sync(thread, thread->first, thread->nr);
}

/* Mostly short, up to the longest. */
static unsigned int some_length(struct thread *thread)
{
	return 1 + below(thread, 1 + below(thread, LONGEST));
}

static unsigned int some_place(struct thread *thread, unsigned int nr)
{
	return below(thread, nr_sectors - nr + 1);
}

static void read_step(struct thread *thread, bool sweep)
{
	unsigned int nr = sweep ? SWEEP : some_length(thread);

	if (nr > nr_sectors)
		nr = nr_sectors;
	do_read(thread, sweep ? SWEEPS : READ, some_place(thread, nr), nr);
}

static void direct_step(struct thread *thread)
{
	unsigned int what = below(thread, 16), nr = some_length(thread);

	if (what < 8)
		read_step(thread, !what);
	else if (zeroes && what == 8)
		do_zero(thread, some_place(thread, nr), nr);
	else
		do_write(thread, direct_fd, some_place(thread, nr), nr);
}

static void buffered_step(struct thread *thread)
{
	unsigned int what = below(thread, 16),
		     pages = thread->nr / PAGE_SECTORS;
	unsigned int nr = 1 + below(thread, LONGEST / PAGE_SECTORS), first;

	if (what < 5) {
		read_step(thread, !what);
	} else if (what < 7) {
		do_sync(thread);
	} else {
		if (nr > pages)
			nr = pages;
		first = thread->first +
			PAGE_SECTORS * below(thread, pages - nr + 1);
		do_write(thread, buffered_fd, first, nr * PAGE_SECTORS);
	}
}

static void *run(void *argument)
{
	struct thread *thread = argument;

	while (!stop) {
		if (buffered)
			buffered_step(thread);
		else
			direct_step(thread);
	}
	if (buffered)
		do_sync(thread);
	return NULL;
}

/* All sectors, in order: to write them first, and to read them at last. */
static void all(struct thread *thread, bool write)
{
	unsigned int first, nr;

	for (first = 0; first < nr_sectors; first += nr) {
		nr = nr_sectors - first < LONGEST ? nr_sectors - first :
						    LONGEST;
		if (write)
			do_write(thread, direct_fd, first, nr);
		else
			do_read(thread, READ, first, nr);
	}
}

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void report(const struct thread *threads, unsigned int nr)
{
	uint64_t slowest = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (threads[i].slowest_ns > slowest)
			slowest = threads[i].slowest_ns;
	printf("seed %llu, %.0f s:", (unsigned long long)seed,
	       since_start(now_ns()));
	for (i = 0; i < KINDS; i++)
		printf(" %llu %s,", (unsigned long long)counts[i], kinds[i]);
	printf(" %llu torn, the slowest %.1f s; %llu violations, %llu errors\n",
	       (unsigned long long)torn_reads, slowest / 1e9,
	       (unsigned long long)violations, (unsigned long long)errors);
}

static void usage(void)
{
	fprintf(stderr,
		"checker DISK SEED SECONDS THREADS SECTORS [zero] [buffered]\n"
		"1 to %u threads, %u sectors and more, 8 for each thread\n",
		MAX_THREADS, LONGEST);
	exit(2);
}

/* Open the disk and give each thread its sectors; one more is for all(). */
static void prepare(const char *disk, struct thread *threads, unsigned int nr)
{
	unsigned int i, share;

	share = nr ? nr_sectors / nr / PAGE_SECTORS * PAGE_SECTORS : 0;
	if (nr > MAX_THREADS || !share || nr_sectors < LONGEST)
		usage();
	direct_fd = open(disk, O_RDWR | O_DIRECT);
	buffered_fd = open(disk, O_RDWR);
	sectors = calloc(nr_sectors, sizeof(*sectors));
	if (direct_fd < 0 || buffered_fd < 0 || !sectors)
		die(disk);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	for (i = 0; i <= nr; i++) {
		struct thread *thread = &threads[i];

		thread->number = i;
		thread->random = seed + 0x1234567 * (i + 1ULL);
		thread->first = i * share;
		thread->nr = share;
		if (posix_memalign(&thread->buffer, 4096, SWEEP * SECTOR))
			die("memory");
	}
}

/* Only the caller takes the signals: a call under way is not interrupted. */
static void run_threads(struct thread *threads, unsigned int nr,
			unsigned int seconds)
{
	struct sigaction action = { .sa_handler = on_signal };
	unsigned int i;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < nr; i++) {
		sigset_t most;

		sigfillset(&most);
		pthread_sigmask(SIG_BLOCK, &most, NULL);
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			die("thread");
		pthread_sigmask(SIG_UNBLOCK, &most, NULL);
	}
	alarm(seconds);
	for (i = 0; i < nr; i++)
		pthread_join(threads[i].id, NULL);
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS + 1]; /* and one for all() */
	unsigned int nr_threads;
	int i;

	if (argc < 6)
		usage();
	seed = strtoull(argv[2], NULL, 0);
	nr_threads = atoi(argv[4]);
	nr_sectors = atoi(argv[5]);
	for (i = 6; i < argc; i++) {
		zeroes |= !strcmp(argv[i], "zero");
		buffered |= !strcmp(argv[i], "buffered");
	}
	prepare(argv[1], threads, nr_threads);
	started_ns = now_ns();
	all(&threads[nr_threads], true);
	printf("seed %llu\nrunning\n", (unsigned long long)seed);
	fflush(stdout);
	run_threads(threads, nr_threads, atoi(argv[3]));
	all(&threads[nr_threads], false);
	report(threads, nr_threads + 1);
	return violations || errors;
}
