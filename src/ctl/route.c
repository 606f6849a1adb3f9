// SPDX-License-Identifier: GPL-2.0
/*
 * Which interface leads to an address, from the kernel, by rtnetlink(7).
 */
#include "route.h"

#include <linux/rtnetlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

struct request {
	struct nlmsghdr header;
	struct rtmsg route;
	char attributes[64];
};

static void add(struct request *request, int type, const void *data, size_t len)
{
	struct rtattr *attribute =
		(void *)((char *)request + request->header.nlmsg_len);

	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(len);
	memcpy(RTA_DATA(attribute), data, len);
	request->header.nlmsg_len += RTA_SPACE(len);
}

static void begin(struct request *request)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_LENGTH(sizeof(request->route));
	request->header.nlmsg_type = RTM_GETROUTE;
	request->header.nlmsg_flags = NLM_F_REQUEST;
}

static void add_ip4(struct request *request, const void *address)
{
	request->route.rtm_family = AF_INET;
	request->route.rtm_dst_len = 32;
	add(request, RTA_DST, address, 4);
}

static void add_ip6(struct request *request, const struct sockaddr_in6 *to)
{
	if (IN6_IS_ADDR_V4MAPPED(&to->sin6_addr)) {
		add_ip4(request, &to->sin6_addr.s6_addr[12]);
		return;
	}
	request->route.rtm_family = AF_INET6;
	request->route.rtm_dst_len = 128;
	add(request, RTA_DST, &to->sin6_addr, 16);
	if (to->sin6_scope_id)
		add(request, RTA_OIF, &to->sin6_scope_id, 4);
}

/* The number of the interface in a reply of @len bytes; 0: there is none. */
static unsigned int interface_of(struct nlmsghdr *header, ssize_t len)
{
	struct rtmsg *route = NLMSG_DATA(header);
	struct rtattr *attribute = RTM_RTA(route);
	unsigned int interface = 0;
	int rest;

	if (len <= 0 || !NLMSG_OK(header, (size_t)len) ||
	    header->nlmsg_type != RTM_NEWROUTE)
		return 0;
	rest = RTM_PAYLOAD(header);
	for (; RTA_OK(attribute, rest); attribute = RTA_NEXT(attribute, rest))
		if (attribute->rta_type == RTA_OIF &&
		    RTA_PAYLOAD(attribute) == sizeof(interface))
			memcpy(&interface, RTA_DATA(attribute),
			       sizeof(interface));
	return interface;
}

bool route_interface(const struct sockaddr *to, char interface[IF_NAMESIZE])
{
	char reply[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct request request;
	ssize_t len = -1;
	int fd;

	begin(&request);
	if (to->sa_family == AF_INET)
		add_ip4(&request, &((const struct sockaddr_in *)to)->sin_addr);
	else if (to->sa_family == AF_INET6)
		add_ip6(&request, (const struct sockaddr_in6 *)to);
	else
		return false;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return false;
	if (send(fd, &request, request.header.nlmsg_len, 0) >= 0)
		len = recv(fd, reply, sizeof(reply), 0);
	close(fd);
	return if_indextoname(interface_of((void *)reply, len), interface);
}

bool route_to_text(const char *address, char interface[IF_NAMESIZE])
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list;
	bool found;

	if (getaddrinfo(address, NULL, &hints, &list))
		return false;
	found = route_interface(list->ai_addr, interface) &&
		strcmp(interface, "lo");
	freeaddrinfo(list);
	return found;
}
