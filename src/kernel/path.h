/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interfaces that a connection's packets come in on, and their reserves.
 */
#ifndef BALLAST_PATH_H
#define BALLAST_PATH_H

#include "reserve.h"

#define BALLAST_MAX_PATH	8

struct sock;

/**
 * struct ballast_path - from a connection to its interfaces
 * @ifindex: of the route's device, which may be over them
 * @generation: of the devices, when they were found
 * @nr: how many
 * @res: the reserve of each
 * @demand: what the connection asks of each
 */
struct ballast_path {
	int ifindex;
	unsigned int generation;
	unsigned int nr;
	struct ballast_reserve *res[BALLAST_MAX_PATH];
	struct ballast_demand demand[BALLAST_MAX_PATH];
};

struct ballast_path *ballast_path_get(struct sock *sk,
				      const struct ballast_demand *demand);
void ballast_path_put(struct ballast_path *path);
bool ballast_path_stale(const struct ballast_path *path, struct sock *sk);
int ballast_path_fill(const struct ballast_path *path);

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
