/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replies: checks all that the server sends, and copies data into the pages of
 * their request.
 */
#ifndef BALLAST_REPLY_H
#define BALLAST_REPLY_H

struct ballast_drain;
struct ballast_link;
struct sock;

void ballast_reply_hand_over(const struct ballast_link *link,
			     struct ballast_drain *drain, unsigned int pending);
void ballast_reply_read(struct ballast_link *link, struct sock *sk);
void ballast_reply_read_and_send(struct ballast_link *link, struct sock *sk);

#endif /* BALLAST_REPLY_H */
