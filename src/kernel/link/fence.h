/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fences: the server may still execute requests that it received over a
 * connection that was given up. Until it has answered them, or its side of the
 * connection has ended, no replayed write completes: the old write could
 * overtake a newer one of the same sectors, and its pages could be reused while
 * packets still refer to them.
 *
 * The old socket is kept, TCP continues to deliver, and replies are counted.
 * The sending side is shut down only when all writes are answered: qemu-nbd
 * closes as soon as it reads an end of file, while it still executes requests
 * that it has read before.
 */
#ifndef BALLAST_FENCE_H
#define BALLAST_FENCE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "cmd.h"
#include "drain.h"

struct ballast_fences;
struct ballast_link;
struct socket;

/**
 * struct ballast_fence - one old connection
 * @set: all of the session
 * @link: the link that had the connection
 * @sock: the old socket; NULL: this fence is free, or only drains
 * @sk: the same; held until the fence is free
 * @since: jiffies; when the connection was given up
 * @rest: copy of the request that was sent in part; its rest is sent so that
 *	  the server finds its end of file between two requests
 * @has_rest: @rest is not sent yet
 * @drain: the state of receiving; under the socket lock
 * @answered: all writes are answered; written under the socket lock
 * @ended: the server's side has ended; written under the socket lock
 * @saved_data_ready: the socket's own callbacks, restored before it closes
 */
struct ballast_fence {
	struct ballast_fences *set;
	struct ballast_link *link;
	struct socket *sock;
	struct sock *sk;
	unsigned long since;
	struct ballast_cmd rest;
	bool has_rest;
	struct ballast_drain drain;
	bool answered;
	bool ended;
	void (*saved_data_ready)(struct sock *sk);
	void (*saved_state_change)(struct sock *sk);
	void (*saved_error_report)(struct sock *sk);
};

/**
 * struct ballast_fences - the old connections of a session
 * @fence: @nr of them; only the session's thread begins and ends them
 * @nr: number of @fence, 64 at most
 * @next: where the search for a free one begins; delays the reuse of a bit in
 *	  &ballast_cmd.fences
 * @limit: jiffies that a fence may last
 * @wait: woken when one has ended
 * @name: of the disk, for the log
 * @lock: guards @active, @held and @nr_held; taken in softirq; a leaf
 * @active: bit mask of the fences that hold requests
 * @held: requests that the server has answered and that wait for a fence
 * @nr_held: number of @held
 * @expired: number of fences that ended after @limit, without the server
 * @pushed_at: jiffies; of the last ballast_fences_push()
 */
struct ballast_fences {
	struct ballast_fence *fence;
	unsigned int nr;
	unsigned int next;
	unsigned long limit;
	wait_queue_head_t *wait;
	const char *name;

	spinlock_t lock;
	u64 active;
	struct list_head held;
	unsigned int nr_held;
	unsigned int expired;
	unsigned long pushed_at;
};

int ballast_fences_init(struct ballast_fences *set, unsigned int connections,
			unsigned int seconds, const char *name,
			wait_queue_head_t *wait);
void ballast_fences_free(struct ballast_fences *set);

bool ballast_fences_full(const struct ballast_fences *set);
void ballast_fence_begin(struct ballast_fences *set, struct ballast_link *link,
			 struct socket *sock, struct list_head *cmds);
long ballast_fences_check(struct ballast_fences *set);
void ballast_fences_push(struct ballast_fences *set);
void ballast_fences_abort(struct ballast_fences *set, struct list_head *cmds);

unsigned int ballast_fences_active(const struct ballast_fences *set);
bool ballast_fences_hold(struct ballast_fences *set, struct ballast_cmd *cmd);

#endif /* BALLAST_FENCE_H */
