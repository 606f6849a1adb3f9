// SPDX-License-Identifier: GPL-2.0
/*
 * Counts objects that must be freed before the module is unloaded; see
 * objects.h.
 */
#include "objects.h"

#include <linux/atomic.h>
#include <linux/sched.h>
#include <linux/wait.h>

static atomic_t nr_objects = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(no_objects);

void ballast_object_get(void)
{
	atomic_inc(&nr_objects);
}

void ballast_object_put(void)
{
	if (atomic_dec_and_test(&nr_objects))
		wake_up(&no_objects);
}

void ballast_objects_wait(void)
{
	wait_event(no_objects, !atomic_read(&nr_objects));
}
