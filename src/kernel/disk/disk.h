/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One block device, /dev/ballastN, and the session behind it.
 */
#ifndef BALLAST_DISK_H
#define BALLAST_DISK_H

#include <linux/blk-mq.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "link/session.h"

/* Files that can be polled: state, verify and reconnects. */
#define BALLAST_NR_NODES	3

/**
 * struct ballast_disk - one block device
 * @ref: one for the attachment, one for @kobj, one for each opener
 * @index: the N of /dev/ballastN
 * @session: with the server
 * @set: the tags; the driver's part of a request is a &struct ballast_cmd
 * @gd: the block layer's disk
 * @grown: sets a larger capacity, and notifies user space
 * @lock: guards @openers and @detaching; process context; taken within the
 *	  block layer's open_mutex
 * @openers: number of times the disk is open
 * @detaching: the disk cannot be opened any more
 * @kobj: its directory in sysfs
 * @nodes: files of the directory that user space may poll
 * @has_files: @nodes are valid and the directory exists
 */
struct ballast_disk {
	struct kref ref;
	int index;
	struct ballast_session session;
	struct blk_mq_tag_set set;
	struct gendisk *gd;
	struct work_struct grown;

	struct mutex lock;
	unsigned int openers;
	bool detaching;

	struct kobject kobj;
	struct kernfs_node *nodes[BALLAST_NR_NODES];
	bool has_files;
};

struct ballast_disk *ballast_disk_attach(const struct ballast_options *opts);
int ballast_disk_begin_detach(struct ballast_disk *disk, bool force);
void ballast_disk_end(struct ballast_disk *disk, bool force);
void ballast_disk_put(struct ballast_disk *disk);
void ballast_disk_exit(void);

#endif /* BALLAST_DISK_H */
