/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BALLASTCTL_FILES_H
#define BALLASTCTL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ballastctl.h"

/*
 * Files of /proc and /sys, without malloc and without stdio's buffers. Every
 * path is a format, and is looked up below $BALLAST_ROOT, which unit tests set.
 */
#define FILE_PATH_LEN 512

/* The path as the system shall get it; false: it is longer than @size. */
bool file_path(char *path, size_t size, const char *format, ...)
	__printf(3, 4);

/*
 * Whether @name, which anybody may have given, names one entry of a directory
 * and fits @size bytes: it leads nowhere else.
 */
bool file_is_name(const char *name, size_t size);

bool file_exists(const char *format, ...) __printf(1, 2);

/* A file descriptor to read from, or -errno. */
int file_open(const char *format, ...) __printf(1, 2);

/*
 * All of the file, at most @size - 1 bytes, and a NUL. Returns the length or
 * -errno, and *buf is a string even then.
 */
ssize_t file_read(char *buf, size_t size, const char *format, ...)
	__printf(3, 4);
/* The same from a file that stays open. */
ssize_t file_reread(int fd, char *buf, size_t size);

/* As file_read, without the newline at its end. */
ssize_t file_value(char *buf, size_t size, const char *format, ...)
	__printf(3, 4);

/* The decimal number that the file begins with: 0 or -errno. */
int file_number(long long *number, const char *format, ...) __printf(2, 3);

/* Write @text in one write(2): 0 or -errno. */
int file_write(const char *text, const char *format, ...) __printf(2, 3);

/*
 * The number behind @word at the beginning of a line of @text, as in
 * /proc/meminfo and /proc/vmstat ("MemFree:", "pgscan_direct"); -1: none.
 */
long long file_field(const char *text, const char *word);

/*
 * Call @line for each line of an open file, read from its beginning, NUL for
 * newline, until it returns false. For files of any size; a line over 4 KiB is
 * cut. 0 or -errno.
 */
int file_each_line(int fd, bool (*line)(char *text, void *data), void *data);

/*
 * Call @fn for each name in a directory but . and .., in the kernel's order,
 * until it returns false. 0 or -errno.
 */
int file_each_name(bool (*fn)(const char *name, void *data), void *data,
		   const char *format, ...) __printf(3, 4);

#endif
