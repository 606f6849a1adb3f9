// SPDX-License-Identifier: GPL-2.0
/*
 * The header of an encrypted swap, see header.h. docs/encryption.md has its
 * format, which is the same in every release.
 */
#include "header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define MAGIC "ballast: encrypted swap, version 1\n"
#define OWNER "owner: "
#define LABEL "label: "
#define TEXT_SIZE 512

/* Copy a value of the text, which ends with its line. */
static void copy_value(char *value, size_t size, const char *text,
		       const char *name)
{
	const char *at = strstr(text, name);

	snprintf(value, size, "%.*s",
		 at ? (int)strcspn(at + strlen(name), "\n") : 0,
		 at ? at + strlen(name) : "");
}

int header_read(int fd, struct identity *owner)
{
	char text[TEXT_SIZE + 1];
	ssize_t n = pread(fd, text, TEXT_SIZE, 0);

	memset(owner, 0, sizeof(*owner));
	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (strncmp(text, MAGIC, strlen(MAGIC)))
		return 0;
	copy_value(owner->uuid, sizeof(owner->uuid), text, "\n" OWNER);
	copy_value(owner->label, sizeof(owner->label), text, "\n" LABEL);
	return 1;
}

/* A host name with a newline would begin another line. */
static void format(char *text, const struct identity *owner)
{
	char label[IDENTITY_LABEL_LEN], *at;

	strcpy(label, owner->label);
	for (at = label; *at; at++)
		if (*at == '\n')
			*at = ' ';
	snprintf(text, TEXT_SIZE, MAGIC OWNER "%s\n" LABEL "%s\n", owner->uuid,
		 label);
}

int header_write(const char *device, const struct identity *owner)
{
	int fd = open(device, O_WRONLY | O_CLOEXEC);
	char *bytes;
	int err;

	if (fd < 0)
		return -errno;
	bytes = calloc(1, HEADER_SIZE);
	if (bytes && owner)
		format(bytes, owner);
	err = bytes ? file_write_all(fd, bytes, HEADER_SIZE) : -ENOMEM;
	if (!err && fsync(fd))
		err = -errno;
	free(bytes);
	close(fd);
	return err;
}
