// SPDX-License-Identifier: GPL-2.0
/*
 * Raises vm.min_free_kbytes, see raise.h.
 *
 * The watermarks rise with the value at once, free memory does not. While free
 * memory is below the new min watermark, every allocation has to reclaim, all
 * at the same time; for gigabytes that is a hang. So raise it in steps that
 * leave free memory over min, let kswapd free the memory for a step before the
 * next, and restore the old value when an allocation has to reclaim.
 */
#include "raise.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "doctor.h"
#include "files.h"
#include "memory_rules.h"
#include "signals.h"

#define POLL_MS		20
#define DWELL_MS	60	/* the least time for a step */
#define IDLE_MS		1000	/* kswapd sleeps if it did not scan this long */
#define STEP_MS		10000	/* the most time that kswapd gets for a step */
#define BEFORE_MS	1000	/* without direct reclaim before the first step */
#define AFTER_MS	1000	/* and after the last */

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_a_little(void)
{
	struct timespec time = { .tv_nsec = POLL_MS * 1000000 };

	nanosleep(&time, NULL);
}

int set_min_free(unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu\n", value);
	return file_write(text, "/proc/sys/vm/min_free_kbytes");
}

/* Counters of reclaim; @begin: before the first step. */
struct watch {
	struct reclaim begin;
	struct reclaim now;
};

static enum raise_end look(struct watch *watch)
{
	int err = reclaim_read(&watch->now);

	if (err) {
		errno = -err;
		return RAISE_FAILED;
	}
	if (signals_caught())
		return RAISE_INTERRUPTED;
	if (watch->now.stalls != watch->begin.stalls ||
	    watch->now.direct != watch->begin.direct)
		return RAISE_RECLAIM;
	return RAISE_DONE;
}

static enum raise_end look_for(struct watch *watch, long ms)
{
	long end = now_ms() + ms;
	enum raise_end how;

	do {
		how = look(watch);
		if (how != RAISE_DONE)
			return how;
		pause_a_little();
	} while (now_ms() < end);
	return look(watch);
}

/*
 * Wait until free memory is over the high watermarks. Between low and high the
 * kernel does not wake kswapd, so if kswapd sleeps there, do not wait longer.
 */
static enum raise_end settle(struct watch *watch)
{
	static struct zoneinfo zones;
	long begin = now_ms(), scanned_at = begin, now;
	long long scanned = watch->now.kswapd;
	enum raise_end how;
	int err;

	for (;;) {
		pause_a_little();
		how = look(watch);
		if (how != RAISE_DONE)
			return how;
		err = zoneinfo_read(&zones);
		if (err) {
			errno = -err;
			return RAISE_FAILED;
		}
		now = now_ms();
		if (watch->now.kswapd != scanned) {
			scanned = watch->now.kswapd;
			scanned_at = now;
		}
		if (now - begin < DWELL_MS)
			continue;
		if (zoneinfo_over_high(&zones))
			return RAISE_DONE;
		if (zoneinfo_over_low(&zones) && now - scanned_at > IDLE_MS)
			return RAISE_DONE;
		if (now - begin > STEP_MS)
			return RAISE_SLOW;
	}
}

static enum raise_end step_up(unsigned long from, unsigned long target,
			      struct watch *watch, struct raise_report *report)
{
	unsigned long value = from;
	enum raise_end how;
	int err;

	while (value < target) {
		value = min_free_step(value, target);
		err = set_min_free(value);
		if (err) {
			errno = -err;
			return RAISE_FAILED;
		}
		report->reached = value;
		report->steps++;
		how = settle(watch);
		if (how != RAISE_DONE)
			return how;
	}
	return look_for(watch, AFTER_MS);
}

enum raise_end raise_min_free(unsigned long from, unsigned long target,
			      struct raise_report *report)
{
	struct watch watch;
	enum raise_end how;
	int err;

	memset(report, 0, sizeof(*report));
	report->reached = from;
	/* A signal must not end the command before it has restored the value. */
	signals_catch();
	/* Restoring the old value must not need memory. Not fatal if denied. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	err = reclaim_read(&watch.begin);
	if (err) {
		errno = -err;
		return RAISE_FAILED;
	}
	how = look_for(&watch, BEFORE_MS);
	if (how == RAISE_DONE)
		how = step_up(from, target, &watch, report);
	report->stalls = watch.now.stalls - watch.begin.stalls;
	report->direct = watch.now.direct - watch.begin.direct;
	if (how == RAISE_DONE)
		return how;
	/* Keep the errno of the first failure, unless this fails too. */
	if (report->steps) {
		int before = errno;

		err = set_min_free(from);
		errno = before;
		if (err) {
			errno = -err;
			return RAISE_FAILED;
		}
		report->reached = from;
	}
	return how;
}
