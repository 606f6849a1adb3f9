// SPDX-License-Identifier: GPL-2.0
/*
 * The thread that makes a disk's connections, and makes them anew.
 *
 * It exists from the attach on, since no thread can be made when memory is
 * gone, and sleeps while all is well. All that it does runs with access to
 * the memory reserves and without reclaim, for reclaim may be waiting for
 * the very disk that it connects.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "reconnect.h"

#include <linux/kthread.h>
#include <linux/netdevice.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "cmd.h"
#include "compat.h"
#include "disk/disk.h"
#include "handshake.h"
#include "link.h"

#define RECONNECT_FIRST_PAUSE	(HZ / 10)
#define RECONNECT_LONGEST_PAUSE	(5 * HZ)
/*
 * How long a connect may take. TCP asks at once, after 1 s, 3 s and 7 s: then
 * it is better to begin anew.
 */
#define RECONNECT_FIRST_TIMEOUT	(10 * HZ)
#define RECONNECT_TIMEOUT	(5 * HZ)
#define RECONNECT_NEGOTIATION	(10 * HZ)
/* How long the attach then waits for the partition table. */
#define RECONNECT_ATTACH	(10 * HZ)
/* To look again for the reserves of a route that has moved. */
#define RECONNECT_REPATH	HZ

/*
 * Where a disk's server was lost and has not come back, the log says so
 * once and not for each attempt.
 */
static void report(struct ballast_disk *disk, bool quiet, const char *step,
		   int err, const char *why)
{
	if (!quiet && !READ_ONCE(disk->stopping))
		pr_err("ballast%d: server %pISpc: %s: %s (error %d)\n",
		       disk->index, &disk->addr, step, why, err);
}

static const char *connect_why(int err)
{
	switch (err) {
	case -ECONNREFUSED:
		return "nothing listens there";
	case -ETIMEDOUT:
		return "no answer";
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return "it can't be reached";
	default:
		return "the connection can't be made";
	}
}

/* What the disk does that an export may be unable to do. */
static const struct {
	u16 flag;
	const char *why;
} needs[] = {
	{ NBD_FLAG_SEND_FLUSH, "the export can't be flushed any more" },
	{ NBD_FLAG_SEND_FUA, "the export lacks FUA now" },
	{ NBD_FLAG_SEND_TRIM, "the export can't be trimmed any more" },
	{ NBD_FLAG_SEND_WRITE_ZEROES, "the export lacks write zeroes now" },
	{ NBD_FLAG_CAN_MULTI_CONN,
	  "the export allows only one connection now" },
};

/*
 * Can this stand for what the disk was attached to? More of it is as good.
 * Return: NULL, or why not.
 */
static const char *check_same(const struct ballast_disk *disk,
			      const struct wire_export *is)
{
	const struct wire_export *was = &disk->export;
	u16 lost = was->flags & ~is->flags;
	unsigned int i;

	if (disk->opts.connections == 1)
		lost &= ~NBD_FLAG_CAN_MULTI_CONN;
	if (is->size < was->size)
		return "the export is smaller now";
	if (is->min_block > was->min_block)
		return "the export has a larger block size now";
	if (is->max_payload < was->max_payload)
		return "the export allows shorter requests only now";
	if (is->flags & ~was->flags & NBD_FLAG_READ_ONLY &&
	    !disk->opts.readonly)
		return "the export is read-only now";
	for (i = 0; i < ARRAY_SIZE(needs); i++)
		if (lost & needs[i].flag)
			return needs[i].why;
	return NULL;
}

static int check_first(struct ballast_disk *disk, const char **why)
{
	if (disk->opts.connections == 1 ||
	    disk->export.flags & NBD_FLAG_CAN_MULTI_CONN)
		return 0;
	*why = "connections: the export allows only one (it lacks CAN_MULTI_CONN)";
	return -EINVAL;
}

static void set_demand(const struct ballast_disk *disk,
		       struct ballast_demand *demand)
{
	const struct ballast_options *opts = &disk->opts;

	*demand = (struct ballast_demand) {
		.requests = opts->queue_depth,
		.pages = opts->reserve,
		.filter = opts->filter,
		.nr_allow = opts->nr_allow,
	};
	memcpy(demand->allow, opts->allow, sizeof(demand->allow));
}

/*
 * On the attach, when nobody can wait for the disk yet, its first connection
 * must have its reserves, and in full.
 */
static int use_path(struct ballast_disk *disk, struct ballast_link *link,
		    struct sock *sk)
{
	bool first = link == disk->links;
	struct ballast_demand demand;
	struct ballast_path *path;
	int err;

	set_demand(disk, &demand);
	path = ballast_path_find(sk, &demand);
	if (IS_ERR(path))
		return first ? PTR_ERR(path) : 0;
	err = ballast_path_use(path);
	if (!err && first)
		err = ballast_path_fill(path);
	if (err)
		ballast_path_put(path);
	else
		ballast_link_use_path(link, path);
	return first ? err : 0;
}

/* Return: whether @link has another path now than it had */
static bool take_next_path(struct ballast_link *link)
{
	struct ballast_path *path = link->next;
	int err = path->error;

	link->next = NULL;
	if (!err)
		path = ballast_link_use_path(link, path);
	ballast_path_put_later(path);
	return !err;
}

/*
 * A link goes on with the reserves that it has, or none, until those of its
 * new route are there. Return: false: they could not be had
 */
static bool move_path(struct ballast_disk *disk, struct ballast_link *link,
		      bool moved)
{
	struct ballast_path *path = link->next;
	struct ballast_demand demand;

	if (path && !ballast_path_ready(path))
		return true;
	if (path && !take_next_path(link))
		return false;
	/* It may have moved again meanwhile. */
	if (!ballast_link_moved(link, moved || path))
		return true;
	set_demand(disk, &demand);
	path = ballast_path_find(link->sk, &demand);
	if (IS_ERR(path))
		return false;
	link->next = path;
	ballast_path_use_later(path, &disk->wait);
	return true;
}

/*
 * The routes of some live links may have moved. Return: how long to wait
 * before this is called again for those where no reserve could be had
 */
static long move_paths(struct ballast_disk *disk)
{
	bool moved = xchg(&disk->moved, false);
	long left = MAX_SCHEDULE_TIMEOUT;
	unsigned int i;

	for (i = 0; i < disk->opts.connections; i++) {
		struct ballast_link *link = &disk->links[i];

		if (!ballast_link_live(link) || move_path(disk, link, moved))
			continue;
		link->repath_at = jiffies + RECONNECT_REPATH;
		left = RECONNECT_REPATH;
	}
	return left;
}

static int reconnect_event(struct notifier_block *nb, unsigned long event,
			   void *ptr)
{
	struct ballast_disk *disk =
		container_of(nb, struct ballast_disk, notifier);

	if (event == NETDEV_UP || event == NETDEV_UNREGISTER ||
	    event == NETDEV_CHANGEUPPER) {
		WRITE_ONCE(disk->moved, true);
		wake_up(&disk->wait);
	}
	return NOTIFY_DONE;
}

static struct ballast_link *find_live(const struct ballast_disk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->opts.connections; i++)
		if (ballast_link_live(&disk->links[i]))
			return &disk->links[i];
	return NULL;
}

/*
 * While nothing is connected: how long until deadline= is over, counted from
 * when the last link was lost; 0 or less: it is.
 */
static s64 left_of_deadline(const struct ballast_disk *disk)
{
	u64 lost_at = 0;
	unsigned int i;

	if (!disk->opts.deadline)
		return MAX_SCHEDULE_TIMEOUT;
	smp_rmb(); /* links were seen to have failed; pairs with ballast_link_fail() */
	for (i = 0; i < disk->opts.connections; i++)
		lost_at = max(lost_at, disk->links[i].failed_at);
	return lost_at + disk->opts.deadline * HZ - get_jiffies_64();
}

/* How much of @timeout there is before deadline= is over. */
static long before_deadline(const struct ballast_disk *disk, long timeout)
{
	if (disk->expired || find_live(disk))
		return timeout;
	return clamp_t(s64, left_of_deadline(disk), 1, timeout);
}

static int connect_link(struct ballast_disk *disk, struct ballast_link *link,
			bool attach, bool quiet)
{
	bool first = attach && link == disk->links;
	struct wire_export export;
	const char *why = NULL;
	struct socket *sock;
	int err;

	sock = ballast_link_connect(disk->net, &disk->addr,
				    first ? RECONNECT_FIRST_TIMEOUT :
					    before_deadline(disk, RECONNECT_TIMEOUT));
	if (IS_ERR(sock)) {
		err = PTR_ERR(sock);
		report(disk, quiet, "connect", err, connect_why(err));
		return err;
	}
	err = ballast_handshake(sock, disk->opts.export, disk->opts.export_len,
				first ? RECONNECT_NEGOTIATION :
					before_deadline(disk, RECONNECT_NEGOTIATION),
				&export, &why);
	if (!err && first) {
		disk->export = export;
		err = check_first(disk, &why);
	} else if (!err) {
		why = check_same(disk, &export);
		err = why ? -EREMCHG : 0;
	}
	if (err) {
		report(disk, quiet, "negotiation", err, why);
		ballast_link_disconnect(sock);
		return err;
	}
	err = attach ? use_path(disk, link, sock->sk) : 0;
	if (err) {
		report(disk, quiet, "reserve", err,
		       "it can't be had without reclaim");
		ballast_link_disconnect(sock);
		return err;
	}
	if (export.size > disk->export.size)
		ballast_disk_grow(disk, export.size);
	ballast_link_outage(link, false);
	ballast_link_start(link, sock, export.structured);
	return 0;
}

/* What a link without a connection holds goes to one that has one. */
static void move_requests(struct ballast_disk *disk, struct ballast_link *from)
{
	struct ballast_link *to = find_live(disk) ?: from;
	struct ballast_cmd *cmd, *next;
	LIST_HEAD(cmds);

	ballast_link_stop(from, &cmds);
	list_for_each_entry_safe(cmd, next, &cmds, entry)
		ballast_link_submit(to, cmd);
	ballast_link_kick(to);
}

/*
 * Abort what has failed. A server that answered is worth to be asked again at
 * once: then @answered becomes true. Return: how many links have no connection
 */
static unsigned int drop_failed(struct ballast_disk *disk, bool *answered)
{
	unsigned int i, down = 0;

	for (i = 0; i < disk->opts.connections; i++) {
		struct ballast_link *link = &disk->links[i];

		if (ballast_link_live(link))
			continue;
		down++;
		ballast_link_outage(link, true);
		*answered |= link->sock && link->answered;
		if (link->sock && __ratelimit(&link->said))
			pr_err("ballast%d: connection %u to %pISpc: %s (error %d)\n",
			       disk->index, i, &disk->addr, link->why,
			       link->err);
		if (link->sock || find_live(disk))
			move_requests(disk, link);
	}
	return down;
}

static int connect_down(struct ballast_disk *disk, bool first, bool quiet)
{
	unsigned int i;
	int err;

	for (i = 0; i < disk->opts.connections; i++) {
		struct ballast_link *link = &disk->links[i];

		if (ballast_link_live(link))
			continue;
		err = connect_link(disk, link, first, quiet);
		if (err)
			return err;
		if (first)
			continue;
		WRITE_ONCE(disk->reconnects, disk->reconnects + 1);
		if (__ratelimit(&link->said))
			pr_info("ballast%d: connection %u to %pISpc is back\n",
				disk->index, i, &disk->addr);
	}
	return 0;
}

/* All that is in flight fails. */
static void fail_requests(struct ballast_disk *disk)
{
	unsigned int i;
	LIST_HEAD(cmds);

	synchronize_rcu(); /* for queue_rq */
	for (i = 0; i < disk->opts.connections; i++)
		ballast_link_stop(&disk->links[i], &cmds);
	ballast_cmds_fail(&cmds);
}

/* Return: how long to wait until what the attach has read must be there */
static long check_attach(struct ballast_disk *disk)
{
	unsigned long by = READ_ONCE(disk->attach_by);

	if (!by)
		return MAX_SCHEDULE_TIMEOUT;
	if (time_before(jiffies, by))
		return by - jiffies;
	if (xchg(&disk->attach_by, 0)) {
		pr_err("ballast%d: server %pISpc: it does not answer what is read\n",
		       disk->index, &disk->addr);
		WRITE_ONCE(disk->failing, true);
		fail_requests(disk);
	}
	return MAX_SCHEDULE_TIMEOUT;
}

/*
 * Nothing is connected. Return: how long to wait until deadline= is over, and
 * then I/O fails until something is
 */
static long check_deadline(struct ballast_disk *disk)
{
	s64 left = left_of_deadline(disk);

	if (left > 0)
		return left;
	if (!disk->expired)
		pr_err("ballast%d: no connection for %u s: I/O fails from now on (deadline=)\n",
		       disk->index, disk->opts.deadline);
	WRITE_ONCE(disk->expired, true);
	fail_requests(disk);
	return MAX_SCHEDULE_TIMEOUT;
}

static void end_outage(struct ballast_disk *disk)
{
	if (!disk->expired)
		return;
	pr_info("ballast%d: I/O works again\n", disk->index);
	WRITE_ONCE(disk->expired, false);
}

static bool link_has_path_work(const struct ballast_link *link)
{
	if (link->next)
		return ballast_path_ready(link->next);
	return READ_ONCE(link->repath) &&
	       time_after_eq(jiffies, link->repath_at);
}

static bool has_work(struct ballast_disk *disk)
{
	bool live = find_live(disk);
	unsigned int i;

	for (i = 0; i < disk->opts.connections; i++) {
		struct ballast_link *link = &disk->links[i];

		if (link->sock && !ballast_link_live(link))
			return true;
		if (ballast_link_live(link) && link_has_path_work(link))
			return true;
		if (live && !link->sock && !llist_empty(&link->submitted))
			return true;
	}
	return READ_ONCE(disk->stopping) || READ_ONCE(disk->moved);
}

static int reconnect_thread(void *data)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	struct ballast_disk *disk = data;
	unsigned long next = jiffies, pause = 0;
	bool quiet = false;

	/* Only to interrupt a wait within a connect or a negotiation. */
	allow_signal(SIGKILL);

	disk->error = connect_down(disk, true, false);
	disk->attach_by = (jiffies + RECONNECT_ATTACH) | 1;
	complete(&disk->ready);
	if (disk->error)
		goto wait;

	while (!READ_ONCE(disk->stopping)) {
		bool moved = READ_ONCE(disk->moved);
		long left = min(move_paths(disk), check_attach(disk));
		bool answered = false;
		unsigned int down = drop_failed(disk, &answered);

		if (moved || answered) {
			next = jiffies;
			pause = 0;
		}
		if (find_live(disk))
			end_outage(disk);
		else
			left = min(left, check_deadline(disk));
		if (!down) {
			quiet = false;
		} else if (time_after_eq(jiffies, next)) {
			/* What an attempt takes is part of the pause. */
			pause = clamp_t(unsigned long, 2 * pause,
					RECONNECT_FIRST_PAUSE,
					RECONNECT_LONGEST_PAUSE);
			next = jiffies + pause;
			quiet = connect_down(disk, false, quiet);
			continue;
		}
		if (down)
			left = clamp_t(long, next - jiffies, 1, left);
		wait_event_interruptible_timeout(disk->wait, has_work(disk),
						 left);
		if (!READ_ONCE(disk->stopping))
			flush_signals(current);
	}
wait:
	memalloc_noreclaim_restore(noreclaim);
	flush_signals(current);
	/* Whoever stops us waits for kthread_stop(). */
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
		flush_signals(current);
	}
	return 0;
}

/**
 * ballast_reconnect_start - make the thread and with it all connections
 * @disk: with its links initialised
 *
 * Waits, interruptibly, until every link is connected or one could not be.
 *
 * Return: 0; -EINTR; another errno, which the log has explained. The thread
 * is there in each case but -ENOMEM, and ballast_reconnect_stop() ends it.
 */
int ballast_reconnect_start(struct ballast_disk *disk)
{
	struct task_struct *thread;
	int err;

	disk->notifier.notifier_call = reconnect_event;
	err = register_netdevice_notifier_net(disk->net, &disk->notifier);
	if (err)
		return err;
	thread = kthread_create(reconnect_thread, disk, "ballast%d",
				disk->index);
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	get_task_struct(thread);
	disk->thread = thread;
	wake_up_process(thread);

	if (wait_for_completion_interruptible(&disk->ready))
		return -EINTR;
	return disk->error;
}

/**
 * ballast_reconnect_end - hear of interfaces no longer
 * @disk: without a thread or a request, since this waits for the rtnl, which
 *	  may be waiting for memory
 */
void ballast_reconnect_end(struct ballast_disk *disk)
{
	unregister_netdevice_notifier_net(disk->net, &disk->notifier);
}

/**
 * ballast_reconnect_stop - end the thread; the links stay as they are
 * @disk: no thread is fine
 */
void ballast_reconnect_stop(struct ballast_disk *disk)
{
	if (!disk->thread)
		return;
	WRITE_ONCE(disk->stopping, true);
	wake_up(&disk->wait);
	send_sig(SIGKILL, disk->thread, 1);
	kthread_stop(disk->thread);
	put_task_struct(disk->thread);
	disk->thread = NULL;
}
