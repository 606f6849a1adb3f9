// SPDX-License-Identifier: GPL-2.0
/*
 * An NBD server that costs little: what is read is zeros, and what is written is
 * dropped.
 *
 *   zeros ADDRESS PORT MIB
 *
 * A process serves each connection. What comes in one piece is answered in one
 * piece.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <ballast/nbd.h>

#define PIECE (1 << 20) /* read at a time */
#define REPLIES 64 /* written at a time */
#define MAX_REQUEST (1 << 20)

#define FLAGS                                                           \
	(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | \
	 NBD_FLAG_CAN_MULTI_CONN)

struct option {
	uint64_t magic;
	uint32_t option, length;
} __attribute__((packed));

struct option_reply {
	uint64_t magic;
	uint32_t option, type, length;
} __attribute__((packed));

struct request {
	uint32_t magic;
	uint16_t flags, type;
	uint64_t cookie, offset;
	uint32_t length;
} __attribute__((packed));

struct reply {
	uint32_t magic, error;
	uint64_t cookie;
} __attribute__((packed));

static char piece[PIECE], zeros[MAX_REQUEST];
static struct reply replies[REPLIES];
static struct iovec vector[2 * REPLIES];
static int waiting, vectors;

static int take(int fd, void *data, size_t length)
{
	return recv(fd, data, length, MSG_WAITALL) == (ssize_t)length;
}

static int give(int fd, const void *data, size_t length)
{
	return send(fd, data, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int answer_option(int fd, uint32_t option, uint32_t type,
			 const void *data, uint32_t length)
{
	struct option_reply reply = {
		.magic = htobe64(NBD_OPTS_REPLY_MAGIC),
		.option = option,
		.type = htobe32(type),
		.length = htobe32(length),
	};

	return give(fd, &reply, sizeof(reply)) &&
	       (!length || give(fd, data, length));
}

static int negotiate(int fd, uint64_t size)
{
	struct {
		uint16_t type;
		uint64_t size;
		uint16_t flags;
	} __attribute__((packed))
	info = { htobe16(NBD_INFO_EXPORT), htobe64(size), htobe16(FLAGS) };
	struct option option;
	uint32_t flags;

	if (!give(fd, "NBDMAGICIHAVEOPT\0\3", 18) ||
	    !take(fd, &flags, sizeof(flags)))
		return 0;
	while (take(fd, &option, sizeof(option)) &&
	       be64toh(option.magic) == NBD_OPTS_MAGIC &&
	       be32toh(option.length) <= sizeof(piece) &&
	       (!option.length || take(fd, piece, be32toh(option.length)))) {
		if (option.option == htobe32(NBD_OPT_GO))
			return answer_option(fd, option.option, NBD_REP_INFO,
					     &info, sizeof(info)) &&
			       answer_option(fd, option.option, NBD_REP_ACK,
					     NULL, 0);
		if (!answer_option(fd, option.option, NBD_REP_ERR_UNSUP, NULL,
				   0))
			return 0;
	}
	return 0;
}

static int flush(int fd)
{
	struct msghdr message = { .msg_iov = vector, .msg_iovlen = vectors };
	size_t left = 0;
	int i;

	for (i = 0; i < vectors; i++)
		left += vector[i].iov_len;
	/* A blocking socket takes all, unless the client has gone. */
	if (left && sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)left)
		return 0;
	waiting = vectors = 0;
	return 1;
}

static int answer(int fd, const struct request *request)
{
	uint32_t length = be32toh(request->length);

	if (waiting == REPLIES && !flush(fd))
		return 0;
	replies[waiting] = (struct reply){ htobe32(NBD_SIMPLE_REPLY_MAGIC), 0,
					   request->cookie };
	vector[vectors++] =
		(struct iovec){ &replies[waiting++], sizeof(struct reply) };
	if (request->type == htobe16(NBD_CMD_READ)) {
		if (length > sizeof(zeros))
			return 0;
		vector[vectors++] = (struct iovec){ zeros, length };
	}
	return 1;
}

/* How much of a piece is done with; 0 with have > 0: too little. -1: the client leaves. */
static ssize_t eat(int fd, size_t have)
{
	static struct request now; /* whose data is skipped */
	static size_t skip;
	size_t at = 0, part;

	while (at < have) {
		if (!skip) {
			if (have - at < sizeof(now))
				break;
			memcpy(&now, piece + at, sizeof(now));
			at += sizeof(now);
			if (now.type == htobe16(NBD_CMD_DISC))
				return -1;
			if (now.type == htobe16(NBD_CMD_WRITE))
				skip = be32toh(now.length);
		}
		part = skip < have - at ? skip : have - at;
		at += part;
		skip -= part;
		if (!skip && !answer(fd, &now))
			return -1;
	}
	return at;
}

static void serve(int fd)
{
	size_t have = 0;

	for (;;) {
		ssize_t got = recv(fd, piece + have, sizeof(piece) - have, 0),
			done;

		if (got <= 0)
			return;
		have += got;
		done = eat(fd, have);
		if (done < 0 || !flush(fd))
			return;
		/* The last request may not be all there. */
		have -= done;
		memmove(piece, piece + done, have);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (argc != 4 || !inet_aton(argv[1], &address.sin_addr) ||
	    atol(argv[3]) < 1)
		errx(2, "usage: zeros ADDRESS PORT MIB");
	address.sin_port = htons(atoi(argv[2]));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&address,
		 sizeof(address)) ||
	    listen(listener, 4))
		err(1, "%s port %s", argv[1], argv[2]);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			err(1, "accept");
		if (!fork()) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
				   sizeof(on));
			if (negotiate(fd, (uint64_t)atol(argv[3]) << 20))
				serve(fd);
			return 0;
		}
		close(fd);
	}
}
