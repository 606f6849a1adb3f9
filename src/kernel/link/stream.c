// SPDX-License-Identifier: GPL-2.0
/*
 * See stream.h. Allocates packets only, so that it works when memory has run
 * out.
 */
#include "stream.h"

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/net.h>
#include <linux/uio.h>
#include <net/sock.h>

static const char stream_closed[] = "the server closed the connection";

/**
 * ballast_stream_init - begin to use a socket
 * @stream: set up
 * @sock: connected
 * @wait: how long all uses of @stream together may take; must outlive it
 *
 * Context: any
 */
void ballast_stream_init(struct ballast_stream *stream, struct socket *sock,
			 const struct ballast_wait *wait)
{
	*stream = (struct ballast_stream){
		.sock = sock,
		.deadline = jiffies + wait->timeout,
		.wait = wait,
		.poll_at = jiffies + BALLAST_POLL,
	};
}

/**
 * ballast_stream_send - send bytes
 * @stream: connected
 * @vec: the bytes
 * @nr: number of elements of @vec
 *
 * Context: process; sleeps interruptibly
 * Return: 0 or an errno, and @stream->why is set
 */
int ballast_stream_send(struct ballast_stream *stream, struct kvec *vec,
			size_t nr)
{
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	size_t len = 0, i;
	int n;

	for (i = 0; i < nr; i++)
		len += vec[i].iov_len;
	n = kernel_sendmsg(stream->sock, &msg, vec, nr, len);
	if (n == len)
		return 0;
	/* Sending may notice the close before reading does. */
	if (n == -EPIPE || n == -ECONNRESET) {
		stream->why = stream_closed;
		return -ECONNRESET;
	}
	stream->why = "sending failed";
	return n < 0 ? n : -ETIMEDOUT;
}

/* A server that sends byte by byte must not delay the other links either. */
static int stream_poll(struct ballast_stream *stream)
{
	if (!stream->wait->poll || time_before(jiffies, stream->poll_at))
		return 0;
	stream->poll_at = jiffies + BALLAST_POLL;
	return stream->wait->poll(stream->wait->data);
}

/**
 * ballast_stream_read - receive bytes
 * @stream: connected
 * @buf: for @len bytes
 * @len: the number of bytes to wait for
 *
 * Context: process; sleeps interruptibly, not beyond the deadline
 * Return: 0; -ETIMEDOUT; -ECONNRESET: the server closed the connection;
 * the errno of &ballast_wait.poll; another errno. @stream->why is set.
 */
int ballast_stream_read(struct ballast_stream *stream, void *buf, size_t len)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };

	while (vec.iov_len) {
		struct msghdr msg = { .msg_flags = MSG_WAITALL };
		long left = stream->deadline - jiffies;
		int err, n = -EAGAIN;

		if (left > 0) {
			stream->sock->sk->sk_rcvtimeo =
				min_t(long, left, BALLAST_POLL);
			n = kernel_recvmsg(stream->sock, &msg, &vec, 1,
					   vec.iov_len, MSG_WAITALL);
		}
		err = stream_poll(stream);
		if (err) {
			stream->why = "given up";
			return err;
		}
		if (n == -EAGAIN && left > BALLAST_POLL)
			continue;
		if (n == -EAGAIN) {
			stream->why = "the server does not answer";
			return -ETIMEDOUT;
		}
		if (!n || n == -ECONNRESET) {
			stream->why = stream_closed;
			return -ECONNRESET;
		}
		if (n < 0) {
			stream->why = "receiving failed";
			return n;
		}
		vec.iov_base += n;
		vec.iov_len -= n;
	}
	return 0;
}
