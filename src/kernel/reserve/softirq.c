// SPDX-License-Identifier: GPL-2.0
/*
 * Receive softirqs may use the page allocator's emergency reserves while
 * reclaim depends on the network and memory is short.
 *
 * The page allocator ignores its watermarks for a softirq that runs with
 * PF_MEMALLOC. __do_softirq() clears the flag before the handlers and restores
 * it after them; the stack itself sets it for packets that hold such memory.
 * The two tracepoints around each handler set it for all of NET_RX, in which
 * drivers refill their rings. The pages are marked as pfmemalloc, and so are
 * packets in them: sockets without SOCK_MEMALLOC do not receive them.
 *
 * Threaded NAPI and busy polling do not run in the softirq: they depend on the
 * blocks that lend.c lends.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "softirq.h"

#include <linux/interrupt.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "pressure.h"

static bool softirq_reserves = true;
module_param(softirq_reserves, bool, 0444);
MODULE_PARM_DESC(softirq_reserves,
		 "Let receive softirqs use the emergency reserves while memory is short (default: Y)");

/* Did the entry probe set the flag for the handler that runs on this CPU? */
static DEFINE_PER_CPU(bool, softirq_set);

static struct tracepoint *softirq_entry;
static struct tracepoint *softirq_exit;

static void softirq_probe_entry(void *data, unsigned int vec)
{
	if (vec != NET_RX_SOFTIRQ || READ_ONCE(ballast_pressure.ample) ||
	    !(ballast_pressure_in_use() || ballast_pressure_busy()))
		return;
	current->flags |= PF_MEMALLOC;
	this_cpu_write(softirq_set, true);
}

static void softirq_probe_exit(void *data, unsigned int vec)
{
	if (vec != NET_RX_SOFTIRQ || likely(!this_cpu_read(softirq_set)))
		return;
	this_cpu_write(softirq_set, false);
	current->flags &= ~PF_MEMALLOC;
}

static void softirq_find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "softirq_entry"))
		softirq_entry = tp;
	else if (!strcmp(tp->name, "softirq_exit"))
		softirq_exit = tp;
}

static int softirq_register(void)
{
	int err;

	for_each_kernel_tracepoint(softirq_find, NULL);
	if (!softirq_entry || !softirq_exit)
		return -ENOENT;
	err = tracepoint_probe_register(softirq_exit, softirq_probe_exit, NULL);
	if (err)
		return err;
	err = tracepoint_probe_register(softirq_entry, softirq_probe_entry,
					NULL);
	if (err)
		tracepoint_probe_unregister(softirq_exit, softirq_probe_exit,
					    NULL);
	return err;
}

/**
 * ballast_softirq_start - open the emergency reserves to receive softirqs
 *
 * Failures are logged.
 *
 * Context: Process context. Patches code, under its locks.
 * Return: 0; -ENOENT: this kernel lacks the tracepoints; or another errno
 */
int ballast_softirq_start(void)
{
	int err;

	if (!softirq_reserves)
		return 0;
	err = softirq_register();
	if (err)
		pr_err("cannot open the emergency reserves to receive softirqs: the tracepoints softirq_entry and softirq_exit cannot be used (error %d); load the module with softirq_reserves=N to do without\n",
		       err);
	return err;
}

/**
 * ballast_softirq_stop - undo ballast_softirq_start()
 *
 * No CPU is in one of the probes on return. A softirq that began before may
 * keep the flag until __do_softirq() restores it.
 *
 * Context: Process context. Waits for a grace period.
 */
void ballast_softirq_stop(void)
{
	if (!softirq_reserves)
		return;
	tracepoint_probe_unregister(softirq_entry, softirq_probe_entry, NULL);
	tracepoint_probe_unregister(softirq_exit, softirq_probe_exit, NULL);
	tracepoint_synchronize_unregister();
}
