// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping a disk's socket going while other sockets hold all of
 * net.ipv4.tcp_mem.
 *
 * Sockets that nobody reads use that limit up, and then a socket's segments
 * are dropped when its receive queue is not empty, and what it sends waits.
 * So a disk's socket is charged in advance for what it can have under way,
 * as SO_RESERVE_MEM does for a socket of a memory cgroup. The charge is
 * counted in tcp_mem as any other, and given back as any other when the
 * socket closes; sk_reserved_mem only keeps it from being given back before.
 */
#include "tcpmem.h"

#include <linux/moduleparam.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat.h"

/*
 * What a connection can have under way: what it has sent and is not
 * acknowledged, and segments that came out of order.
 */
#define TCPMEM_CHARGE	(2U << 20)

static bool protect_tcp_mem = true;
module_param(protect_tcp_mem, bool, 0644);
MODULE_PARM_DESC(protect_tcp_mem,
		 "Keep disks' sockets going while others hold all of net.ipv4.tcp_mem (default: Y; N only to measure what it is worth)");

/* Is memory for TCP sockets short, so that replies must be read at once? */
bool ballast_tcpmem_short(const struct sock *sk)
{
	return READ_ONCE(protect_tcp_mem) && tcp_under_memory_pressure(sk);
}

/**
 * ballast_tcpmem_charge - charge a socket in advance, if it isn't
 * @sk: TCP, under its lock
 */
void ballast_tcpmem_charge(struct sock *sk)
{
	if (likely(compat_sk_is_reserved(sk)))
		return;
	/* A cgroup's charge would be given back without having been made. */
	if (!READ_ONCE(protect_tcp_mem) || compat_sk_has_memcg(sk))
		return;
	atomic_long_add(TCPMEM_CHARGE >> PAGE_SHIFT,
			sk->sk_prot->memory_allocated);
	compat_sk_reserve(sk, TCPMEM_CHARGE);
}

/**
 * ballast_tcpmem_charge_other - charge a socket that is not ours
 * @sk: TCP, marked SOCK_MEMALLOC; softirq, not under its lock
 *
 * Its owner may hold it; then the next packet will find it free.
 */
void ballast_tcpmem_charge_other(struct sock *sk)
{
	if (compat_sk_is_reserved(sk) || sk->sk_state != TCP_ESTABLISHED)
		return;
	bh_lock_sock(sk);
	if (!sock_owned_by_user(sk) && sk->sk_state == TCP_ESTABLISHED)
		ballast_tcpmem_charge(sk);
	bh_unlock_sock(sk);
}
