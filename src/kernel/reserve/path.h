/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interfaces that a connection's packets come in on, and their reserves.
 *
 * A reserve begins and ends under locks (its own, nf_hook_mutex, kernfs's,
 * static keys') whose holders may wait for memory, and so for a disk. What a
 * disk's thread asks for, once there is a disk, is left to a work queue: the
 * thread never waits for it.
 */
#ifndef BALLAST_PATH_H
#define BALLAST_PATH_H

#include <linux/wait.h>
#include <linux/workqueue.h>

#include "reserve.h"

#define BALLAST_MAX_PATH	8

struct net_device;
struct sock;

/**
 * struct ballast_path - from a connection to its interfaces
 * @ifindex: of the route's device, which may be over them
 * @generation: of the devices, when they were found
 * @nr_devices: how many there are in @devices
 * @devices: referred to until their reserves are
 * @nr: how many there are in @res
 * @res: the reserve of each
 * @demand: what the connection asks of each
 * @work: gets the reserves, or puts them if @unwanted
 * @wait: woken when @ready
 * @unwanted: nobody refers to it but @work
 * @ready: @work has got the reserves, or @error
 * @error: an errno; 0: all are there
 */
struct ballast_path {
	int ifindex;
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
int ballast_path_use(struct ballast_path *path);
void ballast_path_use_later(struct ballast_path *path, wait_queue_head_t *wait);
void ballast_path_put(struct ballast_path *path);
void ballast_path_put_later(struct ballast_path *path);
void ballast_path_flush(void);
bool ballast_path_stale(const struct ballast_path *path, struct sock *sk);
int ballast_path_fill(const struct ballast_path *path);

/* Is ballast_path_use_later() done? Then @path->error says how it went. */
static inline bool ballast_path_ready(const struct ballast_path *path)
{
	return smp_load_acquire(&path->ready); /* pairs with path_work() */
}

/* Softirqs off. */
static inline void ballast_path_io_begin(const struct ballast_path *path)
{
	unsigned int i;

	for (i = 0; path && i < path->nr; i++)
		ballast_lend_io_begin(path->res[i]);
}

static inline void ballast_path_io_end(const struct ballast_path *path)
{
	unsigned int i;

	for (i = 0; path && i < path->nr; i++)
		ballast_lend_io_end(path->res[i]);
}

/* Return: whether a reserve is in use */
static inline bool ballast_path_check(const struct ballast_path *path)
{
	bool in_use = false;
	unsigned int i;

	for (i = 0; path && i < path->nr; i++)
		in_use |= ballast_lend_check(path->res[i]);
	return in_use;
}

#endif /* BALLAST_PATH_H */
