/* SPDX-License-Identifier: GPL-2.0 */
/* Signals that must not end a command before it has restored something. */
#ifndef BALLASTCTL_SIGNALS_H
#define BALLASTCTL_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT only make signals_caught()
 * true, unless they are ignored, and a write to a closed pipe fails with EPIPE.
 * Programs that are run get the default actions.
 */
void signals_catch(void);
bool signals_caught(void);

/*
 * After signals_catch(): deliver them only in ppoll() with the mask
 * @while_waiting. One that comes just before it would be missed otherwise.
 */
void signals_block(sigset_t *while_waiting);

#endif
