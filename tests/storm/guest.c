// SPDX-License-Identifier: GPL-2.0
/*
 * What runs in the guest during a storm, besides the disk and the hogs.
 *
 *   guest sink PORT BYTES   takes UDP packets and TCP connections on PORT,
 *                           IPv4 and IPv6, into buffers of BYTES, and never
 *                           reads one
 *   guest hold PORT COUNT BYTES SECONDS
 *                           takes UDP packets on COUNT ports from PORT on, into
 *                           buffers of BYTES each, and every SECONDS throws
 *                           away what is in them; 0: never
 *   guest capture NIC BYTES SECONDS
 *                           captures the UDP packets of IPv4 that NIC receives
 *                           into a buffer of BYTES, and every SECONDS throws
 *                           away what is in it; 0: never
 *   guest dirty DIRECTORY COUNT BYTES
 *                           COUNT processes, each with a file of BYTES that is
 *                           mapped, write to its pages at random and verify
 *                           what they read back, until SIGINT; "fail:" and
 *                           status 2 if it differs
 *   guest report DISK swap|file FILE[:FIELD]...
 *                           once a second a line: seconds of uptime, pages
 *                           swapped in and out (file: read and written, by
 *                           all block devices), free pages, requests that
 *                           DISK has completed and has in flight, the longest
 *                           time without a completion while some were in
 *                           flight, the longest time between two looks (both
 *                           in ms, both within that second), and of each FILE
 *                           the first number, or the FIELDth, or the number
 *                           that follows the word FIELD; -1 if there is none
 *   guest echo PORT         takes TCP connections on PORT, the latest in place of
 *                           the one before, and sends back what comes
 *   guest writeback MS      has zram0 write back what was not used for MS
 *   guest write FILE TEXT   opens FILE, and writes TEXT to it on SIGUSR1
 *
 * Static and locked into memory: what watches the patient must not need the
 * memory that the patient has none of.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Accepted connections inherit it. */
static void set_buffer(int fd, int bytes)
{
	bytes /= 2; /* the kernel doubles it */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		die("SO_RCVBUFFORCE");
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
	set_buffer(fd, bytes);
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	return fd;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void sink(int port, int bytes)
{
	int tcp = bound(SOCK_STREAM, port, bytes);
	struct rlimit all = { 1 << 20, 1 << 20 };

	if (setrlimit(RLIMIT_NOFILE, &all))
		die("RLIMIT_NOFILE");
	bound(SOCK_DGRAM, port, bytes);
	if (listen(tcp, 1024))
		die("listen");
	ready();
	for (;;)
		if (accept(tcp, NULL, NULL) < 0) /* else keep it */
			usleep(10000);
}

#define PORTS	64
/* As many packets are thrown away of a port; more may be on their way. */
#define AT_ONCE	16384

static void throw_away(int fd)
{
	int n;

	for (n = 0; n < AT_ONCE; n++)
		if (recv(fd, NULL, 0, MSG_DONTWAIT) < 0)
			break;
}

static void hold(int port, int count, int bytes, int seconds)
{
	int fds[PORTS], i;

	for (i = 0; i < count && i < PORTS; i++)
		fds[i] = bound(SOCK_DGRAM, port + i, bytes);
	count = i;
	ready();
	while (!seconds)
		pause();
	for (;;) {
		sleep(seconds);
		for (i = 0; i < count; i++)
			throw_away(fds[i]);
	}
}

static volatile sig_atomic_t ended;

static void end(int signal __attribute__((unused)))
{
	ended = 1;
}

/* The first word of a page tells which it is, and how often it was written. */
static int dirty_one(const char *path, long pages)
{
	const long size = sysconf(_SC_PAGESIZE);
	unsigned int *times = calloc(pages, sizeof(*times));
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *map;

	if (!times || fd < 0 || posix_fallocate(fd, 0, pages * size))
		die(path);
	map = mmap(NULL, pages * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (map == MAP_FAILED)
		die(path);
	while (!ended) {
		long page = random() % pages;
		unsigned long *word = (void *)(map + page * size);
		unsigned long stamp = page << 32;

		if (*word != (times[page] ? stamp | times[page] : 0)) {
			printf("fail: %s, page %ld: %lx\n", path, page, *word);
			return 2;
		}
		*word = stamp | ++times[page];
	}
	return 0;
}

static int dirty(const char *directory, int count, long bytes)
{
	long pages = bytes / sysconf(_SC_PAGESIZE);
	int i, status, worst = 0;

	signal(SIGINT, end);
	for (i = 0; i < count; i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/dirty%d", directory, i);
		if (!fork())
			exit(dirty_one(path, pages));
	}
	ready();
	while (i > 0) {
		if (wait(&status) < 0)
			continue; /* the signal */
		i--;
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		if (status > worst)
			worst = status;
	}
	return worst;
}

/* In front of the ingress filter: such sockets get a packet first. */
static void capture(const char *nic, int bytes, int seconds)
{
	/* The protocol of a packet of IPv4, if it is one. */
	struct sock_filter udp[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, -1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { sizeof(udp) / sizeof(*udp), udp };
	struct sockaddr_ll from = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(nic),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || !from.sll_ifindex)
		die(nic);
	set_buffer(fd, bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die("SO_ATTACH_FILTER");
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	ready();
	while (!seconds)
		pause();
	for (;;) {
		sleep(seconds);
		throw_away(fd);
	}
}

/* Sends back what came; false at the end of the connection. */
static int answer(int fd)
{
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	return n > 0 && write(fd, data, n) == n;
}

static void echo(int port)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { -1, POLLIN } };

	signal(SIGPIPE, SIG_IGN);
	fds[0].fd = bound(SOCK_STREAM, port, 65536);
	if (listen(fds[0].fd, 16))
		die("listen");
	ready();
	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents && !answer(fds[1].fd)) {
			close(fds[1].fd);
			fds[1].fd = -1;
		}
		if (!fds[0].revents)
			continue;
		if (fds[1].fd >= 0)
			close(fds[1].fd);
		fds[1].fd = accept(fds[0].fd, NULL, NULL);
	}
}

static void write_later(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY), signal;
	sigset_t set;

	if (fd < 0)
		die(path);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ready();
	sigwait(&set, &signal);
	if (write(fd, line, strlen(line)) < 0)
		die(path);
	exit(0);
}

static void write_back(int ms)
{
	static const char *const files[] = { "idle", "writeback" };
	static const char *const words[] = { "all", "idle" };
	int fds[2], i;

	for (i = 0; i < 2; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/block/zram0/%s", files[i]);
		fds[i] = open(path, O_WRONLY);
		if (fds[i] < 0)
			die(path);
	}
	ready();
	for (;;) {
		/* It fails if there is nothing to write. */
		for (i = 0; i < 2; i++)
			if (write(fds[i], words[i], strlen(words[i])) < 0)
				usleep(1000);
		usleep(ms * 1000);
	}
}

/* A file that stays open: opening takes memory, reading again mostly not. */
struct source {
	const char *path;
	const char *field;	/* or NULL */
	int fd;
};

static char text[65536];	/* what read_source read last */

static void read_source(struct source *from)
{
	ssize_t n = -1;
	int again;

	for (again = 0; again < 2 && n < 0; again++) {
		if (from->fd < 0)
			from->fd = open(from->path, O_RDONLY | O_CLOEXEC);
		if (from->fd < 0)
			break;
		n = pread(from->fd, text, sizeof(text) - 1, 0);
		/* A reserve may go, and another one come under its name. */
		if (n < 0) {
			close(from->fd);
			from->fd = -1;
		}
	}
	text[n > 0 ? n : 0] = '\0';
}

/* The number of what was read last that is the nth. */
static long long nth(int n)
{
	const char *at = text + strspn(text, " \t\n");

	while (--n > 0) {
		at += strcspn(at, " \t\n");
		at += strspn(at, " \t\n");
	}
	return *at ? atoll(at) : -1;
}

/* The number of what was read last that follows a word. */
static long long after(const char *word)
{
	size_t length = strlen(word);
	const char *at;

	for (at = text; (at = strstr(at, word)); at += length)
		if ((at == text || strchr(" \n", at[-1])) && at[length] == ' ')
			return atoll(at + length);
	return -1;
}

static long long value(struct source *from)
{
	read_source(from);
	if (!from->field)
		return nth(1);
	return atoi(from->field) ? nth(atoi(from->field)) : after(from->field);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

#define LOOK_MS	100

struct disk {
	struct source stat;
	long long completed, inflight;
	long long since;	/* when there was last nothing to complain of */
	long long looked;
	long long gap, late;	/* longest in this second */
};

/* Requests that complete between two looks are not a gap, however late we are. */
static void look(struct disk *disk)
{
	long long now = now_ms(), completed;

	read_source(&disk->stat);
	completed = nth(1) + nth(5);
	disk->inflight = nth(9);
	if (now - disk->looked > disk->late)
		disk->late = now - disk->looked;
	disk->looked = now;
	if (completed == disk->completed && disk->inflight > 0 &&
	    now - disk->since > disk->gap)
		disk->gap = now - disk->since;
	if (completed != disk->completed || disk->inflight <= 0)
		disk->since = now;
	disk->completed = completed;
}

/* What moves in and out, in KiB or pages. */
struct load {
	const char *in, *out;
	int a_page;
};

static const struct load swap_load = { "pswpin", "pswpout", 1 };
static const struct load file_load = { "pgpgin", "pgpgout", 4 };

static void print(struct disk *disk, const struct load *load,
		  struct source *files, int count)
{
	static struct source vmstat = { "/proc/vmstat", NULL, -1 };
	long long now = now_ms();
	char line[1024];
	int len, i;

	read_source(&vmstat);
	len = snprintf(line, sizeof(line),
		       "%lld.%03lld %lld %lld %lld %lld %lld %lld %lld",
		       now / 1000, now % 1000, after(load->in) / load->a_page,
		       after(load->out) / load->a_page, after("nr_free_pages"),
		       disk->completed, disk->inflight, disk->gap, disk->late);
	for (i = 0; i < count && len < (int)sizeof(line) - 24; i++)
		len += snprintf(line + len, sizeof(line) - len, " %lld",
				value(&files[i]));
	line[len++] = '\n';
	if (write(1, line, len) < 0)
		exit(1);
	disk->gap = disk->late = 0;
}

#define FILES	32

static void report(const char *name, const struct load *load, char **args)
{
	static struct source files[FILES];
	static char path[256];
	struct disk disk = { .stat = { path, NULL, -1 } };
	long long next;
	int count, looks = 0;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", name);
	for (count = 0; count < FILES && args[count]; count++) {
		files[count].path = strtok(args[count], ":");
		files[count].field = strtok(NULL, ":");
		files[count].fd = -1;
	}
	disk.since = disk.looked = next = now_ms();
	for (;;) {
		struct timespec until;

		look(&disk);
		if (looks++ % (1000 / LOOK_MS) == 0)
			print(&disk, load, files, count);
		next += LOOK_MS;
		until.tv_sec = next / 1000;
		until.tv_nsec = next % 1000 * 1000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	}
}

int main(int argc, char **argv)
{
	int fd;

	/* It is what takes the memory, and is not spared. */
	if (argc == 5 && !strcmp(argv[1], "dirty"))
		return dirty(argv[2], atoi(argv[3]), atol(argv[4]));
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd >= 0) {
		if (write(fd, "-1000", 5) < 0)
			perror("oom_score_adj");
		close(fd);
	}
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	if (argc == 4 && !strcmp(argv[1], "sink"))
		sink(atoi(argv[2]), atoi(argv[3]));
	if (argc == 6 && !strcmp(argv[1], "hold"))
		hold(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]),
		     atoi(argv[5]));
	if (argc == 5 && !strcmp(argv[1], "capture"))
		capture(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc >= 4 && !strcmp(argv[1], "report"))
		report(argv[2],
		       strcmp(argv[3], "file") ? &swap_load : &file_load,
		       argv + 4);
	if (argc == 3 && !strcmp(argv[1], "echo"))
		echo(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "writeback"))
		write_back(atoi(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "write"))
		write_later(argv[2], argv[3]);
	fprintf(stderr,
		"usage: guest sink PORT BYTES | guest hold PORT COUNT BYTES SECONDS | guest capture NIC BYTES SECONDS | guest dirty DIRECTORY COUNT BYTES | guest report DISK swap|file FILE[:FIELD]... | guest echo PORT | guest writeback MS | guest write FILE TEXT\n");
	return 2;
}
