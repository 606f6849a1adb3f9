/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's TCP sockets to the server: creation and end, outside of links.
 */
#ifndef BALLAST_SOCKET_H
#define BALLAST_SOCKET_H

#include <linux/socket.h>

struct ballast_wait;
struct net;
struct sock;
struct socket;

int ballast_socket_get_memalloc(struct socket **sock);
void ballast_socket_put_memalloc(struct socket *sock);

struct socket *ballast_socket_connect(struct net *net,
				      const struct sockaddr_storage *addr,
				      const struct ballast_wait *wait);
void ballast_socket_keep(struct sock *sk);
void ballast_socket_push(struct sock *sk);
void ballast_socket_abort(struct socket *sock);

#endif /* BALLAST_SOCKET_H */
