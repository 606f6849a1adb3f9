// SPDX-License-Identifier: GPL-2.0
/*
 * The sockets of a process, from /proc/PID/fd, see process.h.
 */
#include "process.h"

#include <stdio.h>
#include <unistd.h>

#include "files.h"

struct sockets {
	const char *pid;
	bool (*fn)(unsigned long inode, void *data);
	void *data;
};

/* Links lead to "socket:[12345]". */
static bool each_file(const char *name, void *data)
{
	struct sockets *sockets = data;
	char path[FILE_PATH_LEN], link[64];
	unsigned long inode;
	ssize_t len;

	if (!file_path(path, sizeof(path), "/proc/%s/fd/%s", sockets->pid,
		       name))
		return true;
	len = readlink(path, link, sizeof(link) - 1);
	if (len < 0)
		return true;
	link[len] = '\0';
	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return true;
	return sockets->fn(inode, sockets->data);
}

void process_each_socket(const char *pid,
			 bool (*fn)(unsigned long inode, void *data),
			 void *data)
{
	struct sockets sockets = { pid, fn, data };

	file_each_name(each_file, &sockets, "/proc/%s/fd", pid);
}
