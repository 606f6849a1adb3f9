// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's TCP sockets to the server; see socket.h.
 */
#include "socket.h"

#include <linux/net.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"
#include "reserve/tcpmem.h"
#include "stream.h"

/* How long one message of the negotiation may take to arrive. */
#define SOCKET_TIMEOUT		(10 * HZ)

/*
 * Seconds. While TCP has sent all data and waits for a reply, only the server's
 * TCP retransmits, at growing intervals. Keepalive probes detect that the peer
 * is gone. TCP gives up an idle connection after 8 s. With requests in flight
 * watch.c does so earlier: once TCP closes the socket, a fence can't use it.
 */
#define SOCKET_KEEPIDLE		3
#define SOCKET_KEEPINTVL	1
#define SOCKET_KEEPCNT		5
/* As many unanswered probes as watch.c has to see. */
#define SOCKET_PROBES		2

/*
 * The lock of these sockets is taken while the block layer submits requests,
 * that is, during reclaim. Other kernel sockets allocate with their locks
 * held. Without a separate class, lockdep would report a deadlock.
 */
#ifdef CONFIG_DEBUG_LOCK_ALLOC
static struct lock_class_key socket_slock_key[2];
static struct lock_class_key socket_key[2];

static void socket_reclassify(struct sock *sk)
{
	if (WARN_ON_ONCE(!sock_allow_reclassification(sk)))
		return;
	if (sk->sk_family == AF_INET)
		sock_lock_init_class_and_name(sk, "slock-AF_INET-BALLAST",
					      &socket_slock_key[0],
					      "sk_lock-AF_INET-BALLAST",
					      &socket_key[0]);
	else
		sock_lock_init_class_and_name(sk, "slock-AF_INET6-BALLAST",
					      &socket_slock_key[1],
					      "sk_lock-AF_INET6-BALLAST",
					      &socket_key[1]);
}
#else
static void socket_reclassify(struct sock *sk)
{
}
#endif

/**
 * ballast_socket_get_memalloc - enable the memory reserves for sockets
 * @sock: set to a socket for ballast_socket_put_memalloc()
 *
 * A session holds one as long as it has connections, and sends nothing over it.
 * sk_set_memalloc() patches the kernel's code when there is no other such
 * socket. Other processes may hold the locks for that (jump_label_mutex and CPU
 * hotplug's) while they wait for memory, for example to load a module. A
 * session that reconnects must not take them: they may be waiting for its disk.
 *
 * Context: process; waits for memory
 * Return: 0 or an errno
 */
int ballast_socket_get_memalloc(struct socket **sock)
{
	int err = sock_create_kern(&init_net, AF_INET, SOCK_DGRAM, IPPROTO_UDP,
				   sock);

	if (!err)
		sk_set_memalloc((*sock)->sk);
	return err;
}

/**
 * ballast_socket_put_memalloc - undo ballast_socket_get_memalloc()
 * @sock: from ballast_socket_get_memalloc()
 *
 * Context: process; may wait for memory
 */
void ballast_socket_put_memalloc(struct socket *sock)
{
	sk_clear_memalloc(sock->sk);
	sock_release(sock);
}

/* sk_set_memalloc() without code patching; see ballast_socket_get_memalloc(). */
static void socket_set_memalloc(struct sock *sk)
{
	sock_set_flag(sk, SOCK_MEMALLOC);
	sk->sk_allocation |= __GFP_MEMALLOC;
}

static int socket_wait_connected(struct socket *sock,
				 struct sockaddr_storage *to,
				 const struct ballast_wait *wait)
{
	unsigned long end = jiffies + wait->timeout;
	int err;

	for (;;) {
		long left = end - jiffies;

		if (left <= 0)
			return -ETIMEDOUT;
		sock->sk->sk_sndtimeo = min_t(long, left, BALLAST_POLL);
		err = kernel_connect(sock, (struct sockaddr_unsized *)to,
				     sizeof(*to), 0);
		if (err != -EINPROGRESS && err != -EALREADY)
			break;
		err = wait->poll ? wait->poll(wait->data) : 0;
		if (err)
			return err;
	}
	/* Messages of the negotiation are short. */
	sock->sk->sk_sndtimeo = SOCKET_TIMEOUT;
	return err;
}

/**
 * ballast_socket_connect - connect to a server
 * @net: network namespace
 * @addr: of the server
 * @wait: how long this may take
 *
 * Context: process; sleeps interruptibly
 * Return: a connected socket that may use the memory reserves, or an errno
 */
struct socket *ballast_socket_connect(struct net *net,
				      const struct sockaddr_storage *addr,
				      const struct ballast_wait *wait)
{
	struct sockaddr_storage to = *addr;
	struct socket *sock;
	struct sock *sk;
	int err;

	err = sock_create_kern(net, to.ss_family, SOCK_STREAM, IPPROTO_TCP,
			       &sock);
	if (err)
		return ERR_PTR(err);
	sk = sock->sk;
	socket_reclassify(sk);
	/* Allocations must not wait for reclaim, which may wait for the disk. */
	sk->sk_allocation = GFP_ATOMIC;
	compat_sk_keep_task_frag(sk);
	socket_set_memalloc(sk);
	sk->sk_rcvtimeo = SOCKET_TIMEOUT;
	tcp_sock_set_nodelay(sk);
	sock_set_keepalive(sk);
	tcp_sock_set_keepidle(sk, SOCKET_KEEPIDLE);
	tcp_sock_set_keepintvl(sk, SOCKET_KEEPINTVL);
	tcp_sock_set_keepcnt(sk, SOCKET_KEEPCNT);

	err = socket_wait_connected(sock, &to, wait);
	if (err) {
		ballast_socket_abort(sock);
		return ERR_PTR(err);
	}
	/*
	 * Not only with the first request: a process reads the replies of the
	 * negotiation and of the verification. Without the charge, TCP drops
	 * all but the first segment of them while its memory is short.
	 */
	lock_sock(sk);
	ballast_tcpmem_charge(sk);
	release_sock(sk);
	return sock;
}

/**
 * ballast_socket_keep - do not let TCP count unanswered probes
 * @sk: a connected socket
 *
 * TCP gives a connection up after net.ipv4.tcp_retries2 probes of a closed
 * window, whatever its user timeout is. Whether the peer is gone is decided
 * elsewhere: see watch.c, which has to see two probes, and fence.c.
 *
 * Context: the socket is locked
 */
void ballast_socket_keep(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	sock_owned_by_me(sk);
	if (icsk->icsk_probes_out > SOCKET_PROBES)
		icsk->icsk_probes_out = SOCKET_PROBES;
}

/**
 * ballast_socket_push - retransmit, or probe a closed window, at once
 * @sk: a connected socket
 *
 * TCP's own timeouts double.
 *
 * Context: the socket is locked
 */
void ballast_socket_push(struct sock *sk)
{
	sock_owned_by_me(sk);
	if (tcp_sk(sk)->packets_out) {
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, 1,
					  TCP_RTO_MAX);
	} else if (tcp_send_head(sk)) {
		ballast_socket_keep(sk);
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, 1,
					  TCP_RTO_MAX);
	}
}

/**
 * ballast_socket_abort - close a socket that no link uses
 * @sock: from ballast_socket_connect()
 *
 * Sends a reset unless both sides have closed the connection before: no byte
 * of it may reach the server later, and the socket must not outlive the
 * namespace.
 *
 * Context: process
 */
void ballast_socket_abort(struct socket *sock)
{
	sock_no_linger(sock->sk);
	sock_release(sock);
}
