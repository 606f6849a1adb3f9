// SPDX-License-Identifier: GPL-2.0
/*
 * Runs modprobe and mkswap.
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

static void become(char *const argv[])
{
	const char *path = getenv("PATH");
	int null = open("/dev/null", O_RDWR);
	char wider[4096];

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
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
		become(argv);
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
