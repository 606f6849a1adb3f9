/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_FILES_H
#define BALLASTCTL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ballastctl.h"

/*
 * Files of /proc and /sys, without malloc and stdio. Every path is a format,
 * relative to $BALLAST_ROOT, which unit tests set.
 */
#define FILE_PATH_LEN 512

/* Get the path below $BALLAST_ROOT; false: it does not fit @size bytes. */
bool file_path(char *path, size_t size, const char *format, ...)
	__printf(3, 4);

/*
 * Whether @name is the name of one entry of a directory and fits @size bytes.
 * It comes from users: one with a slash, "." and ".." are refused.
 */
bool file_is_name(const char *name, size_t size);

/* Whether paths are below $BALLAST_ROOT: the devices are then regular files. */
bool file_is_test(void);

bool file_exists(const char *format, ...) __printf(1, 2);

/* A file descriptor to read from, or -errno. */
int file_open(const char *format, ...) __printf(1, 2);

/*
 * Read the file, at most @size - 1 bytes, and add a NUL. Returns the length or
 * -errno; *buf is a string in both cases.
 */
ssize_t file_read(char *buf, size_t size, const char *format, ...)
	__printf(3, 4);
/* The same for an open file, from its beginning. */
ssize_t file_reread(int fd, char *buf, size_t size);

/* As file_read, without a newline at the end. */
ssize_t file_value(char *buf, size_t size, const char *format, ...)
	__printf(3, 4);

/* Read the decimal number at the beginning of the file: 0 or -errno. */
int file_number(long long *number, const char *format, ...) __printf(2, 3);

/* Write @text in one write(2): 0 or -errno. */
int file_write(const char *text, const char *format, ...) __printf(2, 3);

/* Write all of @bytes to an open file: 0 or -errno. */
int file_write_all(int fd, const void *bytes, size_t size);

/*
 * The number after @word at the beginning of a line of @text, as in
 * /proc/meminfo and /proc/vmstat ("MemFree:", "pgscan_direct"); -1: no such
 * line.
 */
long long file_field(const char *text, const char *word);

/*
 * Call @line for each line of an open file, from its beginning, until it
 * returns false. A NUL replaces the newline. Files may have any size; a line
 * over 4 KiB is split. 0 or -errno.
 */
int file_each_line(int fd, bool (*line)(char *text, void *data), void *data);

/*
 * Call @fn for each name in a directory except . and .., in the kernel's order,
 * until it returns false. 0 or -errno.
 */
int file_each_name(bool (*fn)(const char *name, void *data), void *data,
		   const char *format, ...) __printf(3, 4);

#endif
