// SPDX-License-Identifier: GPL-2.0
/*
 * Finds sockets that capture packets, see captures.h. /proc/net/packet has the
 * memory that they hold, and sock_diag its limit.
 */
#include "captures.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ballastctl.h"
#include "files.h"

/* "sk RefCnt Type Proto Iface R Rmem User Inode" */
static bool packet_line(char *line, void *data)
{
	struct captures *captures = data;
	struct capture *capture = &captures->captures[captures->nr];
	unsigned int protocol;

	if (sscanf(line, "%*s %*u %*u %x %u %*u %lld %*u %u", &protocol,
		   &capture->interface, &capture->held, &capture->inode) != 4 ||
	    protocol != ETH_P_ALL)
		return true;
	capture->limit = capture->held;
	captures->nr++;
	return captures->nr < CAPTURES_MAX;
}

static struct capture *capture_of(struct captures *captures, unsigned int inode)
{
	int i;

	for (i = 0; i < captures->nr; i++)
		if (captures->captures[i].inode == inode)
			return &captures->captures[i];
	return NULL;
}

/* The payload of an attribute; NULL: it is shorter than @size bytes. */
static const void *payload(const struct rtattr *attribute, size_t size)
{
	return RTA_PAYLOAD(attribute) >= size ? RTA_DATA(attribute) : NULL;
}

/*
 * A ring is allocated at once, and does not grow. The receive buffer then holds
 * nothing, unless the socket also wants copies of packets that are too large
 * for the ring.
 */
static void take_message(struct captures *captures, const struct nlmsghdr *head)
{
	const struct packet_diag_msg *message = NLMSG_DATA(head);
	int len = head->nlmsg_len - NLMSG_SPACE(sizeof(*message));
	const struct packet_diag_info *info = NULL;
	const struct packet_diag_ring *ring = NULL;
	const __u32 *memory = NULL;
	const struct rtattr *at;
	struct capture *capture;

	if (len < 0)
		return;
	capture = capture_of(captures, message->pdiag_ino);
	if (!capture)
		return;
	for (at = (const void *)(message + 1); RTA_OK(at, len);
	     at = RTA_NEXT(at, len)) {
		if (at->rta_type == PACKET_DIAG_INFO)
			info = payload(at, sizeof(*info));
		else if (at->rta_type == PACKET_DIAG_RX_RING)
			ring = payload(at, sizeof(*ring));
		else if (at->rta_type == PACKET_DIAG_MEMINFO)
			memory = payload(at, (SK_MEMINFO_RCVBUF + 1) *
						     sizeof(*memory));
	}
	if (ring && !(info && info->pdi_copy_thresh))
		capture->limit = 0;
	else if (memory)
		capture->limit = memory[SK_MEMINFO_RCVBUF];
}

/* False: the end of the answer, or an error such as no packet_diag. */
static bool take_answer(struct captures *captures, const void *answer, int len)
{
	const struct nlmsghdr *head;

	for (head = answer; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return false;
		take_message(captures, head);
	}
	return true;
}

static int ask(void)
{
	struct {
		struct nlmsghdr head;
		struct packet_diag_req request;
	} question = {
		.head = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.request = {
			.sdiag_family = AF_PACKET,
			.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO |
				      PACKET_SHOW_RING_CFG,
		},
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
			NETLINK_SOCK_DIAG);

	if (fd >= 0 && send(fd, &question, sizeof(question), 0) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void captures_find(struct captures *captures)
{
	static char answer[32 << 10] __attribute__((aligned(NLMSG_ALIGNTO)));
	int fd = file_open("/proc/net/packet");
	ssize_t len;

	captures->nr = 0;
	if (fd < 0)
		return;
	file_each_line(fd, packet_line, captures);
	close(fd);
	if (!captures->nr)
		return;
	fd = ask();
	if (fd < 0)
		return;
	do
		len = recv(fd, answer, sizeof(answer), 0);
	while (len > 0 && take_answer(captures, answer, len));
	close(fd);
}
