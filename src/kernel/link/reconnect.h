/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The thread of a session: it makes the connections, waits through outages
 * and restores the connections afterwards.
 */
#ifndef BALLAST_RECONNECT_H
#define BALLAST_RECONNECT_H

int ballast_reconnect_thread(void *session);

#endif /* BALLAST_RECONNECT_H */
