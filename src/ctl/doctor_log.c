// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: page allocation failures in the kernel log, by order and
 * caller, with the driver named.
 *
 * A failure is a line, "kswapd0: page allocation failure: order:0,
 * mode:0xa20(...)", and after it the stack: the allocator's own functions, then
 * its callers. A function of a module is followed by the module in brackets.
 */
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "klog.h"
#include "netdisk.h"

#define MAX_PLACES 16

struct place {
	int order;
	char mode[96];
	char caller[64];
	char driver[32];
	unsigned long times;
	double last;		/* seconds after boot */
};

/* The state of the parser. */
struct log {
	struct place places[MAX_PLACES];
	int nr;
	struct place current;
	bool in_trace;
	double time;		/* of the record */
};

/* The allocator, and helpers that allocate for their caller. */
static bool is_allocator(const char *function)
{
	static const char *const prefixes[] = {
		"dump_stack", "show_stack", "warn_alloc", "__alloc_pages",
		"alloc_pages", "__alloc_frozen", "alloc_frozen", "__get_free",
		"get_free", "get_zeroed", "new_slab", "___slab_alloc",
		"__slab_alloc", "alloc_slab", "allocate_slab", "refill_objects",
		"kmem_cache_alloc", "__kmem_cache_alloc", "__kmalloc",
		"kmalloc", "krealloc", "kvmalloc", "__vmalloc", "page_frag",
		"__page_frag", "netdev_alloc", "__netdev_alloc", "napi_alloc",
		"__napi_alloc", "napi_build_skb", "__build_skb", "build_skb",
		"__alloc_skb", "alloc_skb", "skb_page_frag_refill",
		"page_pool", "__page_pool", "skb_copy", "pskb_expand_head",
		"__pskb_pull_tail", "__folio_alloc", "folio_alloc",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(function, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static void end_of_trace(struct log *log)
{
	struct place *place;
	int i;

	if (!log->in_trace)
		return;
	log->in_trace = false;
	for (i = 0; i < log->nr; i++) {
		place = &log->places[i];
		if (place->order == log->current.order &&
		    !strcmp(place->caller, log->current.caller) &&
		    !strcmp(place->driver, log->current.driver))
			break;
	}
	if (i == MAX_PLACES)
		return;
	place = &log->places[i];
	if (i == log->nr) {
		*place = log->current;
		log->nr++;
	}
	place->times++;
	place->last = log->current.last;
}

/* " try_fill_recv+0x3f2/0x610 [virtio_net]"; a frame with "? " is unreliable. */
static void read_frame(struct place *place, const char *line)
{
	char function[64], module[32] = "";
	int end = 0;

	sscanf(line, " %63[^+ ]+0x%*x/0x%*x%n", function, &end);
	if (!end || function[0] == '?')
		return;
	sscanf(line + end, " [%31[^] ]", module);
	if (!*place->caller && !is_allocator(function))
		snprintf(place->caller, sizeof(place->caller), "%s", function);
	/* The first module is the driver; its function names the place best. */
	if (*module && !*place->driver) {
		snprintf(place->driver, sizeof(place->driver), "%s", module);
		snprintf(place->caller, sizeof(place->caller), "%s", function);
	}
}

static void read_text(struct log *log, const char *text)
{
	const char *failure = strstr(text, "page allocation failure: order:");
	struct place *place = &log->current;

	if (failure) {
		end_of_trace(log);
		memset(place, 0, sizeof(*place));
		place->last = log->time;
		log->in_trace = sscanf(failure,
				       "page allocation failure: order:%d, mode:%95[^, ]",
				       &place->order, place->mode) >= 1;
	} else if (log->in_trace &&
		   (strstr(text, "Mem-Info:") || strstr(text, "</TASK>") ||
		    (strstr(text, "</IRQ>") && *place->caller))) {
		/* The frames below it are of the interrupted context. */
		end_of_trace(log);
	} else if (log->in_trace) {
		read_frame(place, text);
	}
}

static void read_record(unsigned long long microseconds, const char *text,
			void *data)
{
	struct log *log = data;

	log->time = microseconds / 1e6;
	read_text(log, text);
}

static int read_log(struct log *log)
{
	int err = klog_each(read_record, log);

	end_of_trace(log);
	return err;
}

/* May the allocation reclaim memory? Those for packets that come in may not. */
static bool may_reclaim(const char *mode)
{
	static const char *const modes[] = { "GFP_KERNEL", "GFP_NOFS",
					     "GFP_NOIO", "GFP_USER",
					     "GFP_HIGHUSER" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (strstr(mode, modes[i]))
			return true;
	return false;
}

static void place_found(const struct place *place, bool network_swap)
{
	bool reclaims = may_reclaim(place->mode);
	struct finding *f;

	f = found("allocation-failure",
		  network_swap && !reclaims ? SERIOUS : ADVICE,
		  "page allocations of order %d failed in %s%s%s", place->order,
		  *place->caller ? place->caller : "an unknown function",
		  *place->driver ? " of the driver " : "", place->driver);
	figures(f, "%lu in the kernel log, mode %s; the last %.0f s after boot.",
		place->times, place->mode, place->last);
	if (place->order)
		why(f, "It needs %d contiguous pages. When memory is fragmented that fails even with much memory free, and the driver drops the packet silently.",
		    1 << place->order);
	else if (reclaims)
		why(f,
		    "The kernel tried to free a page for it, and could not at once. It was not for a packet that came in. In swap_cluster_alloc_table of Linux 7, the kernel keeps a page in memory that it wanted to swap out.");
	else
		why(f, "No page was left for allocations that can't wait. A network card whose ring is not refilled receives nothing, including replies for the swap disk.");
	command(f, "ballastctl tune min-free-kbytes auto --persist");
}

void check_kernel_log(const struct netdisks *disks)
{
	static struct log log;
	int i, err;

	err = read_log(&log);
	if (err) {
		not_looked_at("the kernel log: /dev/kmsg: %s", strerror(-err));
		return;
	}
	for (i = 0; i < log.nr; i++)
		place_found(&log.places[i], netdisks_swap(disks));
}
