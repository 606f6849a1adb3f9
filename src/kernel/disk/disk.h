/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One block device, /dev/ballastN, and the connections behind it.
 */
#ifndef BALLAST_DISK_H
#define BALLAST_DISK_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/socket.h>
#include <linux/wait.h>

#include "link/link.h"
#include "options.h"

struct task_struct;

/**
 * struct ballast_disk - one block device
 * @ref: one for the attachment, one for @kobj, one for each opener
 * @index: the N of /dev/ballastN
 * @opts: what was asked for; its export name is the disk's own copy
 * @net: the attaching task's network namespace, kept until the detach
 * @addr: of the server
 * @export: what the server said; from the first connection on it is fixed
 * @memalloc: see ballast_link_get_memalloc()
 * @links: @opts.connections of them; link i serves hardware queue i
 * @slots: requests in flight by index, for the links
 * @set: the tags; the driver's part of a request is a &struct ballast_cmd
 * @gd: the block layer's disk
 * @thread: makes the connections, and makes them anew, see reconnect.c
 * @wait: wakes @thread, and whoever waits for @links
 * @notifier: of the interfaces in @net
 * @moved: an interface came, went or joined another: routes may have moved
 * @ready: the first round of connecting has ended, with @error
 * @error: 0: every link is connected
 * @reconnects: connections that were made anew
 * @stopping: @thread is to end
 * @attach_by: jiffies; when what the attach reads must have been answered;
 *	       0: there is no such time
 * @expired: there has been no connection for @opts.deadline seconds, and I/O
 *	     fails until there is one
 * @grown: tells user space of the capacity
 * @failing: no request is answered any more, see ballast_disk_detach()
 * @lock: guards @openers and @detaching; process context; taken within the
 *	  block layer's open_mutex
 * @openers: how often the disk is open
 * @detaching: nobody may open it any more
 * @kobj: its directory in sysfs
 */
struct ballast_disk {
	struct kref ref;
	int index;
	struct ballast_options opts;
	struct net *net;
	struct sockaddr_storage addr;
	struct wire_export export;
	struct socket *memalloc;
	struct ballast_link *links;
	struct ballast_slot *slots;
	struct blk_mq_tag_set set;
	struct gendisk *gd;

	struct task_struct *thread;
	wait_queue_head_t wait;
	struct notifier_block notifier;
	bool moved;
	struct completion ready;
	int error;
	unsigned int reconnects;
	bool stopping;
	unsigned long attach_by;
	bool expired;
	struct work_struct grown;
	bool failing;

	struct mutex lock;
	unsigned int openers;
	bool detaching;

	struct kobject kobj;
};

int ballast_disk_attach(const struct ballast_options *opts);
int ballast_disk_detach(struct ballast_disk *disk, bool force);
void ballast_disk_grow(struct ballast_disk *disk, u64 size);
void ballast_disk_put(struct ballast_disk *disk);
void ballast_disk_exit(void);

#endif /* BALLAST_DISK_H */
