/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The socket of a disk, and net.ipv4.tcp_mem, the limit that all TCP sockets
 * share.
 */
#ifndef BALLAST_TCPMEM_H
#define BALLAST_TCPMEM_H

#include <linux/types.h>

struct sock;

bool ballast_tcpmem_short(const struct sock *sk);
void ballast_tcpmem_charge(struct sock *sk);
void ballast_tcpmem_charge_other(struct sock *sk);

#endif /* BALLAST_TCPMEM_H */
