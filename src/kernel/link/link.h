/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One TCP connection to the server: requests go out, replies come in.
 *
 * There is no thread and no work queue on the way of a request. Under the
 * pressure that ballast exists for, no work queue gets a new worker, and a
 * thread switch costs more than the sending. A request is sent where it is
 * submitted, or where the socket says that it has room again; a reply is
 * taken out of the socket in softirq, into the request's own pages. Where
 * memory for sockets is short that happens in the data_ready callback, so
 * that the receive queue is empty whenever a segment arrives: then
 * tcp_data_queue() takes it whatever net.ipv4.tcp_mem says.
 *
 * The socket lock, in either of its forms, guards what a link knows of its
 * requests: bh_lock_sock() with the socket not owned (softirq, submitters),
 * or lock_sock() (process). While a link has no socket, its disk's thread
 * alone touches them.
 */
#ifndef BALLAST_LINK_H
#define BALLAST_LINK_H

#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/ratelimit.h>
#include <linux/socket.h>
#include <linux/timer.h>
#include <linux/uio.h>
#include <linux/wait.h>

#include "reserve/path.h"
#include "wire.h"

struct ballast_link;
struct bio;
struct net;
struct request;
struct socket;

/**
 * struct ballast_cmd - the driver's part of a request, preallocated with it
 * @submit: in &ballast_link.submitted
 * @entry: in &ballast_link.unsent or &ballast_link.sent
 * @index: which tag this is, over all of the disk's queues
 * @cookie: as sent to the server; another one for each sending
 * @type: NBD_CMD_*
 * @flags: NBD_CMD_FLAG_*
 * @offset: bytes into the export
 * @length: bytes
 * @began_at: jiffies; when it was handed over to this link
 * @header: as it goes to the server
 * @header_sent: bytes of it that are sent
 * @done: bytes of @length that are sent (of a write) or that @iter stands
 *	  at (of a read)
 * @bio: which part of the request @iter is in
 * @iter: what is left of @bio
 * @splice: @bio's pages can be sent in place
 * @error: the server's, 0 so far
 * @cover: which parts of a structured read have come
 */
struct ballast_cmd {
	struct llist_node submit;
	struct list_head entry;
	u32 index;
	u64 cookie;
	u16 type;
	u16 flags;
	u64 offset;
	u32 length;
	unsigned long began_at;
	u8 header[WIRE_REQUEST_LEN];
	u8 header_sent;
	bool splice;
	u32 done;
	struct bio *bio;
	struct iov_iter iter;
	int error;
	struct wire_cover cover;
};

/**
 * struct ballast_slot - which request has a cookie, by its low 32 bits
 * @link: that awaits the reply; NULL: none does. Another value than the
 *	  reader's own may change at any time.
 * @cmd: valid under the lock of @link
 */
struct ballast_slot {
	struct ballast_link *link;
	struct ballast_cmd *cmd;
};

/* What the next bytes from the server are. */
enum ballast_rx_state {
	BALLAST_RX_HEADER,	/* of a reply */
	BALLAST_RX_FIXED,	/* what begins a chunk's payload */
	BALLAST_RX_DATA,	/* for the pages of a read */
	BALLAST_RX_SKIP,	/* an error's text */
};

/**
 * struct ballast_rx - how far the server's stream has been read
 * @state: what comes next
 * @buf: what has come of a header or a chunk's fixed part
 * @have: bytes in @buf
 * @want: bytes that @buf, or the data, or what is skipped still needs
 * @reply: the header being worked on
 * @cmd: the request that it answers
 */
struct ballast_rx {
	enum ballast_rx_state state;
	u8 buf[WIRE_REPLY_MAX_LEN];
	u32 have;
	u32 want;
	struct wire_reply reply;
	struct ballast_cmd *cmd;
};

/**
 * struct ballast_link - one connection
 * @sk: the socket while requests can be sent, else NULL; read under RCU
 * @sock: likewise, for its owner, the disk's thread
 * @submitted: requests handed over, newest first; any context, no lock
 * @unsent: requests not sent, or not wholly
 * @sent: requests that await their reply
 * @generation: makes cookies differ
 * @slots: the disk's requests by index
 * @nr_slots: how many
 * @sending: somebody is in link_send() with the lock held
 * @few: packets are to have few fragments
 * @frags: of the packet being filled, at most; only while @few
 * @gso_max_size: the socket's own, while @few has it lowered
 * @structured: reads are answered in structured replies
 * @failed: given up; nothing further is sent or read
 * @failed_at: get_jiffies_64(), when it was last
 * @closed: the server has closed its side
 * @answered: it has answered a request over this connection
 * @err: why it failed, a negative errno
 * @why: likewise, in words
 * @path: its interfaces; stays from one connection to the next. Written
 *	  by the disk's thread.
 * @next: what takes its place when it is ready; the disk's thread's
 * @repath_at: jiffies; not before is @path got anew
 * @repath: it is to be got anew
 * @inflight: requests in @unsent and @sent
 * @outage: the connection is lost; counts as a request in flight
 * @rx: the state of receiving
 * @reader: reads at the end of the receive softirq
 * @retry: sends again where nothing else would wake the sender
 * @watch: looks after requests that have no answer, once a second
 * @timeout: jiffies that a request may go unanswered; 0: for ever
 * @wait: the disk's thread and whoever waits for this link
 * @said: how often of late the log was told that it failed or is back
 * @saved_data_ready: the socket's own callbacks, put back before it closes
 */
struct ballast_link {
	struct sock *sk;
	struct socket *sock;
	struct llist_head submitted;
	struct list_head unsent;
	struct list_head sent;
	u32 generation;
	struct ballast_slot *slots;
	u32 nr_slots;
	bool sending;
	bool few;
	unsigned int frags;
	unsigned int gso_max_size;
	bool structured;
	bool failed;
	u64 failed_at;
	bool closed;
	bool answered;
	int err;
	const char *why;
	struct ballast_path *path;
	struct ballast_path *next;
	unsigned long repath_at;
	bool repath;
	unsigned int inflight;
	bool outage;
	struct ballast_rx rx;
	struct tasklet_struct reader;
	struct timer_list retry;
	struct timer_list watch;
	unsigned long timeout;
	wait_queue_head_t *wait;
	struct ratelimit_state said;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_error_report)(struct sock *sk);
};

void ballast_link_init(struct ballast_link *link, struct ballast_slot *slots,
		       u32 nr_slots, unsigned int timeout,
		       wait_queue_head_t *wait);
void ballast_link_destroy(struct ballast_link *link);

int ballast_link_get_memalloc(struct socket **sock);
void ballast_link_put_memalloc(struct socket *sock);

struct socket *ballast_link_connect(struct net *net,
				    const struct sockaddr_storage *addr,
				    long timeout);
void ballast_link_disconnect(struct socket *sock);

void ballast_link_start(struct ballast_link *link, struct socket *sock,
			bool structured);
void ballast_link_finish(struct ballast_link *link);
void ballast_link_stop(struct ballast_link *link, struct list_head *cmds);

void ballast_link_ended(struct ballast_link *link, unsigned int nr);
void ballast_link_fail(struct ballast_link *link, int err, const char *why);
bool ballast_link_moved(struct ballast_link *link, bool look);
struct ballast_path *ballast_link_use_path(struct ballast_link *link,
					   struct ballast_path *path);
void ballast_link_outage(struct ballast_link *link, bool lost);
void ballast_link_submit(struct ballast_link *link, struct ballast_cmd *cmd);
void ballast_link_kick(struct ballast_link *link);

/* Can requests be sent here? Only a hint: it may fail the moment after. */
static inline bool ballast_link_live(const struct ballast_link *link)
{
	return READ_ONCE(link->sk) && !READ_ONCE(link->failed);
}

#endif /* BALLAST_LINK_H */
