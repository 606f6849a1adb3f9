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

/*
 * No ACK for this long, for data that TCP has retransmitted meanwhile: the
 * peer is gone. TCP's doubling timeouts could delay recovery by two minutes
 * after it returns; a server that is only slow still sends ACKs.
 */
#define WATCH_SILENT		(5 * HZ)
#define WATCH_TICK		HZ

/* Does the peer acknowledge nothing that was retransmitted? */
static bool watch_is_silent(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	/* TCP keeps the low 32 bits of jiffies only: tcp_jiffies32. */
	return tp->packets_out && inet_csk(sk)->icsk_retransmits &&
	       (s32)(tcp_jiffies32 - tp->rcv_tstamp) > (s32)WATCH_SILENT;
}

/**
 * ballast_watch_locked - give the connection up if its server is gone
 * @link: under its lock
 * @sk: its socket
 */
void ballast_watch_locked(struct ballast_link *link, struct sock *sk)
{
	struct ballast_cmd *oldest;

	sock_owned_by_me(sk);
	if (link->failed || !link->inflight)
		return;
	oldest = list_first_entry(list_empty(&link->sent) ? &link->unsent :
							    &link->sent,
				  struct ballast_cmd, entry);
	if (time_after(jiffies, oldest->began_at + WATCH_SILENT) &&
	    watch_is_silent(sk))
		ballast_link_fail(link, -ETIMEDOUT,
				  "the server's machine does not answer");
	else if (link->timeout &&
		 time_after(jiffies, oldest->began_at + link->timeout))
		ballast_link_fail(link, -ETIMEDOUT,
				  "a request was not answered in time");
	else
		mod_timer(&link->watch, jiffies + WATCH_TICK);
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
