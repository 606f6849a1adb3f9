/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The servers of other drivers' disks, while an interface is guarded. A user
 * space program may restore the connection, and only afterwards does its
 * socket become a disk's.
 */
#ifndef BALLAST_PEERS_H
#define BALLAST_PEERS_H

#include <linux/types.h>

struct in6_addr;
struct sock;

void ballast_peers_note(const struct sock *sk);
bool ballast_peers_has(const struct in6_addr *addr, __be16 port);
void ballast_peers_forget(void);

#endif /* BALLAST_PEERS_H */
