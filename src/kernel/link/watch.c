// SPDX-License-Identifier: GPL-2.0
/*
 * The watchdog of a link; see watch.h.
 */
#include "watch.h"

#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "link.h"
#include "reserve/pressure.h"
#include "socket.h"

/*
 * No ACK for this long, for data that TCP has retransmitted meanwhile: the
 * peer is gone. TCP's doubling timeouts could delay recovery by two minutes
 * after it returns; a server that is only slow still sends ACKs.
 */
#define WATCH_SILENT		(5 * HZ)
/*
 * TCP probes a closed window at growing intervals, up to two minutes. To detect
 * an outage meanwhile, the watchdog makes it probe each second after this long
 * without an ACK.
 */
#define WATCH_PROBE		(3 * HZ)
#define WATCH_TICK		HZ

/* Jiffies since the last ACK. TCP keeps the low 32 bits only. */
static s32 watch_since_ack(const struct sock *sk)
{
	return tcp_jiffies32 - tcp_sk(sk)->rcv_tstamp;
}

/*
 * Does the peer acknowledge nothing, neither data that were retransmitted nor
 * two probes (keepalive, or of a closed window)?
 */
static bool watch_is_silent(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (watch_since_ack(sk) <= (s32)WATCH_SILENT)
		return false;
	return (tcp_sk(sk)->packets_out && icsk->icsk_retransmits) ||
	       icsk->icsk_probes_out >= 2;
}

/* Once a tick; link_retry() calls this too. */
static void watch_probe(struct ballast_link *link, struct sock *sk)
{
	if (tcp_sk(sk)->packets_out || watch_since_ack(sk) < (s32)WATCH_PROBE ||
	    ballast_within(link->probed_at, WATCH_TICK))
		return;
	link->probed_at = jiffies;
	ballast_socket_push(sk);
}

/* Count the timeout for each request that has reached it. */
static void watch_count_timeouts(struct ballast_link *link)
{
	struct ballast_cmd *cmd;

	list_for_each_entry(cmd, &link->sent, entry)
		if (time_after(jiffies, cmd->began_at + link->timeout) &&
		    cmd->timeouts < U8_MAX)
			cmd->timeouts++;
}

/* The oldest sent request; if none is sent, the next to send. */
static struct ballast_cmd *watch_oldest(struct ballast_link *link)
{
	struct list_head *from = &link->sent;

	if (list_empty(from))
		from = &link->unsent;
	if (list_empty(from))
		from = &link->unsent_reads;
	return list_first_entry(from, struct ballast_cmd, entry);
}

/**
 * ballast_watch_locked - give the connection up if its server is gone
 * @link: under its lock
 * @sk: its socket
 *
 * Context: softirq or process; does not sleep
 */
void ballast_watch_locked(struct ballast_link *link, struct sock *sk)
{
	struct ballast_cmd *oldest;

	sock_owned_by_me(sk);
	if (link->failed || !link->inflight)
		return;
	oldest = watch_oldest(link);
	if (time_after(jiffies, oldest->began_at + WATCH_SILENT) &&
	    watch_is_silent(sk)) {
		ballast_link_fail(link, -ETIMEDOUT,
				  "the server's machine does not answer");
	} else if (link->timeout &&
		 time_after(jiffies, oldest->began_at + link->timeout)) {
		watch_count_timeouts(link);
		ballast_link_fail(link, -ETIMEDOUT,
				  "a request was not answered in time");
	} else {
		watch_probe(link, sk);
		mod_timer(&link->watch, jiffies + WATCH_TICK);
	}
}

static void watch_tick(struct timer_list *timer)
{
	struct ballast_link *link = timer_container_of(link, timer, watch);

	ballast_link_run(link, ballast_watch_locked);
}

/* Watch @link from now on, if requests are in flight; under its lock. */
void ballast_watch_start(struct ballast_link *link)
{
	ballast_link_assert_locked(link);
	if (link->inflight && !timer_pending(&link->watch))
		mod_timer(&link->watch, jiffies + WATCH_TICK);
}

void ballast_watch_init(struct ballast_link *link)
{
	timer_setup(&link->watch, watch_tick, 0);
}
