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
 * The rule, for each sector. Of a write we know when it began, when its order
 * was fixed (its call returned), and when it was in effect: acknowledged, or
 * seen by a read. A read may return a write unless
 *   - that write's order was fixed before another one began, and
 *   - this other one was in effect before the read began.
 * So it returns the last one that was acknowledged before the read began or
 * one that is concurrent, and what has once been replaced never comes back.
 * Times are ticks of a counter, and so a total order.
 *
 * Status: 0; 1: a violation or an error, of which the first few are
 * described; 2: it could not run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SECTOR		512
#define WORDS		(SECTOR / 8)
#define LONGEST		64		/* sectors of a request */
#define SWEEP		256		/* sectors of a long read */
#define PAGE_SECTORS	8		/* buffered requests are of whole pages */
#define RING		512		/* writes of a sector that are remembered */
#define DESCRIBED	10		/* violations */
#define MAGIC		0x74736c6c61620a01ULL
#define MAX_THREADS	32
#define NEVER		UINT64_MAX

/* One write of a sector; times in ticks, 0 is before all. */
struct write {
	uint32_t thread, seq;
	bool zero;
	uint64_t began, ordered, effect;
	uint64_t effect_ns;
};

struct sector {
	struct write ring[RING];
	uint32_t nr;			/* ever */
	uint64_t floor;			/* a write ordered before is outdated */
	uint32_t floor_thread, floor_seq;
	uint64_t floor_ns;		/* when it came into effect */
};

struct thread {
	unsigned int number;
	uint64_t random;
	uint32_t seq;
	unsigned int first, nr;		/* sectors that are its own, if buffered */
	uint64_t slowest_ns;
	void *buffer;
	pthread_t id;
};

static struct sector *sectors;
static unsigned int nr_sectors;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t clock_ticks = 1, started_ns, seed;
static int direct_fd, buffered_fd;
static bool zeroes, buffered;
static volatile sig_atomic_t stop;

enum { READ, SWEEPS, WRITE, ZERO, SYNC, KINDS };
static const char *const kinds[] = { "reads", "long reads", "writes", "zero writes", "syncs" };
static uint64_t counts[KINDS], violations, errors;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static double since_start(uint64_t ns)
{
	return ns ? (ns - started_ns) / 1e9 : 0;
}

static uint64_t next_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned int below(struct thread *thread, unsigned int limit)
{
	return next_random(&thread->random) % limit;
}

/* Under the lock. */
static void complain(uint64_t *count, const char *format, ...)
{
	va_list arguments;

	if (++*count > DESCRIBED)
		return;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fflush(stdout);
}

/* What a sector holds: who wrote it, and the rest follows from that. */
static void encode(uint64_t *words, uint32_t thread, uint32_t seq, unsigned int sector)
{
	uint64_t state, sum = 0;
	unsigned int i;

	words[0] = MAGIC;
	words[1] = seed;
	words[2] = (uint64_t)thread << 32 | seq;
	words[3] = sector;
	state = words[1] ^ words[2] << 20 ^ words[3];
	for (i = 4; i < WORDS - 1; i++)
		words[i] = next_random(&state);
	for (i = 0; i < WORDS - 1; i++)
		sum = (sum ^ words[i]) * 0x100000001b3ULL;
	words[WORDS - 1] = sum;
}

static bool all_zero(const uint64_t *words)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		if (words[i])
			return false;
	return true;
}

/* The place of the oldest write that is not under way. */
static struct write *new_write(struct sector *sector)
{
	unsigned int i;

	for (i = 0; i < RING / 2; i++) {
		struct write *write = &sector->ring[sector->nr++ % RING];

		if (write->ordered != NEVER)
			return write;
	}
	return &sector->ring[sector->nr++ % RING];	/* so many have failed */
}

static void begin_write(struct thread *thread, unsigned int first, unsigned int nr, bool zero)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	thread->seq++;
	clock_ticks++;
	for (i = first; i < first + nr; i++) {
		*new_write(&sectors[i]) = (struct write){
			.thread = thread->number, .seq = thread->seq, .zero = zero,
			.began = clock_ticks, .ordered = NEVER, .effect = NEVER,
		};
	}
	pthread_mutex_unlock(&lock);
}

/* Under the lock: a write is in effect from now on. */
static void take_effect(struct sector *sector, struct write *write, uint64_t ns)
{
	if (write->effect != NEVER)
		return;
	write->effect = clock_ticks;
	write->effect_ns = ns;
	if (write->began > sector->floor) {
		sector->floor = write->began;
		sector->floor_thread = write->thread;
		sector->floor_seq = write->seq;
		sector->floor_ns = ns;
	}
}

static struct write *find(struct sector *sector, uint32_t thread, uint32_t seq)
{
	unsigned int i;

	for (i = 0; i < RING && i < sector->nr; i++) {
		struct write *write = &sector->ring[(sector->nr - 1 - i) % RING];

		if (write->thread == thread && write->seq == seq)
			return write;
	}
	return NULL;
}

/* Its last write has an order now; acknowledged: it is in effect too. */
static void end_write(struct thread *thread, unsigned int first, unsigned int nr,
		      bool acknowledged)
{
	uint64_t ns = now_ns();
	unsigned int i;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = first; i < first + nr; i++) {
		struct write *write = find(&sectors[i], thread->number, thread->seq);

		if (!write)
			continue;
		write->ordered = clock_ticks;
		if (acknowledged)
			take_effect(&sectors[i], write, ns);
	}
	pthread_mutex_unlock(&lock);
}

/* All that the thread has written there is in effect. */
static void end_sync(struct thread *thread, unsigned int first, unsigned int nr)
{
	uint64_t ns = now_ns();
	unsigned int i, j;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = first; i < first + nr; i++) {
		struct sector *sector = &sectors[i];

		for (j = 0; j < RING && j < sector->nr; j++)
			if (sector->ring[j].thread == thread->number &&
			    sector->ring[j].ordered != NEVER)
				take_effect(sector, &sector->ring[j], ns);
	}
	pthread_mutex_unlock(&lock);
}

struct seen {
	uint64_t floor;
	uint32_t thread, seq;
	uint64_t floor_ns, began_ns;
};

static void begin_read(unsigned int first, unsigned int nr, struct seen *seen)
{
	uint64_t ns = now_ns();
	unsigned int i;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = 0; i < nr; i++) {
		struct sector *sector = &sectors[first + i];

		seen[i] = (struct seen){ sector->floor, sector->floor_thread, sector->floor_seq,
					 sector->floor_ns, ns };
	}
	pthread_mutex_unlock(&lock);
}

static void violation(unsigned int number, const struct seen *seen, const char *found)
{
	complain(&violations,
		 "VIOLATION: sector %u: found %s; expected thread %u write %u, in effect at %.3f s, "
		 "or a later one; the read began at %.3f s and ended at %.3f s\n",
		 number, found, seen->thread, seen->seq, since_start(seen->floor_ns),
		 since_start(seen->began_ns), since_start(now_ns()));
}

/* Zeroes: any zero write that may be seen will do. */
static void check_zero(unsigned int number, const struct seen *seen)
{
	struct sector *sector = &sectors[number];
	unsigned int i, fitting = 0;
	struct write *last = NULL;

	for (i = 0; i < RING && i < sector->nr; i++) {
		struct write *write = &sector->ring[i];

		if (write->zero && write->ordered >= seen->floor) {
			fitting++;
			last = write;
		}
	}
	if (!fitting)
		violation(number, seen, "zeroes");
	else if (fitting == 1)
		take_effect(sector, last, now_ns());
}

static void check_sector(unsigned int number, const uint64_t *words, const struct seen *seen)
{
	struct sector *sector = &sectors[number];
	uint32_t thread = words[2] >> 32, seq = words[2];
	uint64_t right[WORDS];
	struct write *write;
	char found[200];

	if (all_zero(words)) {
		check_zero(number, seen);
		return;
	}
	encode(right, thread, seq, number);
	if (memcmp(right, words, SECTOR)) {
		snprintf(found, sizeof(found),
			 "garbage (magic %#llx, seed %#llx, writer %#llx, sector %llu)",
			 (unsigned long long)words[0], (unsigned long long)words[1],
			 (unsigned long long)words[2], (unsigned long long)words[3]);
		violation(number, seen, found);
		return;
	}
	write = find(sector, thread, seq);
	if (!write) {
		snprintf(found, sizeof(found), "thread %u write %u, over %u writes old or never made",
			 thread, seq, RING);
		violation(number, seen, found);
	} else if (write->ordered < seen->floor) {
		snprintf(found, sizeof(found), "thread %u write %u, in effect at %.3f s",
			 thread, seq, since_start(write->effect_ns));
		violation(number, seen, found);
	} else {
		take_effect(sector, write, now_ns());
	}
}

static void end_read(unsigned int first, unsigned int nr, const struct seen *seen,
		     const void *buffer)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = 0; i < nr; i++)
		check_sector(first + i, (const uint64_t *)buffer + i * WORDS, &seen[i]);
	pthread_mutex_unlock(&lock);
}

/* Returns whether a call that took from began_ns on did what it should. */
static bool done(struct thread *thread, int kind, unsigned int first, unsigned int nr,
		 uint64_t began_ns, long result, long expected)
{
	uint64_t took = now_ns() - began_ns;
	int err = errno;

	if (took > thread->slowest_ns)
		thread->slowest_ns = took;
	pthread_mutex_lock(&lock);
	counts[kind]++;
	if (result != expected)
		complain(&errors, "ERROR: %s of sectors %u to %u: %s; it began at %.3f s, ended at %.3f s\n",
			 kinds[kind], first, first + nr - 1,
			 result < 0 ? strerror(err) : "too short",
			 since_start(began_ns), since_start(now_ns()));
	pthread_mutex_unlock(&lock);
	return result == expected;
}

static void do_read(struct thread *thread, int kind, unsigned int first, unsigned int nr)
{
	struct seen seen[SWEEP];
	uint64_t began = now_ns();
	long result;

	begin_read(first, nr, seen);
	result = pread(direct_fd, thread->buffer, nr * SECTOR, (off_t)first * SECTOR);
	if (done(thread, kind, first, nr, began, result, nr * SECTOR))
		end_read(first, nr, seen, thread->buffer);
}

/* What failed may have been done, or be done yet: it stays without an order. */
static void do_write(struct thread *thread, int fd, unsigned int first, unsigned int nr)
{
	uint64_t began = now_ns();
	unsigned int i;
	long result;

	begin_write(thread, first, nr, false);
	for (i = 0; i < nr; i++)
		encode((uint64_t *)thread->buffer + i * WORDS, thread->number, thread->seq,
		       first + i);
	result = pwrite(fd, thread->buffer, nr * SECTOR, (off_t)first * SECTOR);
	if (done(thread, WRITE, first, nr, began, result, nr * SECTOR))
		end_write(thread, first, nr, fd == direct_fd);
}

static void do_zero(struct thread *thread, unsigned int first, unsigned int nr)
{
	uint64_t range[2] = { (uint64_t)first * SECTOR, (uint64_t)nr * SECTOR };
	uint64_t began = now_ns();

	begin_write(thread, first, nr, true);
	if (done(thread, ZERO, first, nr, began, ioctl(direct_fd, BLKZEROOUT, range), 0))
		end_write(thread, first, nr, true);
}

static void do_sync(struct thread *thread)
{
	uint64_t began = now_ns();

	if (done(thread, SYNC, thread->first, thread->nr, began, fsync(buffered_fd), 0))
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
	unsigned int what = below(thread, 16), pages = thread->nr / PAGE_SECTORS;
	unsigned int nr = 1 + below(thread, LONGEST / PAGE_SECTORS), first;

	if (what < 5) {
		read_step(thread, !what);
	} else if (what < 7) {
		do_sync(thread);
	} else {
		if (nr > pages)
			nr = pages;
		first = thread->first + PAGE_SECTORS * below(thread, pages - nr + 1);
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
		nr = nr_sectors - first < LONGEST ? nr_sectors - first : LONGEST;
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
	printf("seed %llu, %.0f s:", (unsigned long long)seed, since_start(now_ns()));
	for (i = 0; i < KINDS; i++)
		printf(" %llu %s,", (unsigned long long)counts[i], kinds[i]);
	printf(" the slowest %.1f s; %llu violations, %llu errors\n", slowest / 1e9,
	       (unsigned long long)violations, (unsigned long long)errors);
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS + 1];	/* and one for all() */
	unsigned int i, seconds, nr_threads, share;
	struct sigaction action = { .sa_handler = on_signal };

	if (argc < 6)
		return fprintf(stderr, "checker DISK SEED SECONDS THREADS SECTORS [zero] [buffered]\n"), 2;
	seed = strtoull(argv[2], NULL, 0);
	seconds = atoi(argv[3]);
	nr_threads = atoi(argv[4]);
	nr_sectors = atoi(argv[5]);
	for (i = 6; i < (unsigned int)argc; i++) {
		zeroes |= !strcmp(argv[i], "zero");
		buffered |= !strcmp(argv[i], "buffered");
	}
	share = nr_threads ? nr_sectors / nr_threads / PAGE_SECTORS * PAGE_SECTORS : 0;
	if (nr_threads > MAX_THREADS || !share || nr_sectors < LONGEST)
		return fprintf(stderr, "1 to %u threads, %u sectors and more, 8 for each thread\n",
			       MAX_THREADS, LONGEST), 2;

	direct_fd = open(argv[1], O_RDWR | O_DIRECT);
	buffered_fd = open(argv[1], O_RDWR);
	sectors = calloc(nr_sectors, sizeof(*sectors));
	if (direct_fd < 0 || buffered_fd < 0 || !sectors)
		die(argv[1]);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	for (i = 0; i <= nr_threads; i++) {
		struct thread *thread = &threads[i];

		thread->number = i;
		thread->random = seed + 0x1234567 * (i + 1ULL);
		thread->first = i * share;
		thread->nr = share;
		if (posix_memalign(&thread->buffer, 4096, SWEEP * SECTOR))
			die("memory");
	}
	started_ns = now_ns();
	all(&threads[nr_threads], true);
	printf("seed %llu\nrunning\n", (unsigned long long)seed);
	fflush(stdout);

	/* Only this thread takes the signals: a call under way is not interrupted. */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < nr_threads; i++) {
		sigset_t most;

		sigfillset(&most);
		pthread_sigmask(SIG_BLOCK, &most, NULL);
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			die("thread");
		pthread_sigmask(SIG_UNBLOCK, &most, NULL);
	}
	alarm(seconds);
	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i].id, NULL);
	all(&threads[nr_threads], false);
	report(threads, nr_threads + 1);
	return violations || errors;
}
