/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sending: requests go from the submitter into the link's socket.
 */
#ifndef BALLAST_SEND_H
#define BALLAST_SEND_H

struct ballast_cmd;
struct ballast_link;
struct sock;

void ballast_send_submit(struct ballast_link *link, struct ballast_cmd *cmd);
void ballast_send_kick(struct ballast_link *link);
void ballast_send_locked(struct ballast_link *link, struct sock *sk);

#endif /* BALLAST_SEND_H */
