// SPDX-License-Identifier: GPL-2.0
/*
 * ballastctl doctor: memory of sockets against net.ipv4.tcp_mem and udp_mem.
 *
 * Both families' sockets are counted together, in /proc/net/sockstat;
 * sockstat6 counts sockets only.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "files.h"

static void judge(const char *protocol, long long used, const long long *limit)
{
	bool serious = used >= limit[2] / 10 * 9;
	long page = sysconf(_SC_PAGESIZE) / 1024;
	bool tcp = !strcmp(protocol, "tcp");
	struct finding *f;

	f = found(tcp ? "tcp-mem" : "udp-mem",
		  serious ? SERIOUS : ADVICE,
		  "%s sockets hold %lld %% of net.ipv4.%s_mem", protocol,
		  used * 100 / (limit[2] ? limit[2] : 1), protocol);
	figures(f, "%lld pages (%lld KiB) of %lld; memory pressure begins at %lld.",
		used, used * page, limit[2], limit[1]);
	if (tcp)
		why(f, "All TCP sockets share this limit. Once it is used up, for example by sockets that no process reads from, the kernel drops segments for all other sockets, including the swap disk's, and the peer retransmits them 200 ms later. (The sockets of ballast disks are charged in advance.)");
	else
		why(f, "All UDP sockets share this limit. Once it is used up, the kernel drops datagrams for all of them.");
	command(f, "ss --%s --numeric --memory --processes   # a large Recv-Q: the process does not read",
		protocol);
	command(f, "sysctl -w net.ipv4.%s_mem=\"%lld %lld %lld\"   # to raise the limit",
		protocol, 2 * limit[0], 2 * limit[1], 2 * limit[2]);
}

/* "TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 388" */
static void check_protocol(const char *sockstat, const char *line,
			   const char *protocol)
{
	long long limit[3], used;
	char text[128];
	const char *at;

	at = strstr(sockstat, line);
	if (at)
		at = memmem(at, strcspn(at, "\n"), " mem ", 5);
	file_read(text, sizeof(text), "/proc/sys/net/ipv4/%s_mem", protocol);
	if (!at || sscanf(at, " mem %lld", &used) != 1 ||
	    sscanf(text, "%lld %lld %lld", &limit[0], &limit[1],
		   &limit[2]) != 3) {
		not_looked_at("%s_mem: it or /proc/net/sockstat can't be read",
			      protocol);
		return;
	}
	if (used > 0 && used >= limit[1])
		judge(protocol, used, limit);
}

void check_sockets(void)
{
	char sockstat[1024];

	file_read(sockstat, sizeof(sockstat), "/proc/net/sockstat");
	check_protocol(sockstat, "TCP:", "tcp");
	check_protocol(sockstat, "UDP:", "udp");
}
