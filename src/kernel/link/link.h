/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One TCP connection to the server: requests go out, replies come in.
 *
 * No thread and no work queue takes part in a request. Under memory pressure
 * a work queue gets no new worker, and a thread switch costs more than sending.
 * The submitter sends a request, or the socket's write_space callback does.
 * Replies are read in softirq, from the socket directly into the request's own
 * pages. While memory for sockets is short, the data_ready callback reads at
 * once, so that the receive queue is empty whenever a segment arrives: then
 * tcp_data_queue() accepts it regardless of net.ipv4.tcp_mem.
 *
 * The socket lock, in either of its forms, protects the state of a link's
 * requests: bh_lock_sock() while no process owns the socket (softirq,
 * submitters), or lock_sock() (process). While a link has no socket, only the
 * session's thread uses that state.
 *
 * link.c has a link's life cycle, state.c what changes under its lock, send.c
 * sends, reply.c reads, watch.c detects that the server is gone.
 */
#ifndef BALLAST_LINK_H
#define BALLAST_LINK_H

#include <linux/cache.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/ratelimit.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "cmd.h"
#include "reserve/path.h"
#include "wire.h"

struct ballast_fences;
struct ballast_link;
struct socket;

/* When to retry getting the reserves of a route that has moved. */
#define BALLAST_REPATH		HZ

/**
 * struct ballast_slot - finds the request of a cookie, by the index in it
 * @link: awaits the reply; NULL: no link does. A reader can rely on the value
 *	  only if it is its own link; otherwise it may change at any time
 * @cmd: valid under the lock of @link
 */
struct ballast_slot {
	struct ballast_link *link;
	struct ballast_cmd *cmd;
};

/* The kind of the next bytes from the server. */
enum ballast_rx_state {
	BALLAST_RX_HEADER,	/* of a reply */
	BALLAST_RX_FIXED,	/* the first bytes of a chunk's payload */
	BALLAST_RX_DATA,	/* for the pages of a read */
	BALLAST_RX_SKIP,	/* the text of an error */
};

/**
 * struct ballast_rx - how far the server's stream has been read
 * @state: what comes next
 * @buf: the bytes that have arrived of a header or of a chunk's fixed part
 * @have: bytes in @buf
 * @want: bytes still missing from @buf, the data, or the bytes to skip
 * @reply: the header of the current reply
 * @cmd: the request that it answers
 * @since_sent: bytes read since submitted requests were last sent
 * @broken: the server violated the protocol
 */
struct ballast_rx {
	enum ballast_rx_state state;
	u8 buf[WIRE_REPLY_MAX_LEN];
	u32 have;
	u32 want;
	struct wire_reply reply;
	struct ballast_cmd *cmd;
	size_t since_sent;
	bool broken;
};

/**
 * struct ballast_link - one connection
 * @sk: the socket while requests can be sent, else NULL; written by the
 *	session's thread under the socket lock, read under RCU or that lock
 * @failed: given up; nothing further is sent or read
 * @structured: the server answers reads with structured replies
 * @index: of the link in its session
 * @nr_slots: number of @slots
 * @slots: the session's requests by index
 * @fences: the session's old connections
 * @path: its interfaces; kept from one connection to the next. Written by
 *	  the session's thread, under the socket lock while there is a socket
 * @wait: wakes the session's thread, and waiters for this link
 * @timeout: jiffies that a request may stay unanswered; 0: no limit
 * @submitted: requests handed over, newest first; any context, no lock
 * @reading: a context reads replies with the lock held, and then sends requests
 *	     submitted meanwhile
 * @unsent_reads: reads not sent, or sent in part
 * @unsent: the other requests not sent, or sent in part
 * @overtaken: number of reads sent before requests of @unsent, since one of
 *	       @unsent was sent
 * @sent: requests that await their replies
 * @generation: makes cookies differ
 * @inflight: number of requests in @unsent_reads, @unsent and @sent
 * @sending: a context is in ballast_send_locked() with the lock held
 * @few: packets must have few fragments
 * @frags: upper bound of the fragments in the packet being filled; only while
 *	   @few
 * @gso_max_size: the socket's own value, while @few has it lowered
 * @answered: the server has answered a request over this connection
 * @rx: the state of receiving
 * @reader: reads at the end of the receive softirq
 * @retry: sends again where no event would wake the sender
 * @watch: checks unanswered requests once a second
 * @probed_at: jiffies; when watch.c last made TCP probe a closed window
 * @repath_failed_at: jiffies; @path is not looked up again for BALLAST_REPATH
 * @repath: @path must be looked up again
 * @next: replaces @path when it is ready; only the session's thread uses it
 * @sock: the socket of @sk, for its owner, the session's thread
 * @failed_at: get_jiffies_64() of the last failure
 * @err: of the last failure, a negative errno
 * @why: its reason in words
 * @closed: the server has closed its side
 * @outage: the connection is lost; the reserve counts that as a request in
 *	    flight
 * @holds: number of old connections that the reserve counts likewise
 * @said: rate limit of log lines on failures and reconnects
 * @saved_data_ready: the socket's own callbacks, restored before it closes
 */
struct ballast_link {
	/* Read by all submitters, and seldom written. */
	struct sock __rcu *sk;
	bool failed;
	bool structured;
	unsigned int index;
	u32 nr_slots;
	struct ballast_slot *slots;
	struct ballast_fences *fences;
	struct ballast_path *path;
	wait_queue_head_t *wait;
	unsigned long timeout;

	/* Written and read by all submitters. */
	struct llist_head submitted ____cacheline_aligned_in_smp;
	bool reading;

	/* Under the lock, for each request. */
	struct list_head unsent_reads ____cacheline_aligned_in_smp;
	struct list_head unsent;
	struct list_head sent;
	unsigned int overtaken;
	u32 generation;
	unsigned int inflight;
	bool sending;
	bool few;
	unsigned int frags;
	unsigned int gso_max_size;
	bool answered;
	struct ballast_rx rx;
	struct tasklet_struct reader;

	/* The rest. */
	struct timer_list retry;
	struct timer_list watch;
	unsigned long probed_at;
	unsigned long repath_failed_at;
	bool repath;
	struct ballast_path *next;
	struct socket *sock;
	u64 failed_at;
	int err;
	const char *why;
	bool closed;
	bool outage;
	unsigned int holds;
	struct ratelimit_state said;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_write_space)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_error_report)(struct sock *sk);
};

/* link.c: from the session's thread, or after it has ended */
void ballast_link_init(struct ballast_link *link, unsigned int timeout,
		       wait_queue_head_t *wait);
void ballast_link_destroy(struct ballast_link *link);
void ballast_link_start(struct ballast_link *link, struct socket *sock,
			bool structured);
void ballast_link_finish(struct ballast_link *link);
struct socket *ballast_link_release(struct ballast_link *link,
				    struct list_head *cmds);
void ballast_link_give_up(struct ballast_link *link, const char *why);
void ballast_link_stop(struct ballast_link *link, struct list_head *cmds);
bool ballast_link_update_route(struct ballast_link *link, bool look);
struct ballast_path *ballast_link_use_path(struct ballast_link *link,
					   struct ballast_path *path);
void ballast_link_outage(struct ballast_link *link, bool lost);
void ballast_link_hold_path(struct ballast_link *link, bool hold);

/* state.c */
void ballast_link_run(struct ballast_link *link,
		      void (*run)(struct ballast_link *link, struct sock *sk));
void ballast_link_fail(struct ballast_link *link, int err, const char *why);
void ballast_link_note_route(struct ballast_link *link, struct sock *sk);
void ballast_link_ended(struct ballast_link *link, unsigned int nr);
void ballast_link_assert_locked(const struct ballast_link *link);

/* Can requests be sent here? Only a hint: the link may fail the moment after. */
static inline bool ballast_link_live(const struct ballast_link *link)
{
	return rcu_access_pointer(link->sk) && !READ_ONCE(link->failed);
}

#endif /* BALLAST_LINK_H */
