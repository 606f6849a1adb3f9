// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a test guest: runs shell scripts that arrive on a serial line.
 *
 * A serial line and not a socket or virtio: it must still answer when the
 * guest has no memory for a packet. For the same reason everything here is
 * static, locked into memory and out of the OOM killer's sight.
 *
 * Every frame is a line "ID VERB NUMBER", and for run, in and out NUMBER bytes
 * behind it. From the host: run (a script), in (its standard input, 0 bytes
 * end it), kill (a signal, to the job's process group). To the host: hello
 * (ready), ack (the last "in" was taken: the next may come), out, exit.
 *
 * As "agent take SIZE" it writes what the host has put into the memory of
 * QEMU's ivshmem device (rig/window.py) to standard output.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define JOBS	64
#define CHUNK	4096	/* what a tty takes in one go */
#define DEVICES	"/sys/bus/pci/devices"

static struct job {
	unsigned int id;
	pid_t pid;		/* 0: a free slot */
	int in, out;		/* our ends of the child's pipes, or -1 */
	size_t have, sent;	/* of what is on its way to the child's input */
	char input[CHUNK];
} jobs[JOBS];

static int tty;

static void tell(const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(tty, data, size);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			size -= n;
		}
	}
}

static void frame(unsigned int id, const char *verb, long number)
{
	char line[64];

	tell(line, snprintf(line, sizeof(line), "%u %s %ld\n", id, verb, number));
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static ssize_t forward_output(struct job *job)
{
	char data[1024];
	ssize_t n = read(job->out, data, sizeof(data));

	if (n > 0) {
		frame(job->id, "out", n);
		tell(data, n);
	} else if (n == 0) {
		shut(&job->out);
	}
	return n;
}

static void forward_input(struct job *job)
{
	ssize_t n = write(job->in, job->input + job->sent, job->have - job->sent);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)	/* no reader is left: discard the rest */
		n = job->have - job->sent;
	job->sent += n;
	if (job->sent == job->have) {
		job->have = job->sent = 0;
		frame(job->id, "ack", 0);
	}
}

static void take_input(struct job *job, const char *data, size_t size)
{
	if (!size) {
		shut(&job->in);
		return;
	}
	memcpy(job->input, data, size);
	job->have = size;
	if (job->in >= 0)
		forward_input(job);
}

static void start(unsigned int id, const char *script)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };
	struct job *job = jobs;
	sigset_t none;

	while (job < jobs + JOBS && job->pid)
		job++;
	if (job == jobs + JOBS || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		goto fail;
	job->pid = fork();
	if (job->pid < 0) {
		job->pid = 0;
		goto fail;
	}
	if (!job->pid) {
		int adj = open("/proc/self/oom_score_adj", O_WRONLY);

		if (adj >= 0 && write(adj, "0", 1))
			close(adj);
		setsid();
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	job->id = id;
	job->in = in[1];
	job->out = out[0];
	job->have = job->sent = 0;
	return;
fail:
	for (int i = 0; i < 2; i++) {
		shut(&in[i]);
		shut(&out[i]);
	}
	frame(id, "exit", -errno);
}

static void reap(void)
{
	int status, left;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct job *job = jobs; job < jobs + JOBS; job++) {
			if (job->pid != pid)
				continue;
			/* A daemon may hold the pipe: no more than what it can hold */
			for (left = 128; left && job->out >= 0 && forward_output(job) > 0; left--)
				;
			shut(&job->in);
			shut(&job->out);
			job->pid = 0;
			frame(job->id, "exit", WIFSIGNALED(status) ?
			      128 + WTERMSIG(status) : WEXITSTATUS(status));
		}
	}
}

/* Act on the first frame in @data and return its size, 0 if it is incomplete. */
static size_t take(char *data, size_t size)
{
	char *end = memchr(data, '\n', size), verb[8], after;
	size_t head, body = 0;
	unsigned int id, n;
	struct job *job;

	if (!end)
		return 0;
	head = end + 1 - data;
	*end = '\0';
	if (sscanf(data, "%u %7s %u", &id, verb, &n) != 3)
		return head;
	if (strcmp(verb, "kill"))
		body = n;
	if (body > CHUNK)
		return head;
	*end = '\n';
	if (size < head + body)
		return 0;

	for (job = jobs; job < jobs + JOBS && !(job->pid && job->id == id); job++)
		;
	if (!strcmp(verb, "run")) {
		after = data[head + body];
		data[head + body] = '\0';
		start(id, data + head);
		data[head + body] = after;
	} else if (job < jobs + JOBS) {
		if (!strcmp(verb, "in"))
			take_input(job, data + head, body);
		else
			kill(-job->pid, n);
	}
	return head + body;
}

/* Whether a file of sysfs begins with @text. */
static int says(const char *path, const char *text)
{
	char said[16] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, said, sizeof(said) - 1) < 0)
		return 0;
	close(fd);
	return !strncmp(said, text, strlen(text));
}

static int give(const char *path, size_t size)
{
	int fd = open(path, O_RDONLY);
	char *data;
	ssize_t n;

	if (fd < 0)
		return 1;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		return 1;
	for (; size; data += n, size -= n) {
		n = write(1, data, size);
		if (n < 0)
			return 1;
	}
	return 0;
}

static int take_window(size_t size)
{
	char vendor[300], device[300], memory[300];
	struct dirent *entry;
	DIR *all = opendir(DEVICES);

	if (!size)
		return 0;
	while (all && (entry = readdir(all))) {
		const char *name = entry->d_name;

		snprintf(vendor, sizeof(vendor), DEVICES "/%s/vendor", name);
		snprintf(device, sizeof(device), DEVICES "/%s/device", name);
		snprintf(memory, sizeof(memory), DEVICES "/%s/resource2", name);
		if (says(vendor, "0x1af4") && says(device, "0x1110"))
			return give(memory, size);
	}
	return 1;
}

static void wake(int sig)
{
}

int main(int argc, char **argv)
{
	static char data[2 * CHUNK + 1];
	struct sigaction child = { .sa_handler = wake };
	struct pollfd fds[1 + 2 * JOBS];
	size_t have = 0, used;
	struct termios raw;
	sigset_t block, none;
	ssize_t n;

	if (argc == 3 && !strcmp(argv[1], "take"))
		return take_window(strtoul(argv[2], NULL, 10));
	tty = open(argc > 1 ? argv[1] : "/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0 || tcgetattr(tty, &raw))
		return 1;
	cfmakeraw(&raw);
	raw.c_cflag |= CLOCAL;
	cfsetspeed(&raw, B115200);
	tcsetattr(tty, TCSANOW, &raw);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGCHLD, &child, NULL);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	frame(0, "hello", getpid());

	for (;;) {
		reap();
		fds[0] = (struct pollfd){ .fd = tty, .events = POLLIN };
		for (int i = 0; i < JOBS; i++) {
			struct job *job = &jobs[i];
			int out = job->pid ? job->out : -1;
			int in = job->pid && job->have ? job->in : -1;

			fds[1 + 2 * i] = (struct pollfd){ .fd = out, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = in, .events = POLLOUT };
		}
		if (ppoll(fds, 1 + 2 * JOBS, NULL, &none) < 0)
			continue;
		for (int i = 0; i < JOBS; i++) {
			if (fds[1 + 2 * i].revents)
				forward_output(&jobs[i]);
			if (fds[2 + 2 * i].revents)
				forward_input(&jobs[i]);
		}
		if (fds[0].revents) {
			n = read(tty, data + have, sizeof(data) - 1 - have);
			if (n > 0)
				have += n;
			while (have && (used = take(data, have))) {
				memmove(data, data + used, have - used);
				have -= used;
			}
		}
	}
}
