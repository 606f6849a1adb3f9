// SPDX-License-Identifier: GPL-2.0
/*
 * Reading and writing the small files of /proc and /sys, see files.h.
 */
#include "files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_LEN 4096

bool file_is_test(void)
{
	return getenv("BALLAST_ROOT");
}

static bool build(char *path, size_t size, const char *format, va_list args)
{
	const char *root = getenv("BALLAST_ROOT");
	size_t prefix = root ? strlen(root) : 0;
	int len;

	if (prefix >= size)
		return false;
	memcpy(path, root ? root : "", prefix);
	len = vsnprintf(path + prefix, size - prefix, format, args);
	return len >= 0 && (size_t)len < size - prefix;
}

bool file_path(char *path, size_t size, const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = build(path, size, format, args);
	va_end(args);
	return fits;
}

bool file_is_name(const char *name, size_t size)
{
	return *name && strcmp(name, ".") && strcmp(name, "..") &&
	       !strchr(name, '/') && strlen(name) < size;
}

static int open_path(int flags, const char *format, va_list args)
{
	char path[FILE_PATH_LEN];
	int fd;

	if (!build(path, sizeof(path), format, args))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool file_exists(const char *format, ...)
{
	char path[FILE_PATH_LEN];
	va_list args;
	bool fits;

	va_start(args, format);
	fits = build(path, sizeof(path), format, args);
	va_end(args);
	return fits && !access(path, F_OK);
}

int file_open(const char *format, ...)
{
	va_list args;
	int fd;

	va_start(args, format);
	fd = open_path(O_RDONLY, format, args);
	va_end(args);
	return fd;
}

ssize_t file_reread(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	*buf = '\0';
	while (len < size - 1) {
		n = pread(fd, buf + len, size - 1 - len, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
		buf[len] = '\0';
	}
	return len;
}

static ssize_t read_path(char *buf, size_t size, const char *format,
			 va_list args)
{
	int fd = open_path(O_RDONLY, format, args);
	ssize_t len;

	*buf = '\0';
	if (fd < 0)
		return fd;
	len = file_reread(fd, buf, size);
	close(fd);
	return len;
}

ssize_t file_read(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	ssize_t len;

	va_start(args, format);
	len = read_path(buf, size, format, args);
	va_end(args);
	return len;
}

ssize_t file_value(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	ssize_t len;

	va_start(args, format);
	len = read_path(buf, size, format, args);
	va_end(args);
	if (len > 0 && buf[len - 1] == '\n')
		buf[--len] = '\0';
	return len;
}

int file_number(long long *number, const char *format, ...)
{
	char text[64], *end;
	va_list args;
	ssize_t len;

	va_start(args, format);
	len = read_path(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return len;
	errno = 0;
	*number = strtoll(text, &end, 10);
	if (end == text)
		return -EINVAL;
	return -errno;
}

int file_write(const char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list args;
	ssize_t n;
	int fd, err = 0;

	va_start(args, format);
	fd = open_path(O_WRONLY, format, args);
	va_end(args);
	if (fd < 0)
		return fd;
	n = write(fd, text, len);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

int file_write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	ssize_t n;

	while (size) {
		n = write(fd, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		size -= n;
	}
	return 0;
}

long long file_field(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *line = text;

	while (line) {
		if (!strncmp(line, word, len) &&
		    (isspace((unsigned char)line[len]) ||
		     (len && line[len - 1] == ':')))
			return strtoll(line + len, NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return -1;
}

int file_each_line(int fd, bool (*line)(char *text, void *data), void *data)
{
	char buf[LINE_LEN + 1], *begin, *end;
	size_t len = 0;
	off_t at = 0;
	ssize_t n;

	for (;;) {
		n = pread(fd, buf + len, LINE_LEN - len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len += n;
		begin = buf;
		while ((end = memchr(begin, '\n', buf + len - begin))) {
			*end = '\0';
			if (!line(begin, data))
				return 0;
			begin = end + 1;
		}
		len = buf + len - begin;
		if (len && (!n || len == LINE_LEN)) {
			begin[len] = '\0';
			if (!line(begin, data))
				return 0;
			len = 0;
		}
		if (!n)
			return 0;
		memmove(buf, begin, len);
	}
}

/* Not with opendir(), which allocates memory. */
int file_each_name(bool (*fn)(const char *name, void *data), void *data,
		   const char *format, ...)
{
	char buf[4096] __attribute__((aligned(8)));
	struct dirent64 *entry;
	va_list args;
	long n, at;
	int fd;

	va_start(args, format);
	fd = open_path(O_RDONLY | O_DIRECTORY, format, args);
	va_end(args);
	if (fd < 0)
		return fd;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += entry->d_reclen) {
			entry = (struct dirent64 *)(buf + at);
			if (!strcmp(entry->d_name, ".") ||
			    !strcmp(entry->d_name, ".."))
				continue;
			if (!fn(entry->d_name, data)) {
				close(fd);
				return 0;
			}
		}
	}
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}
