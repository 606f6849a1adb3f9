// SPDX-License-Identifier: GPL-2.0
/*
 * Writes small files, such as those below /etc.
 */
#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

/* Without this the new name may be lost in a crash. */
static int sync_directory(const char *path)
{
	char directory[FILE_PATH_LEN];
	int fd, err = 0;

	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

static int write_file(bool replace, const char *text, const char *format,
		      va_list args)
{
	char name[FILE_PATH_LEN], path[FILE_PATH_LEN], tmp[FILE_PATH_LEN];
	int fd, err;

	vsnprintf(name, sizeof(name), format, args);
	/* Other programs read only names that end in .conf. */
	if (!file_path(path, sizeof(path), "%s", name) ||
	    !file_path(tmp, sizeof(tmp), "%s.XXXXXX", name))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_write_all(fd, text, strlen(text));
	if (!err && (fchmod(fd, 0644) || fsync(fd)))
		err = -errno;
	close(fd);
	if (!err && (replace ? rename(tmp, path) : link(tmp, path)))
		err = -errno;
	if (err || !replace)
		unlink(tmp);
	if (err)
		return err;
	err = sync_directory(path);
	if (err && !replace)
		unlink(path);
	return err;
}

int conf_write(const char *text, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = write_file(true, text, format, args);
	va_end(args);
	return err;
}

int conf_create(const char *text, const char *format, ...)
{
	va_list args;
	int err;

	va_start(args, format);
	err = write_file(false, text, format, args);
	va_end(args);
	return err;
}
