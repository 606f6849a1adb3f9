// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: vm.min_free_kbytes, watermarks, reclaim.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "doctor.h"
#include "files.h"
#include "memory_rules.h"

#define TUNE "ballastctl tune min-free-kbytes auto --persist"

static void judge_min_free(unsigned long value, unsigned long memory)
{
	struct finding *f;

	switch (min_free_judge(value, memory)) {
	case MIN_FREE_FINE:
		return;
	case MIN_FREE_BROKEN:
		f = found("min-free-broken", SERIOUS,
			  "vm.min_free_kbytes is %lu, under %d", value,
			  MIN_FREE_FLOOR);
		why(f,
		    "With less the kernel is unreliable and deadlocks under load: when no other memory is free, the kernel uses this memory to write pages out and to receive packets.");
		break;
	case MIN_FREE_LOW:
		f = found("min-free-low", ADVICE,
			  "vm.min_free_kbytes is %lu, low for %lu MiB of memory",
			  value, memory / 1024);
		why(f, "A burst of packets can use this much memory before kswapd starts to free memory.");
		break;
	default:
		f = found("min-free-waste", ADVICE,
			  "vm.min_free_kbytes is %lu, high for %lu MiB of memory",
			  value, memory / 1024);
		why(f, "The kernel always keeps 1.5 times this value free. Programs and the page cache can't use that memory, so swapping begins earlier.");
	}
	figures(f, "%.1f %% of %lu KiB of memory; recommended: %lu KiB, at most %lu KiB.",
		100.0 * value / memory, memory, min_free_recommended(memory),
		min_free_ceiling(memory));
	command(f, TUNE);
}

void check_min_free(void)
{
	char meminfo[4096];
	long long value, memory;

	file_read(meminfo, sizeof(meminfo), "/proc/meminfo");
	memory = file_field(meminfo, "MemTotal:");
	if (memory <= 0 ||
	    file_number(&value, "/proc/sys/vm/min_free_kbytes") || value < 0) {
		not_looked_at("vm.min_free_kbytes: it or /proc/meminfo can't be read");
		return;
	}
	judge_min_free(value, memory);
}

/* Below min only allocations that free memory, or may not wait, succeed. */
void check_zones(const struct zoneinfo *zones)
{
	struct finding *f;

	if (zoneinfo_over_min(zones))
		return;
	f = found("memory-exhausted", ADVICE,
		  "free memory is below the min watermark now");
	figures(f, "%lu pages are free; watermarks of all zones: %lu (min), %lu (low), %lu (high).",
		zones->sum.free, zones->sum.min, zones->sum.low,
		zones->sum.high);
	why(f, "Every allocation has to free memory first, and allocations in interrupt handlers fail.");
	command(f, "ps -eo pid,rss,comm --sort=-rss | head");
}

int reclaim_read(struct reclaim *reclaim)
{
	static const char *const stalls[] = {
		"allocstall", "allocstall_dma", "allocstall_dma32",
		"allocstall_normal", "allocstall_high", "allocstall_movable",
		"allocstall_device",
	};
	static char vmstat[32 << 10];
	ssize_t len;
	size_t i;

	len = file_read(vmstat, sizeof(vmstat), "/proc/vmstat");
	if (len < 0)
		return len;
	reclaim->kswapd = file_field(vmstat, "pgscan_kswapd");
	reclaim->direct = file_field(vmstat, "pgscan_direct");
	if (reclaim->kswapd < 0 || reclaim->direct < 0)
		return -EINVAL;
	reclaim->stolen = file_field(vmstat, "pgsteal_kswapd") +
			  file_field(vmstat, "pgsteal_direct");
	reclaim->stalls = 0;
	for (i = 0; i < ARRAY_SIZE(stalls); i++) {
		long long n = file_field(vmstat, stalls[i]);

		if (n > 0)
			reclaim->stalls += n;
	}
	return 0;
}

static struct finding *reclaim_found(const struct reclaim *reclaim,
				     const char *when)
{
	long long scanned = reclaim->kswapd + reclaim->direct;
	struct finding *f;

	f = found("direct-reclaim", ADVICE,
		  "direct reclaim %s: allocations had to free memory themselves before they succeeded",
		  when);
	figures(f, "allocstall %lld; pages scanned: %lld direct (%.0f %%), %lld by kswapd; freed of them: %.0f %%.",
		reclaim->stalls, reclaim->direct,
		scanned ? 100.0 * reclaim->direct / scanned : 0,
		reclaim->kswapd,
		scanned ? 100.0 * reclaim->stolen / scanned : 0);
	why(f, "kswapd started too late or was too slow. Programs stall in the meantime, and allocations that can't wait, such as those that refill a network card's ring, fail.");
	command(f, "ballastctl tune min-free-kbytes");
	command(f, "sar -B 1");
	return f;
}

/*
 * Some direct reclaim since boot is normal, for example at startup or for a
 * large file. Report it only if it was frequent, and if its share of all
 * scanned pages shows that kswapd did not keep up.
 */
static void check_since_boot(void)
{
	struct reclaim now;

	if (reclaim_read(&now)) {
		not_looked_at("reclaim: /proc/vmstat can't be read");
		return;
	}
	if (now.stalls < 100 || now.direct * 20 < now.kswapd + now.direct)
		return;
	reclaim_found(&now, "since boot");
}

static void check_over(int seconds)
{
	struct timespec time = { .tv_sec = seconds };
	struct reclaim before, after;
	struct finding *f;
	char when[48];

	if (reclaim_read(&before))
		goto unseen;
	while (nanosleep(&time, &time) && errno == EINTR)
		;
	if (reclaim_read(&after))
		goto unseen;
	after.kswapd -= before.kswapd;
	after.direct -= before.direct;
	after.stolen -= before.stolen;
	after.stalls -= before.stalls;
	if (!after.stalls && !after.direct)
		return;
	snprintf(when, sizeof(when), "in the last %d s", seconds);
	f = reclaim_found(&after, when);
	/* The names of sar -B. */
	figures(f, " pgscank/s %.1f, pgscand/s %.1f, pgsteal/s %.1f.",
		(double)after.kswapd / seconds, (double)after.direct / seconds,
		(double)after.stolen / seconds);
	return;
unseen:
	not_looked_at("reclaim: /proc/vmstat can't be read");
}

void check_reclaim(int seconds)
{
	if (seconds)
		check_over(seconds);
	else
		check_since_boot();
}
