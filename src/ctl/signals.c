// SPDX-License-Identifier: GPL-2.0
/*
 * Catches signals, see signals.h.
 */
#include "signals.h"

#include "ballastctl.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static volatile sig_atomic_t caught;

static void note(int signal)
{
	if (signal != SIGPIPE)
		caught = 1;
}

void signals_catch(void)
{
	struct sigaction action = { .sa_handler = note }, before;
	size_t i;

	/* One that is ignored stays so, as under nohup. */
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &before) &&
		    before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	/* Not SIG_IGN, which programs that are run would inherit. */
	sigaction(SIGPIPE, &action, NULL);
}

bool signals_caught(void)
{
	return caught;
}

void signals_block(sigset_t *while_waiting)
{
	sigset_t blocked;
	size_t i;

	sigemptyset(&blocked);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, while_waiting);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		sigdelset(while_waiting, signals[i]);
}
