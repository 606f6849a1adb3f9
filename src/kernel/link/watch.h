/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The watchdog of a link: it detects that the server is gone, or does not
 * answer.
 */
#ifndef BALLAST_WATCH_H
#define BALLAST_WATCH_H

struct ballast_link;
struct sock;

void ballast_watch_init(struct ballast_link *link);
void ballast_watch_start(struct ballast_link *link);
void ballast_watch_locked(struct ballast_link *link, struct sock *sk);

#endif /* BALLAST_WATCH_H */
