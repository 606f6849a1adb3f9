// SPDX-License-Identifier: GPL-2.0
/*
 * This machine's addresses and connections, from /proc/net.
 */
#include "addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "process.h"

/* A line "|-- 192.0.2.11", and after it "/32 host LOCAL" if it is local. */
struct trie_search {
	const char *address;
	bool at_it;
	bool found;
};

static bool trie_line(char *line, void *data)
{
	struct trie_search *search = data;
	char *leaf = strstr(line, "|-- ");

	if (leaf)
		search->at_it = !strcmp(leaf + 4, search->address);
	else if (search->at_it && strstr(line, "/32 host LOCAL"))
		search->found = true;
	return !search->found;
}

static bool is_local4(const struct in_addr *in)
{
	char address[INET_ADDRSTRLEN];
	struct trie_search search = { .address = address };
	int fd;

	if (ntohl(in->s_addr) >> 24 == 127)
		return true;
	inet_ntop(AF_INET, in, address, sizeof(address));
	fd = file_open("/proc/net/fib_trie");
	if (fd < 0)
		return false;
	file_each_line(fd, trie_line, &search);
	close(fd);
	return search.found;
}

struct search6 {
	char digits[33];
	const char *interface;	/* NULL: any */
	bool found;
};

/* "fe80000000000000025056fffe000001 02 40 20 80     eth0" */
static bool if_inet6_line(char *line, void *data)
{
	struct search6 *search = data;
	char interface[32];

	if (strncmp(line, search->digits, 32) ||
	    sscanf(line, "%*s %*s %*s %*s %*s %31s", interface) != 1)
		return true;
	search->found = !search->interface ||
			!strcmp(interface, search->interface);
	return !search->found;
}

static bool is_local6(const struct in6_addr *in, const char *interface)
{
	struct search6 search = { .interface = interface };
	int fd, i;

	if (IN6_IS_ADDR_LOOPBACK(in))
		return true;
	if (IN6_IS_ADDR_V4MAPPED(in))
		return is_local4((const struct in_addr *)&in->s6_addr[12]);
	for (i = 0; i < 16; i++)
		sprintf(search.digits + 2 * i, "%02x", in->s6_addr[i]);
	fd = file_open("/proc/net/if_inet6");
	if (fd < 0)
		return false;
	file_each_line(fd, if_inet6_line, &search);
	close(fd);
	return search.found;
}

bool address_is_local(const char *address)
{
	const char *scope = strchr(address, '%');
	char plain[INET6_ADDRSTRLEN];
	struct in_addr in;
	struct in6_addr in6;

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(address, "%"),
		 address);
	if (inet_pton(AF_INET, plain, &in) == 1)
		return is_local4(&in);
	if (inet_pton(AF_INET6, plain, &in6) == 1)
		return is_local6(&in6, scope ? scope + 1 : NULL);
	return false;
}

/* False: not numeric, or the scope's interface does not exist. */
static bool read_server(const char *server, struct sockaddr_storage *address)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	char text[128], *host = text, *port;
	struct addrinfo *list;

	snprintf(text, sizeof(text), "%s", server);
	port = strrchr(text, ':');
	if (!port)
		return false;
	*port++ = '\0';
	if (*host == '[') {
		host[strcspn(host, "]")] = '\0';
		host++;
	}
	if (getaddrinfo(host, port, &hints, &list))
		return false;
	memset(address, 0, sizeof(*address));
	memcpy(address, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return true;
}

bool address_is_same_server(const char *one, const char *other)
{
	struct sockaddr_storage a, b;

	if (read_server(one, &a) && read_server(other, &b))
		return !memcmp(&a, &b, sizeof(a));
	return !strcmp(one, other);
}

#define MAX_SOCKETS 64

struct peer_search {
	unsigned long inodes[MAX_SOCKETS];
	int nr_inodes;
	unsigned int port;
	bool v6;
	char *address;
	size_t size;
	bool found;
};

/* /proc/net/tcp has addresses as hexadecimal words in host byte order. */
static bool read_peer(const char *hex, bool v6, char *address, size_t size)
{
	unsigned int words[4];
	int i;

	for (i = 0; i < (v6 ? 4 : 1); i++)
		if (sscanf(hex + 8 * i, "%8x", &words[i]) != 1)
			return false;
	return inet_ntop(v6 ? AF_INET6 : AF_INET, words, address, size);
}

static bool is_wanted(const struct peer_search *search, unsigned long inode,
		      unsigned int port)
{
	int i;

	if (search->port)
		return port == search->port &&
		       address_is_local(search->address);
	for (i = 0; i < search->nr_inodes; i++)
		if (search->inodes[i] == inode)
			return true;
	return false;
}

static bool tcp_line(char *line, void *data)
{
	struct peer_search *search = data;
	unsigned int port, state;
	unsigned long inode;
	char peer[33];

	if (sscanf(line,
		   " %*d: %*[0-9A-F]:%*x %32[0-9A-F]:%x %x %*s %*s %*s %*s %*s %lu",
		   peer, &port, &state, &inode) != 4 ||
	    state != TCP_ESTABLISHED ||
	    !read_peer(peer, search->v6, search->address, search->size))
		return true;
	search->found = is_wanted(search, inode, port);
	return !search->found;
}

static bool add_socket(unsigned long inode, void *data)
{
	struct peer_search *search = data;

	search->inodes[search->nr_inodes++] = inode;
	return search->nr_inodes < MAX_SOCKETS;
}

static void find_sockets(int pid, struct peer_search *search)
{
	char name[12];

	snprintf(name, sizeof(name), "%d", pid);
	process_each_socket(name, add_socket, search);
}

bool address_of_peer(int pid, unsigned int port, char *address, size_t size)
{
	struct peer_search search = {
		.port = pid ? 0 : port,
		.address = address,
		.size = size,
	};
	int fd, v6;

	if (pid)
		find_sockets(pid, &search);
	for (v6 = 0; v6 < 2 && !search.found; v6++) {
		search.v6 = v6;
		fd = file_open("/proc/net/%s", v6 ? "tcp6" : "tcp");
		if (fd < 0)
			continue;
		file_each_line(fd, tcp_line, &search);
		close(fd);
	}
	if (!search.found)
		*address = '\0';
	return search.found;
}
