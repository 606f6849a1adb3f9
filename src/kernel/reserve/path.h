/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The physical interfaces that a connection's packets come in on, and their
 * reserves.
 *
 * Creating and ending a reserve takes locks (its own, nf_hook_mutex, kernfs's,
 * those of static keys) whose holders may wait for memory, and so for a disk.
 * The thread of a disk must not wait for them: it uses a work queue.
 */
#ifndef BALLAST_PATH_H
#define BALLAST_PATH_H

#include <linux/wait.h>
#include <linux/workqueue.h>

#include "demand.h"
#include "lower.h"
#include "pressure.h"
#include "reserve.h"

struct net_device;
struct sock;

/**
 * struct ballast_path - the physical interfaces under a connection
 * @ifindex: of the route's device, which may be above the interfaces
 * @xfrm: the route transforms packets, as IPsec does
 * @foreign: the server's address identifies packets, not their socket
 * @noted: a line about it was logged
 * @generation: ballast_reserve_generation() when the interfaces were found
 * @nr_devices: number of interfaces in @devices
 * @devices: the interfaces, referenced until ballast_path_use(). A tunnel
 *	     among them has a filter for what comes out of it, and no blocks
 * @nr: number of reserves in @res
 * @res: the reserve of each interface
 * @demand: the connection's demand on each reserve
 * @work: gets the reserves, or puts them if @unwanted
 * @wait: woken when @ready
 * @unwanted: the path belongs to @work, which frees it
 * @ready: @work has finished, and @error is valid
 * @error: 0: all reserves are in @res; else a negative errno
 *
 * A path has one owner at a time: the caller, or @work between
 * ballast_path_use_later() and @ready, and after ballast_path_put_later().
 */
struct ballast_path {
	int ifindex;
	bool xfrm;
	bool foreign;
	bool noted;
	unsigned int generation;
	unsigned int nr_devices;
	struct net_device *devices[BALLAST_MAX_PATH];
	unsigned int nr;
	struct ballast_reserve *res[BALLAST_MAX_PATH];
	struct ballast_demand demand[BALLAST_MAX_PATH];
	struct work_struct work;
	wait_queue_head_t *wait;
	bool unwanted;
	bool ready;
	int error;
};

int ballast_path_init(void);
void ballast_path_exit(void);

struct ballast_path *ballast_path_find(struct sock *sk,
				       const struct ballast_demand *demand);
struct ballast_path *
ballast_path_of_device(struct net_device *dev,
		       const struct ballast_demand *demand);
int ballast_path_use(struct ballast_path *path);
void ballast_path_use_later(struct ballast_path *path, wait_queue_head_t *wait);
void ballast_path_put(struct ballast_path *path);
void ballast_path_put_later(struct ballast_path *path);
void ballast_path_flush(void);
bool ballast_path_stale(const struct ballast_path *path, struct sock *sk);
int ballast_path_fill(const struct ballast_path *path);

/* Has ballast_path_use_later() finished? Then @path->error is its result. */
static inline bool ballast_path_ready(const struct ballast_path *path)
{
	return smp_load_acquire(&path->ready); /* pairs with path_work() */
}

/* Requests are in flight from now on. Softirq, or softirqs disabled. */
static inline void ballast_path_io_begin(const struct ballast_path *path)
{
	unsigned int i;

	for (i = 0; path && i < path->nr; i++)
		ballast_pressure_io_begin(path->res[i]);
}

/* No requests are in flight any more. Any context. */
static inline void ballast_path_io_end(const struct ballast_path *path)
{
	unsigned int i;

	for (i = 0; path && i < path->nr; i++)
		ballast_pressure_io_end(path->res[i]);
}

#endif /* BALLAST_PATH_H */
