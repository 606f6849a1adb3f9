// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl tune: sets vm.min_free_kbytes without stalling the machine.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "files.h"
#include "memory_rules.h"
#include "out.h"
#include "raise.h"

/* This file sets vm.min_free_kbytes at boot. */
#define SYSCTL_CONF "/etc/sysctl.d/60-ballast.conf"

const char help_tune[] =
	"Usage: ballastctl tune min-free-kbytes [VALUE|auto] [--persist]\n"
	"Show or set vm.min_free_kbytes, the memory that the kernel keeps free for\n"
	"allocations that can't wait.\n"
	"\n"
	"  (nothing)   show the value, the recommended value, and why\n"
	"  VALUE       set this number of KiB\n"
	"  auto        set the recommended value, unless the value is larger and not\n"
	"              over the maximum\n"
	"  --persist   set it at every boot too, in " SYSCTL_CONF "\n"
	"\n"
	"A lower value is set at once. A higher one is set in steps, each after kswapd\n"
	"has freed the memory for the step before, and is refused if too little memory\n"
	"can be freed. When direct reclaim begins, or on a signal, the old value is\n"
	"restored.\n"
	"\n"
	"Exit status: 0 the value is set; 1 it was refused or failed, and the old value\n"
	"is in force, or only --persist failed; 2 an argument is wrong. See\n"
	"ballastctl-tune(8).\n";

struct arguments {
	bool show;
	bool automatic;
	bool persist;
	unsigned long value;
};

static int read_value(const char *text, unsigned long *value)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 12)
		return usage_error("%s: is not a number of KiB", text);
	*value = strtoul(text, NULL, 10);
	if (*value < MIN_FREE_FLOOR)
		return usage_error("%s: is under %d KiB, with which the kernel is unreliable",
				   text, MIN_FREE_FLOOR);
	return FINE;
}

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	int i, words = 0, err = FINE;

	arguments->show = true;
	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--persist")) {
			arguments->persist = true;
		} else if (argv[i][0] == '-' && !isdigit((unsigned char)argv[i][1])) {
			err = usage_error("%s: no such option; see ballastctl tune --help",
					  argv[i]);
		} else if (words == 0) {
			if (strcmp(argv[i], "min-free-kbytes"))
				err = usage_error("%s: can't be tuned; use min-free-kbytes",
						  argv[i]);
			words++;
		} else if (words == 1) {
			arguments->show = false;
			arguments->automatic = !strcmp(argv[i], "auto");
			if (!arguments->automatic)
				err = read_value(argv[i], &arguments->value);
			words++;
		} else {
			err = usage_error("%s: only one value can be given", argv[i]);
		}
	}
	if (!err && !words)
		err = usage_error("min-free-kbytes is missing");
	if (!err && arguments->persist && arguments->show)
		err = usage_error("--persist: requires a value or auto");
	return err;
}

/* A value that the kernel does not have counts as 0. */
static unsigned long figure(const char *meminfo, const char *word)
{
	long long value = file_field(meminfo, word);

	return value > 0 ? value : 0;
}

static int read_figures(struct memory_figures *figures, unsigned long *min_free)
{
	static char meminfo[8192];
	long long total, free, value, scale;

	file_read(meminfo, sizeof(meminfo), "/proc/meminfo");
	total = file_field(meminfo, "MemTotal:");
	free = file_field(meminfo, "MemFree:");
	if (total <= 0 || free < 0)
		return failure("/proc/meminfo: can't be read");
	if (file_number(&value, "/proc/sys/vm/min_free_kbytes") || value < 0)
		return failure("/proc/sys/vm/min_free_kbytes: can't be read");
	/* Kernels without this sysctl use 10. */
	if (file_number(&scale, "/proc/sys/vm/watermark_scale_factor"))
		scale = 10;
	figures->total = total;
	figures->free = free;
	figures->inactive_file = figure(meminfo, "Inactive(file):");
	figures->dirty = figure(meminfo, "Dirty:");
	figures->writeback = figure(meminfo, "Writeback:");
	figures->scale = scale;
	*min_free = value;
	return FINE;
}

static int show(unsigned long now, const struct memory_figures *figures)
{
	static const char *const verdicts[] = {
		[MIN_FREE_FINE] = "good",
		[MIN_FREE_BROKEN] = "so low that the kernel is unreliable",
		[MIN_FREE_LOW] = "low for so much memory",
		[MIN_FREE_WASTE] = "a waste of memory",
	};
	unsigned long wanted = min_free_auto(now, figures->total);
	struct raise raise = min_free_raise(wanted, figures);

	out("vm.min_free_kbytes: %lu KiB, %.1f %% of %lu KiB of memory: %s\n",
	    now, 100.0 * now / figures->total, figures->total,
	    verdicts[min_free_judge(now, figures->total)]);
	out("recommended:        %lu KiB: 1/256 of memory, at most 512 MiB, and not less than\n"
	    "                    the kernel's default of 4 * sqrt(memory)\n",
	    min_free_recommended(figures->total));
	out("at most:            %lu KiB: 5 %% of memory; 1 GiB from 20 GiB of memory on, 1/40\n"
	    "                    from 40 GiB on\n", min_free_ceiling(figures->total));
	if (wanted == now)
		out("Nothing to do.\n");
	else if (wanted > now && !raise.possible)
		out("%lu KiB would be refused now: it requires %lu KiB; %lu KiB are free and %lu KiB easily freed.\n",
		    wanted, raise.needed, figures->free, raise.reclaimable);
	else
		out("To set it: ballastctl tune min-free-kbytes auto --persist\n");
	return out_flush();
}

/* FINE, or FAILED after reporting why it is refused. */
static int judge_raise(unsigned long value, const struct memory_figures *figures)
{
	struct raise raise = min_free_raise(value, figures);
	unsigned long ceiling = min_free_ceiling(figures->total);

	if (!raise.possible)
		return failure("%lu: refused, the machine could hang: the high watermarks would be %lu KiB, which requires %lu KiB; %lu KiB are free, and %lu KiB of page cache easily freed",
			       value, raise.high, raise.needed, figures->free,
			       raise.reclaimable);
	if (value > ceiling)
		return failure("%lu: refused, a waste of memory: the maximum for %lu KiB of memory is %lu KiB",
			       value, figures->total, ceiling);
	return FINE;
}

static int report_raise(enum raise_end how, unsigned long from,
			const struct raise_report *report)
{
	switch (how) {
	case RAISE_DONE:
		out("vm.min_free_kbytes is %lu now, and was %lu: %d steps.\n",
		    report->reached, from, report->steps);
		return FINE;
	case RAISE_RECLAIM:
		if (!report->steps)
			return failure("vm.min_free_kbytes stays %lu: direct reclaim was going on before the first step (%lld allocations, %lld pages in a second); try again when the machine is less busy",
				       from, report->stalls, report->direct);
		return failure("vm.min_free_kbytes is %lu again: direct reclaim began at step %d (%lld allocations, %lld pages)",
			       from, report->steps, report->stalls,
			       report->direct);
	case RAISE_SLOW:
		return failure("vm.min_free_kbytes is %lu again: kswapd did not free the memory for step %d in time",
			       from, report->steps);
	case RAISE_INTERRUPTED:
		return failure("interrupted: vm.min_free_kbytes is %lu, as it was",
			       from);
	default:
		return failure("vm.min_free_kbytes: %m; it is %lu",
			       report->reached);
	}
}

static int set(unsigned long now, unsigned long value,
	       const struct memory_figures *figures)
{
	struct raise_report report;
	enum raise_end how;
	int err;

	if (value == now) {
		out("vm.min_free_kbytes is %lu already.\n", now);
		return FINE;
	}
	if (value < now) {
		err = set_min_free(value);
		if (err)
			return failure("vm.min_free_kbytes: %s; it is %lu",
				       strerror(-err), now);
		out("vm.min_free_kbytes is %lu now, and was %lu.\n", value,
		    now);
		return FINE;
	}
	err = judge_raise(value, figures);
	if (err)
		return err;
	how = raise_min_free(now, value, &report);
	return report_raise(how, now, &report);
}

static int persist(unsigned long value)
{
	char text[256];
	int err;

	snprintf(text, sizeof(text),
		 "# Written by ballastctl tune min-free-kbytes --persist.\n"
		 "vm.min_free_kbytes = %lu\n", value);
	err = conf_write(text, SYSCTL_CONF);
	if (err)
		return failure(SYSCTL_CONF ": %s; vm.min_free_kbytes is %lu until the next boot",
			       strerror(-err), value);
	out(SYSCTL_CONF " sets it at boot.\n");
	return FINE;
}

int cmd_tune(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	struct memory_figures figures;
	unsigned long now = 0;
	int err;

	err = read_arguments(&arguments, argc, argv);
	if (err)
		return err;
	err = read_figures(&figures, &now);
	if (err)
		return err;
	if (arguments.show)
		return show(now, &figures);
	if (arguments.automatic)
		arguments.value = min_free_auto(now, figures.total);
	err = set(now, arguments.value, &figures);
	if (!err && arguments.persist)
		err = persist(arguments.value);
	if (out_flush() && !err)
		err = FAILED;
	return err;
}
