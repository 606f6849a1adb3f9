// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: reports problems of this machine and how to fix them. It
 * only reads. The checks are in doctor_*.c, by what they examine.
 */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#include "netdisk.h"
#include "options.h"
#include "out.h"

#define MAX_SECONDS 3600

const char help_doctor[] =
	"Usage: ballastctl doctor [--seconds N] [--json]\n"
	"Report problems of this machine, why they matter, and the commands that fix\n"
	"them. Changes nothing.\n"
	"\n"
	"  --seconds N   check reclaim over the next N seconds, 1 to 3600, instead of\n"
	"                since boot\n"
	"  --json        print JSON, for programs\n"
	"\n"
	"Checks vm.min_free_kbytes and each zone's watermarks; direct reclaim; failed\n"
	"page allocations in the kernel log; memory of TCP and UDP sockets and of packet\n"
	"captures; swap on network disks, and whether ballast guards them; their\n"
	"interfaces' offloads, rings, drivers and drops; file systems of servers that\n"
	"allow= does not name; lines of /etc/fstab without _netdev; whether\n"
	"systemd-networkd or NetworkManager keeps addresses without a carrier.\n"
	"Run it as root; other users cannot read all of this.\n"
	"\n"
	"Exit status: 0 healthy, 1 advice, 2 serious (or an argument is wrong).\n"
	"See ballastctl-doctor(8).\n";

struct arguments {
	long seconds;
	bool json;
};

static int read_seconds(const char *text, long *seconds)
{
	return option_number("--seconds", text, 1, MAX_SECONDS, seconds);
}

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	int i, err = FINE;

	for (i = 1; i < argc && !err; i++) {
		if (!strcmp(argv[i], "--json"))
			arguments->json = true;
		else if (!strcmp(argv[i], "--seconds"))
			err = read_seconds(argv[++i], &arguments->seconds);
		else if (!strncmp(argv[i], "--seconds=", 10))
			err = read_seconds(argv[i] + 10, &arguments->seconds);
		else
			err = usage_error("%s: no such option; see ballastctl doctor --help",
					  argv[i]);
	}
	return err;
}

int cmd_doctor(int argc, char **argv)
{
	static struct zoneinfo zones;
	static struct netdisks disks;
	struct arguments arguments = { 0 };
	bool have_zones;
	int err;

	err = read_arguments(&arguments, argc, argv);
	if (err)
		return err;

	netdisks_find(&disks);
	check_reclaim(arguments.seconds);
	have_zones = !zoneinfo_read(&zones);
	check_min_free();
	if (have_zones)
		check_zones(&zones);
	else
		not_looked_at("zones: /proc/zoneinfo can't be read");
	check_kernel_log(&disks);
	check_sockets();
	if (have_zones)
		check_captures(&disks, &zones);
	check_netdisks(&disks);
	check_interfaces(&disks);
	check_mounts(&disks);
	check_fstab(&disks);
	check_managers(&disks);

	if (arguments.json)
		report_json(have_zones ? &zones : NULL);
	else
		report_text(have_zones ? &zones : NULL);
	err = out_flush();
	return err ? SERIOUS : (int)report_severity();
}
