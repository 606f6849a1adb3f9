// SPDX-License-Identifier: GPL-2.0
/*
 * Connects, negotiates, checks the export and the data; see connect.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "connect.h"

#include <linux/jiffies.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "export.h"
#include "handshake.h"
#include "session.h"
#include "socket.h"
#include "stream.h"

/*
 * How long a connect may take, unless connect_timeout= is longer than its
 * default. TCP sends its SYN at once and after 1 s, 3 s and 7 s. Later retries
 * are so far apart that a new connect is faster.
 */
#define CONNECT_TIMEOUT (5 * HZ)
/* A server that has just started may take long to open its export. */
#define CONNECT_NEGOTIATION (60 * HZ)

/* Does the session end, or is there something else to do? */
static bool is_interrupted(int err)
{
	return signal_pending(current) || err == -EINTR;
}

/**
 * ballast_connect_report - log why a connection could not be made
 * @how: the attempt; during an outage only the first failed one is logged
 * @step: what failed
 * @err: a negative errno; -EINTR: there is something else to do, which is no
 *	 failure
 * @why: the reason in words
 *
 * Context: the session's thread; takes the lock of the move
 */
void ballast_connect_report(const struct ballast_attempt *how, const char *step,
			    int err, const char *why)
{
	struct ballast_session *session = how->session;

	if (is_interrupted(err))
		return;
	if (err == -ECANCELED)
		why = "given up, because the last other connection was lost";
	if (!how->move)
		ballast_session_set_reason(session, "%s: %s", step, why);
	if (how->quiet)
		return;
	pr_err("%s: %sserver %pISpc: %s: %s (error %d)\n", session->name,
	       how->move ? "move: " : "", &how->target->addr, step, why, err);
}

static const char *connect_why(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "connection refused: no server listens there";
	case -ETIMEDOUT:
		return "no answer";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "host unreachable";
	default:
		return "connecting failed";
	}
}

static int check_first(const struct ballast_session *session, const char **why)
{
	if (session->opts.connections == 1 ||
	    session->export.flags & NBD_FLAG_CAN_MULTI_CONN)
		return 0;
	*why = "connections: the export allows only one (it lacks CAN_MULTI_CONN)";
	return -EINVAL;
}

/*
 * Limit of a step: connect_timeout= during the attach; later @normally, or
 * connect_timeout= if that is longer than its default and than @normally.
 */
static struct ballast_wait wait_for(struct ballast_attempt *how, long normally)
{
	const struct ballast_options *opts = &how->session->opts;
	struct ballast_wait wait = {
		.timeout = opts->connect_timeout * HZ,
		.data = how,
	};

	if (how->attach)
		return wait;
	wait.poll = how->poll;
	if (opts->connect_timeout <= BALLAST_DEFAULT_CONNECT_TIMEOUT ||
	    wait.timeout < normally)
		wait.timeout = normally;
	return wait;
}

static int negotiate(struct ballast_attempt *how, struct socket *sock,
		     struct wire_export *export, const char **why)
{
	struct ballast_wait wait = wait_for(how, CONNECT_NEGOTIATION);
	struct ballast_session *session = how->session;
	const struct ballast_options *opts = &session->opts;
	const struct ballast_target *target = how->target;
	int err;

	err = ballast_handshake(sock, target->export, target->export_len, &wait,
				export, why);
	if (err)
		return err;
	if (how->first) {
		session->export = *export;
		return check_first(session, why);
	}
	*why = ballast_export_differs(&session->export, export,
				      opts->connections > 1, opts->readonly);
	return *why ? -EREMCHG : 0;
}

/* Check that the server has the data that was written. */
static int verify(struct ballast_attempt *how, struct socket *sock,
		  const struct wire_export *export)
{
	struct ballast_wait wait = wait_for(how, CONNECT_NEGOTIATION);
	struct ballast_session *session = how->session;
	const char *why = NULL;
	int err;

	err = ballast_verify_server(session, sock, export->structured, &wait,
				    &why);
	if (err && (how->move || is_interrupted(err)))
		ballast_connect_report(how, "verification", err, why);
	else
		ballast_verify_note(session, err, why);
	return err;
}

/**
 * ballast_connect - make a connection, and check the export and its data
 * @how: the attempt
 * @export: set to the server's description of its export
 *
 * Failures are logged.
 *
 * Context: the session's thread; sleeps interruptibly
 * Return: the socket, or an errno
 */
struct socket *ballast_connect(struct ballast_attempt *how,
			       struct wire_export *export)
{
	struct ballast_wait wait = wait_for(how, CONNECT_TIMEOUT);
	struct ballast_session *session = how->session;
	const char *why = NULL;
	struct socket *sock;
	int err;

	how->live_at = 0;
	if (ballast_session_find_live(session))
		how->live_at = get_jiffies_64();
	ballast_session_resolve(session, how->target);
	sock = ballast_socket_connect(session->net, &how->target->addr, &wait);
	if (IS_ERR(sock)) {
		err = PTR_ERR(sock);
		ballast_connect_report(how, "connect", err, connect_why(err));
		return sock;
	}
	ballast_fences_push(&session->fences);
	err = negotiate(how, sock, export, &why);
	if (err)
		ballast_connect_report(how, "negotiation", err, why);
	else if (!how->attach)
		err = verify(how, sock, export);
	if (!err)
		return sock;
	ballast_socket_abort(sock);
	return ERR_PTR(err);
}
