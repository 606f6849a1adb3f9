// SPDX-License-Identifier: GPL-2.0
/*
 * One byte over TCP, to and fro: what a request and its answer can't be
 * faster than.
 *
 *   pingpong serve ADDRESS PORT		on the host, for ever
 *   pingpong ask ADDRESS PORT SECONDS		prints the round trips a second
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void no_delay(int fd)
{
	int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		err(1, "TCP_NODELAY");
}

static void serve(const struct sockaddr_in *address)
{
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(listener, 1))
		err(1, "listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			err(1, "accept");
		no_delay(fd);
		while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
			;
		close(fd);
	}
}

static void ask(const struct sockaddr_in *address, double seconds)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	double begin, end;
	long trips = 0;
	char byte = 0;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		err(1, "connect");
	no_delay(fd);
	begin = now();
	do {
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			err(1, "the other end is gone");
		trips++;
		end = now();
	} while (end < begin + seconds);
	printf("%.1f\n", trips / (end - begin));
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	if (argc < 4 || !inet_aton(argv[2], &address.sin_addr))
		errx(2, "usage: pingpong serve|ask ADDRESS PORT [SECONDS]");
	address.sin_port = htons(atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		serve(&address);
	else
		ask(&address, argc > 4 ? atof(argv[4]) : 1);
	return 0;
}
