// SPDX-License-Identifier: GPL-2.0
/*
 * What runs in the guest during a storm, besides the disk and the hogs.
 *
 *   guest sink PORT BYTES   takes UDP packets and TCP connections on PORT,
 *                           IPv4 and IPv6, into buffers of BYTES, and never
 *                           reads one
 *   guest report FILE...    once a second a line: seconds of uptime, pages
 *                           swapped in and out, free pages, and the first
 *                           number in each FILE
 *
 * Static and locked into memory: what watches the patient must not need the
 * memory that the patient has none of.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int bound(int type, int port, int bytes)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	int fd = socket(AF_INET6, type, 0), on = 1, off = 0;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Doubled by the kernel; accepted connections inherit it. */
	bytes /= 2;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		die("SO_RCVBUFFORCE");
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	return fd;
}

static void sink(int port, int bytes)
{
	int tcp = bound(SOCK_STREAM, port, bytes);

	bound(SOCK_DGRAM, port, bytes);
	if (listen(tcp, 1024))
		die("listen");
	puts("ready");
	fflush(stdout);
	for (;;)
		accept(tcp, NULL, NULL); /* and keep it */
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? n : 0;
}

static long long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atoll(at + strlen(name)) : -1;
}

static void report(char **files)
{
	static char buf[65536];
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;;) {
		struct timespec now;
		char line[512];
		int len, i;

		clock_gettime(CLOCK_MONOTONIC, &now);
		slurp("/proc/vmstat", buf, sizeof(buf));
		len = snprintf(line, sizeof(line), "%lld.%02ld %lld %lld %lld",
			       (long long)now.tv_sec, now.tv_nsec / 10000000,
			       field(buf, "\npswpin "), field(buf, "\npswpout "),
			       field(buf, "nr_free_pages "));
		for (i = 0; files[i] && len < (int)sizeof(line) - 24; i++) {
			slurp(files[i], buf, sizeof(buf));
			len += snprintf(line + len, sizeof(line) - len, " %lld",
					*buf ? atoll(buf) : -1);
		}
		line[len++] = '\n';
		if (write(1, line, len) < 0)
			exit(1);
		next.tv_sec++;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
}

int main(int argc, char **argv)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd >= 0) {
		if (write(fd, "-1000", 5) < 0)
			perror("oom_score_adj");
		close(fd);
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	if (argc == 4 && !strcmp(argv[1], "sink"))
		sink(atoi(argv[2]), atoi(argv[3]));
	if (argc >= 2 && !strcmp(argv[1], "report"))
		report(argv + 2);
	fprintf(stderr, "usage: guest sink PORT BYTES | guest report FILE...\n");
	return 2;
}
