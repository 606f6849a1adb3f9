/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The record of what was acknowledged, and the rule that each read is checked
 * against; for checker.c.
 *
 * The rule, for each sector. Of a write we know when it began, when its order
 * was fixed (its call returned), and when it was in effect: acknowledged, or
 * seen by a read. A read may return a write unless
 *   - that write's order was fixed before another one began, and
 *   - this other one was in effect before the read began.
 * So it returns the last one that was acknowledged before the read began or
 * one that is concurrent, and what has once been replaced never comes back.
 * A read beside a write may return a part of it: file systems of servers
 * promise no more. Each word is then that of a write that the read may return.
 * Times are ticks of a counter, and so a total order.
 */
#ifndef CHECKER_H
#define CHECKER_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECTOR 512
#define WORDS (SECTOR / 8)
#define RING 512 /* writes of a sector that are remembered */
#define DESCRIBED 10 /* violations */
#define MAGIC 0x74736c6c61620a01ULL
#define NEVER UINT64_MAX

/* One write of a sector; times in ticks, 0 is before all. */
struct write {
	uint32_t thread, seq;
	bool zero;
	uint64_t began, ordered, effect;
	uint64_t effect_ns;
};

struct sector {
	struct write ring[RING];
	uint32_t nr; /* ever */
	uint64_t floor; /* a write ordered before is outdated */
	uint32_t floor_thread, floor_seq;
	uint64_t floor_ns; /* when it came into effect */
};

struct thread {
	unsigned int number;
	uint64_t random;
	uint32_t seq;
	unsigned int first, nr; /* sectors that are its own, if buffered */
	uint64_t slowest_ns;
	void *buffer;
	pthread_t id;
};

static struct sector *sectors;
static unsigned int nr_sectors;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t clock_ticks = 1, started_ns, seed;

enum { READ, SWEEPS, WRITE, ZERO, SYNC, KINDS };
static const char *const kinds[] = { "reads", "long reads", "writes",
				     "zero writes", "syncs" };
static uint64_t counts[KINDS], torn_reads, violations, errors;
static bool buffered;

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
static void encode(uint64_t *words, uint32_t thread, uint32_t seq,
		   unsigned int sector)
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
	return &sector->ring[sector->nr++ % RING]; /* so many have failed */
}

static void begin_write(struct thread *thread, unsigned int first,
			unsigned int nr, bool zero)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	thread->seq++;
	clock_ticks++;
	for (i = first; i < first + nr; i++) {
		*new_write(&sectors[i]) = (struct write){
			.thread = thread->number,
			.seq = thread->seq,
			.zero = zero,
			.began = clock_ticks,
			.ordered = NEVER,
			.effect = NEVER,
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
		struct write *write =
			&sector->ring[(sector->nr - 1 - i) % RING];

		if (write->thread == thread && write->seq == seq)
			return write;
	}
	return NULL;
}

/* Its last write has an order now; acknowledged: it is in effect too. */
static void end_write(struct thread *thread, unsigned int first,
		      unsigned int nr, bool acknowledged)
{
	uint64_t ns = now_ns();
	unsigned int i;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = first; i < first + nr; i++) {
		struct write *write =
			find(&sectors[i], thread->number, thread->seq);

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
	uint64_t floor, began;
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

		seen[i] = (struct seen){
			.floor = sector->floor,
			.began = clock_ticks,
			.thread = sector->floor_thread,
			.seq = sector->floor_seq,
			.floor_ns = sector->floor_ns,
			.began_ns = ns,
		};
	}
	pthread_mutex_unlock(&lock);
}

static void violation(unsigned int number, const struct seen *seen,
		      const char *found)
{
	complain(&violations,
		 "VIOLATION: sector %u: found %s; expected thread %u write %u, in effect at %.3f s, "
		 "or a later one; the read began at %.3f s and ended at %.3f s\n",
		 number, found, seen->thread, seen->seq,
		 since_start(seen->floor_ns), since_start(seen->began_ns),
		 since_start(now_ns()));
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

/*
 * The kernel may send a page of its cache while a program changes it. What the
 * server stores then is torn, until the page is written back again: no write
 * of it is in effect before that.
 */
static bool stored_torn(const struct sector *sector, const struct seen *seen)
{
	unsigned int i;

	for (i = 0; buffered && i < RING && i < sector->nr; i++) {
		const struct write *write = &sector->ring[i];

		if (write->effect == NEVER ||
		    write->effect_ns >= seen->began_ns)
			return true;
	}
	return false;
}

/* Each word is of a write that may be seen, and one of them is concurrent. */
static bool read_torn(unsigned int number, const uint64_t *words,
		      const struct seen *seen)
{
	bool fits[WORDS] = { false }, concurrent = false;
	const struct sector *sector = &sectors[number];
	unsigned int i, word;

	for (i = 0; i < RING && i < sector->nr; i++) {
		const struct write *write = &sector->ring[i];
		uint64_t its[WORDS] = { 0 };

		if (write->ordered < seen->floor)
			continue;
		if (!write->zero)
			encode(its, write->thread, write->seq, number);
		for (word = 0; word < WORDS; word++) {
			if (words[word] != its[word])
				continue;
			fits[word] = true;
			concurrent |= write->ordered > seen->began;
		}
	}
	for (word = 0; word < WORDS; word++)
		if (!fits[word])
			return false;
	return concurrent;
}

/* Neither zeroes nor what a write wrote. */
static void check_torn(unsigned int number, const uint64_t *words,
		       const struct seen *seen)
{
	char found[200];

	if (stored_torn(&sectors[number], seen))
		return;
	if (read_torn(number, words, seen)) {
		torn_reads++;
		return;
	}
	snprintf(found, sizeof(found),
		 "garbage (magic %#llx, seed %#llx, writer %#llx, sector %llu)",
		 (unsigned long long)words[0], (unsigned long long)words[1],
		 (unsigned long long)words[2], (unsigned long long)words[3]);
	violation(number, seen, found);
}

static void check_sector(unsigned int number, const uint64_t *words,
			 const struct seen *seen)
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
		check_torn(number, words, seen);
		return;
	}
	write = find(sector, thread, seq);
	if (!write) {
		snprintf(found, sizeof(found),
			 "thread %u write %u, over %u writes old or never made",
			 thread, seq, RING);
		violation(number, seen, found);
	} else if (write->ordered < seen->floor) {
		snprintf(found, sizeof(found),
			 "thread %u write %u, in effect at %.3f s", thread, seq,
			 since_start(write->effect_ns));
		violation(number, seen, found);
	} else {
		take_effect(sector, write, now_ns());
	}
}

static void end_read(unsigned int first, unsigned int nr,
		     const struct seen *seen, const void *buffer)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	clock_ticks++;
	for (i = 0; i < nr; i++)
		check_sector(first + i, (const uint64_t *)buffer + i * WORDS,
			     &seen[i]);
	pthread_mutex_unlock(&lock);
}

#endif /* CHECKER_H */
