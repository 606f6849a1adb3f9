/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replies: what the server sends, checked and put where it belongs.
 */
#ifndef BALLAST_REPLY_H
#define BALLAST_REPLY_H

struct ballast_link;
struct sock;

void ballast_reply_read(struct ballast_link *link, struct sock *sk);

#endif /* BALLAST_REPLY_H */
