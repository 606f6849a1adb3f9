// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the module's messages from the kernel log.
 */
#include "klog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

int klog_open(void)
{
	int fd = file_open("/dev/kmsg");

	if (fd < 0)
		return -1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	lseek(fd, 0, SEEK_END);
	return fd;
}

void klog_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* A record is "priority,number,time,flags;text\n"; its other lines are not used. */
static const char *text_of(char *record)
{
	char *text = strchr(record, ';');

	if (!text)
		return NULL;
	text++;
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, "ballast: ", 9))
		return NULL;
	return text + 9;
}

static bool last_line(int fd, const char *disk, char *line, size_t size)
{
	size_t name = strlen(disk);
	char record[4096];
	const char *text;
	bool found = false;
	ssize_t n;

	if (fd < 0)
		return false;
	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* overwritten: read the next */
		if (n <= 0)
			return found;
		record[n] = '\0';
		text = text_of(record);
		if (!text)
			continue;
		if (strncmp(text, "attach: ", 8) &&
		    (strncmp(text, disk, name) || text[name] != ':'))
			continue;
		strncpy(line, text, size - 1);
		line[size - 1] = '\0';
		found = true;
	}
}

void klog_why(int fd, const char *disk, int err, char *why, size_t size)
{
	char line[400], *number;

	if (!last_line(fd, disk, line, sizeof(line))) {
		snprintf(why, size, "%s", strerror(-err));
		return;
	}
	number = strstr(line, " (error -");
	if (number)
		*number = '\0';
	snprintf(why, size, "the kernel says: %s (%s)", line, strerror(-err));
}

/* "6,1234,5678901,-;text" as "[    5.678901] text" */
static void stamp(const char *record, char *line, size_t size)
{
	const char *text = strchr(record, ';');
	unsigned long long microseconds = 0;

	*line = '\0';
	/* " SUBSYSTEM=..." and the like follow some records. */
	if (!text || *record == ' ')
		return;
	sscanf(record, "%*u,%*u,%llu", &microseconds);
	snprintf(line, size, "[%5llu.%06llu] %s", microseconds / 1000000,
		 microseconds % 1000000, text + 1);
}

int klog_each(const char *word, void (*line)(const char *text, void *data),
	      void *data)
{
	char records[8192], text[8192], *rest, *record;
	int fd = file_open("/dev/kmsg");
	ssize_t n;

	if (fd < 0)
		return fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	/* Each read returns one record, the oldest first. */
	for (;;) {
		n = read(fd, records, sizeof(records) - 1);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten: read the next */
		if (n <= 0)
			break;
		records[n] = '\0';
		rest = records;
		while ((record = strsep(&rest, "\n"))) {
			stamp(record, text, sizeof(text));
			if (strstr(text, word))
				line(text, data);
		}
	}
	close(fd);
	return 0;
}
