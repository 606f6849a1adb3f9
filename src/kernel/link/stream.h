/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sends and receives on a socket that no link uses yet: the negotiation and the
 * verification.
 */
#ifndef BALLAST_STREAM_H
#define BALLAST_STREAM_H

#include <linux/types.h>

struct kvec;
struct socket;

/**
 * struct ballast_wait - how to wait for the server
 * @timeout: jiffies, for the whole of it
 * @poll: called every BALLAST_POLL jiffies while nothing arrives; an errno that
 *	  it returns ends the waiting; may be NULL
 * @data: its argument
 */
struct ballast_wait {
	long timeout;
	int (*poll)(void *data);
	void *data;
};

#define BALLAST_POLL	max(HZ / 10, 1)

/**
 * struct ballast_stream - a socket and its deadline
 * @sock: connected
 * @deadline: jiffies
 * @wait: has the function to poll meanwhile
 * @poll_at: jiffies; when to call it next
 * @why: the reason of a failure
 */
struct ballast_stream {
	struct socket *sock;
	unsigned long deadline;
	const struct ballast_wait *wait;
	unsigned long poll_at;
	const char *why;
};

void ballast_stream_init(struct ballast_stream *stream, struct socket *sock,
			 const struct ballast_wait *wait);
int ballast_stream_send(struct ballast_stream *stream, struct kvec *vec,
			size_t nr);
int ballast_stream_read(struct ballast_stream *stream, void *buf, size_t len);

#endif /* BALLAST_STREAM_H */
