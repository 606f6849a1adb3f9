// SPDX-License-Identifier: GPL-2.0
/*
 * Runs modprobe, mkswap, cryptsetup and the programs of a report.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ballastctl.h"

/* @output: file for its output and its stderr; -1: discard the output. */
static void become(char *const argv[], int output)
{
	const char *path = getenv("PATH");
	int null = open("/dev/null", O_RDWR);
	char wider[4096];

	dup2(null, STDIN_FILENO);
	dup2(output < 0 ? null : output, STDOUT_FILENO);
	if (output >= 0)
		dup2(output, STDERR_FILENO);
	/* The PATH of cron and su lacks these. */
	snprintf(wider, sizeof(wider), "%s:/usr/sbin:/sbin",
		 path && *path ? path : "/usr/bin:/bin");
	setenv("PATH", wider, 1);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

int program_run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return failure("%s: %m", argv[0]);
	if (!pid)
		become(argv, -1);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return failure("%s: %m", argv[0]);
	if (WIFSIGNALED(status))
		return failure("%s: %s", argv[0], strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) == 127)
		return failure("%s: no such program", argv[0]);
	if (WEXITSTATUS(status))
		return failure("%s failed with status %d", argv[0],
			       WEXITSTATUS(status));
	return FINE;
}

int program_lines(char *const argv[],
		  void (*line)(const char *text, void *data), void *data)
{
	size_t size = 0;
	char *text = NULL;
	int ends[2], status;
	FILE *output;
	ssize_t len;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid)
		become(argv, ends[1]);
	close(ends[1]);
	output = fdopen(ends[0], "r");
	while (pid > 0 && output && (len = getline(&text, &size, output)) > 0) {
		if (text[len - 1] == '\n')
			text[len - 1] = '\0';
		line(text, data);
	}
	free(text);
	if (output)
		fclose(output);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
