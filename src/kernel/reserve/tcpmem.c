// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps the socket of a disk working while other sockets use up
 * net.ipv4.tcp_mem; see tcpmem.h.
 *
 * Sockets that no process reads can use up that limit. Then TCP drops segments
 * for a socket whose receive queue is not empty, and delays what the socket
 * sends. So the socket of a disk is charged in advance for what it can have in
 * flight, as SO_RESERVE_MEM does for a socket in a memory cgroup. The charge
 * counts in tcp_mem, and is returned when the socket closes, like any other;
 * sk_reserved_mem only keeps it until then.
 */
#include "tcpmem.h"

#include <linux/moduleparam.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"

/*
 * Bytes that a connection can have in flight: sent and not yet acknowledged,
 * and segments received out of order.
 */
#define TCPMEM_CHARGE	(2U << 20)

static bool protect_tcp_mem = true;
module_param(protect_tcp_mem, bool, 0644);
MODULE_PARM_DESC(protect_tcp_mem,
		 "Keep sockets of disks going while other sockets use up net.ipv4.tcp_mem (default: Y; N is only for measuring the effect)");

/**
 * ballast_tcpmem_short - is memory for TCP sockets short?
 * @sk: a TCP socket
 *
 * Context: Any.
 * Return: whether replies must be read at once, so that the receive queue is
 * empty when the next segment comes
 */
bool ballast_tcpmem_short(const struct sock *sk)
{
	return READ_ONCE(protect_tcp_mem) && tcp_under_memory_pressure(sk);
}

/*
 * Charge tcp_mem and the socket's memory cgroup. The function that charges only
 * the cgroup is not exported. This one charges both for data to send, even over
 * the limits unless the send buffer has room for more than that. It then
 * shrinks the send buffer, which is undone here. Return: false: nothing was
 * charged
 */
static bool tcpmem_charge_both(struct sock *sk)
{
	int sndbuf = READ_ONCE(sk->sk_sndbuf);
	bool charged = __sk_mem_schedule(sk, TCPMEM_CHARGE, SK_MEM_SEND);

	WRITE_ONCE(sk->sk_sndbuf, sndbuf);
	return charged;
}

/**
 * ballast_tcpmem_charge - charge a socket in advance, unless it already is
 * @sk: a TCP socket
 *
 * If the charge fails, a later call tries again. A socket that bypasses tcp_mem
 * (net.core.bypass_prot_mem) gets the same credit, which counts in no limit.
 *
 * Context: The caller holds the lock of @sk, as a process or as a spinlock. As
 * a process it may reclaim if the socket belongs to a memory cgroup; sockets
 * that kernel threads have made do not.
 */
void ballast_tcpmem_charge(struct sock *sk)
{
	sock_owned_by_me(sk); /* lockdep: covers both forms of the lock */
	if (likely(compat_sk_is_reserved(sk)))
		return;
	if (!READ_ONCE(protect_tcp_mem))
		return;
	/* The close will uncharge the cgroup. */
	if (compat_sk_has_memcg(sk)) {
		if (!tcpmem_charge_both(sk))
			return;
	} else {
		/* As the kernel does, or the close would not return it. */
		if (!compat_sk_bypasses_prot(sk))
			atomic_long_add(TCPMEM_CHARGE >> PAGE_SHIFT,
					sk->sk_prot->memory_allocated);
		WRITE_ONCE(sk->sk_forward_alloc,
			   sk->sk_forward_alloc + (int)TCPMEM_CHARGE);
	}
	compat_sk_keep(sk, TCPMEM_CHARGE);
}

/**
 * ballast_tcpmem_charge_other - charge a socket of another driver in advance
 * @sk: a TCP socket with SOCK_MEMALLOC
 *
 * Does nothing while a process owns the socket; a later packet retries.
 *
 * Context: Softirq. Takes the lock of @sk as a spinlock.
 */
void ballast_tcpmem_charge_other(struct sock *sk)
{
	if (compat_sk_is_reserved(sk) || READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return;
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk) && sk->sk_state == TCP_ESTABLISHED)
		ballast_tcpmem_charge(sk);
	bh_unlock_sock(sk);
}
