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

#define RECORD_LEN 8192 /* bytes; /dev/kmsg returns one record a read */

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

static bool is_about(const char *text, const char *what)
{
	size_t len = what ? strlen(what) : 0;

	return len && !strncmp(text, what, len) && text[len] == ':';
}

static bool last_line(int fd, const char *what, const char *other, char *line,
		      size_t size)
{
	bool found = false, own = false, is_own;
	char record[4096];
	const char *text;
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
		is_own = is_about(text, what);
		if (!is_own && (own || !is_about(text, other)))
			continue;
		snprintf(line, size, "%s", text);
		own = is_own;
		found = true;
	}
}

void klog_why(int fd, const char *what, const char *other, int err, char *why,
	      size_t size)
{
	char line[400], *number;

	if (!last_line(fd, what, other, line, sizeof(line))) {
		snprintf(why, size, "%s", strerror(-err));
		return;
	}
	number = strstr(line, " (error -");
	if (number)
		*number = '\0';
	snprintf(why, size, "the kernel says: %s (%s)", line, strerror(-err));
}

/* "6,1234,5678901,-;text"; " SUBSYSTEM=..." and the like follow some records. */
static void each_record(const char *record,
			void (*line)(unsigned long long microseconds,
				     const char *text, void *data),
			void *data)
{
	const char *text = strchr(record, ';');
	unsigned long long microseconds = 0;

	if (!text || *record == ' ')
		return;
	sscanf(record, "%*u,%*u,%llu", &microseconds);
	line(microseconds, text + 1, data);
}

int klog_each(void (*line)(unsigned long long microseconds, const char *text,
			   void *data),
	      void *data)
{
	static char records[RECORD_LEN + 1];
	char *record, *end;
	size_t len = 0;
	ssize_t n;
	int fd = file_open("/dev/kmsg");

	if (fd < 0)
		return fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	/* Each read returns one record, the oldest first; in tests, a part. */
	for (;;) {
		n = read(fd, records + len, RECORD_LEN - len);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten: read the next */
		if (n <= 0)
			break;
		len += n;
		records[len] = '\0';
		for (record = records; (end = strchr(record, '\n'));
		     record = end + 1) {
			*end = '\0';
			each_record(record, line, data);
		}
		len = records + len - record;
		memmove(records, record, len);
		/* Discard a partial line that leaves no room for a record. */
		if (len > RECORD_LEN / 2)
			len = 0;
	}
	close(fd);
	return 0;
}
