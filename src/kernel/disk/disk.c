// SPDX-License-Identifier: GPL-2.0
/*
 * One block device: gendisk, blk-mq, and their life cycle; see disk.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "disk.h"

#include <linux/idr.h>
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "link/cmd.h"
#include "compat.h"
#include "objects.h"
#include "link/reconnect.h"
#include "reserve/reserve.h"
#include "sysfs.h"

/*
 * The block layer's own timeout is none of ours: a request waits for its
 * server as long as it takes. Its work, run by kblockd, would wait for a
 * grace period besides.
 */
#define DISK_TIMEOUT		(INT_MAX / 2)
/* How long a detach waits for the server to close its side. */
#define DISK_CLOSE_TIMEOUT	HZ

static DEFINE_IDA(disk_indices);

static struct ballast_link *disk_link(struct ballast_disk *disk,
				      struct blk_mq_hw_ctx *hctx)
{
	struct ballast_link *own = &disk->links[hctx->queue_num];
	unsigned int i;

	if (likely(ballast_link_live(own)))
		return own;
	for (i = 0; i < disk->opts.connections; i++)
		if (ballast_link_live(&disk->links[i]))
			return &disk->links[i];
	return own;
}

static blk_status_t cmd_init(struct ballast_cmd *cmd, struct request *rq)
{
	cmd->flags = rq->cmd_flags & REQ_FUA ? NBD_CMD_FLAG_FUA : 0;
	switch (req_op(rq)) {
	case REQ_OP_READ:
		cmd->type = NBD_CMD_READ;
		cmd->flags = 0;
		break;
	case REQ_OP_WRITE:
		cmd->type = NBD_CMD_WRITE;
		break;
	case REQ_OP_FLUSH:
		cmd->type = NBD_CMD_FLUSH;
		cmd->flags = 0;
		cmd->offset = 0;
		cmd->length = 0;
		return BLK_STS_OK;
	case REQ_OP_DISCARD:
		cmd->type = NBD_CMD_TRIM;
		break;
	case REQ_OP_WRITE_ZEROES:
		cmd->type = NBD_CMD_WRITE_ZEROES;
		if (rq->cmd_flags & REQ_NOUNMAP)
			cmd->flags |= NBD_CMD_FLAG_NO_HOLE;
		break;
	default:
		return BLK_STS_NOTSUPP;
	}
	cmd->offset = (u64)blk_rq_pos(rq) << SECTOR_SHIFT;
	cmd->length = blk_rq_bytes(rq);
	return BLK_STS_OK;
}

/*
 * Sends at once, from the submitter, and never sleeps: under RCU. What the
 * link can't take now waits in the link, where it is sent on as the socket
 * gets room, and not in the block layer, whose work queue may be stuck.
 */
static blk_status_t disk_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct ballast_disk *disk = hctx->queue->queuedata;
	struct ballast_cmd *cmd = blk_mq_rq_to_pdu(bd->rq);
	struct ballast_link *link;
	blk_status_t status;

	if (unlikely(READ_ONCE(disk->failing) || READ_ONCE(disk->expired)))
		return BLK_STS_IOERR;
	status = cmd_init(cmd, bd->rq);
	if (unlikely(status))
		return status;
	cmd->index = hctx->queue_num * disk->opts.queue_depth + bd->rq->tag;

	blk_mq_start_request(bd->rq);
	link = disk_link(disk, hctx);
	ballast_link_submit(link, cmd);
	if (bd->last)
		ballast_link_kick(link);
	return BLK_STS_OK;
}

static void disk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct ballast_disk *disk = hctx->queue->queuedata;
	unsigned int i;

	/* Which link took them may have changed in the middle of the batch. */
	for (i = 0; i < disk->opts.connections; i++)
		if (!llist_empty(&disk->links[i].submitted))
			ballast_link_kick(&disk->links[i]);
}

static enum blk_eh_timer_return disk_timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

COMPAT_TIMEOUT(disk_timeout)

static const struct blk_mq_ops disk_mq_ops = {
	.queue_rq = disk_queue_rq,
	.commit_rqs = disk_commit_rqs,
	.timeout = COMPAT_REQUEST_FN(disk_timeout),
};

static void disk_free(struct kref *ref)
{
	struct ballast_disk *disk = container_of(ref, struct ballast_disk, ref);

	if (disk->net)
		put_net(disk->net);
	if (disk->index >= 0)
		ida_free(&disk_indices, disk->index);
	kfree(disk->opts.export);
	kvfree(disk->slots);
	kfree(disk->links);
	kfree(disk);
	ballast_object_put();
}

void ballast_disk_put(struct ballast_disk *disk)
{
	kref_put(&disk->ref, disk_free);
}

static int disk_open(struct gendisk *gd, blk_mode_t mode)
{
	struct ballast_disk *disk = gd->private_data;
	int err = -ENXIO;

	mutex_lock(&disk->lock);
	if (!disk->detaching) {
		disk->openers++;
		kref_get(&disk->ref);
		err = 0;
	}
	mutex_unlock(&disk->lock);
	return err;
}

static void disk_release(struct gendisk *gd)
{
	struct ballast_disk *disk = gd->private_data;

	mutex_lock(&disk->lock);
	disk->openers--;
	mutex_unlock(&disk->lock);
	ballast_disk_put(disk);
}

COMPAT_DISK_OPEN_RELEASE(disk_open, disk_release)

static const struct block_device_operations disk_fops = {
	.owner = THIS_MODULE,
	.open = COMPAT_DISK_OPEN(disk_open),
	.release = COMPAT_DISK_RELEASE(disk_release),
};

static void disk_grown(struct work_struct *work)
{
	struct ballast_disk *disk =
		container_of(work, struct ballast_disk, grown);
	sector_t size = READ_ONCE(disk->export.size) >> SECTOR_SHIFT;

	if (disk->gd && !READ_ONCE(disk->detaching))
		set_capacity_and_notify(disk->gd, size);
}

/**
 * ballast_disk_grow - the export has become larger
 * @disk: from its thread
 * @size: bytes
 *
 * Leaves it to a work queue: it may wait for memory, which may wait for us.
 */
void ballast_disk_grow(struct ballast_disk *disk, u64 size)
{
	pr_info("ballast%d: the export has grown from %llu to %llu bytes\n",
		disk->index, disk->export.size, size);
	WRITE_ONCE(disk->export.size, size);
	schedule_work(&disk->grown);
}

static int disk_reserve_index(int wanted)
{
	int index;

	if (wanted < 0)
		return ida_alloc_max(&disk_indices, BALLAST_MAX_INDEX,
				     GFP_KERNEL);
	index = ida_alloc_range(&disk_indices, wanted, wanted, GFP_KERNEL);
	if (index == -ENOSPC) {
		pr_err("attach: index=%d: is in use\n", wanted);
		return -EBUSY;
	}
	return index;
}

static int disk_set_address(struct ballast_disk *disk)
{
	char port[8];
	int err;

	snprintf(port, sizeof(port), "%u", disk->opts.port);
	err = inet_pton_with_scope(disk->net, AF_UNSPEC, disk->opts.host, port,
				   &disk->addr);
	if (err)
		pr_err("attach: server=%s: is not an IPv4 or IPv6 address\n",
		       disk->opts.host);
	return err;
}

static int disk_check_reserve(const struct ballast_options *opts)
{
	unsigned long max = ballast_reserve_max_pages();

	if (opts->reserve < 0 || opts->reserve <= max)
		return 0;
	pr_err("attach: reserve=%d: is over %lu pages, a tenth of memory\n",
	       opts->reserve, max);
	return -EINVAL;
}

/* All that is needed to connect. */
static struct ballast_disk *disk_alloc(const struct ballast_options *opts)
{
	unsigned int i, nr_slots = opts->connections * opts->queue_depth;
	struct ballast_disk *disk;
	int err;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return ERR_PTR(-ENOMEM);
	ballast_object_get();
	kref_init(&disk->ref);
	mutex_init(&disk->lock);
	init_waitqueue_head(&disk->wait);
	init_completion(&disk->ready);
	INIT_WORK(&disk->grown, disk_grown);
	disk->opts = *opts;
	disk->opts.export = kmemdup_nul(opts->export, opts->export_len,
					GFP_KERNEL);
	disk->net = get_net(current->nsproxy->net_ns);
	disk->links = kcalloc(opts->connections, sizeof(*disk->links),
			      GFP_KERNEL);
	disk->slots = kvcalloc(nr_slots, sizeof(*disk->slots), GFP_KERNEL);
	disk->index = disk_reserve_index(opts->index);

	err = min(disk->index, 0);
	if (!disk->opts.export || !disk->links || !disk->slots)
		err = err ?: -ENOMEM;
	err = err ?: disk_check_reserve(opts);
	err = err ?: disk_set_address(disk);
	err = err ?: ballast_link_get_memalloc(&disk->memalloc);
	if (err) {
		ballast_disk_put(disk);
		return ERR_PTR(err);
	}
	for (i = 0; i < opts->connections; i++)
		ballast_link_init(&disk->links[i], disk->slots, nr_slots,
				  opts->timeout, &disk->wait);
	return disk;
}

/* The tags and the queues, as the export wants them. */
static int disk_alloc_queues(struct ballast_disk *disk)
{
	const struct wire_export *export = &disk->export;
	u32 zeroes = round_down(U32_MAX, export->min_block) >> SECTOR_SHIFT;
	struct queue_limits lim = {
		.logical_block_size = export->min_block,
		.physical_block_size = min_t(u32, export->preferred_block,
					     PAGE_SIZE),
		.max_hw_sectors = export->max_payload >> SECTOR_SHIFT,
		.max_segments = USHRT_MAX,
		.max_segment_size = UINT_MAX,
	};
	struct gendisk *gd;
	int err;

	if (export->preferred_block > PAGE_SIZE)
		lim.io_opt = export->preferred_block;
	if (export->flags & NBD_FLAG_SEND_FLUSH) {
		lim.features |= BLK_FEAT_WRITE_CACHE;
		if (export->flags & NBD_FLAG_SEND_FUA)
			lim.features |= BLK_FEAT_FUA;
	}
	if (export->flags & NBD_FLAG_ROTATIONAL)
		lim.features |= BLK_FEAT_ROTATIONAL;
	if (export->flags & NBD_FLAG_SEND_TRIM) {
		lim.max_hw_discard_sectors = zeroes;
		lim.discard_granularity = lim.physical_block_size;
	}
	if (export->flags & NBD_FLAG_SEND_WRITE_ZEROES)
		lim.max_write_zeroes_sectors = zeroes;

	disk->set.ops = &disk_mq_ops;
	disk->set.nr_hw_queues = disk->opts.connections;
	disk->set.queue_depth = disk->opts.queue_depth;
	disk->set.numa_node = NUMA_NO_NODE;
	disk->set.cmd_size = sizeof(struct ballast_cmd);
	/* A scheduler would only add a lock; the server has its own. */
	disk->set.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	disk->set.timeout = DISK_TIMEOUT;
	err = blk_mq_alloc_tag_set(&disk->set);
	if (err)
		return err;

	gd = blk_mq_alloc_disk(&disk->set, &lim, disk);
	if (IS_ERR(gd)) {
		blk_mq_free_tag_set(&disk->set);
		return PTR_ERR(gd);
	}
	snprintf(gd->disk_name, sizeof(gd->disk_name), "ballast%d",
		 disk->index);
	gd->fops = &disk_fops;
	gd->private_data = disk;
	set_capacity(gd, export->size >> SECTOR_SHIFT);
	if (disk->opts.readonly || export->flags & NBD_FLAG_READ_ONLY)
		set_disk_ro(gd, true);
	disk->gd = gd;
	return 0;
}

static void disk_free_queues(struct ballast_disk *disk)
{
	put_disk(disk->gd);
	blk_mq_free_tag_set(&disk->set);
}

static bool disk_all_closed(struct ballast_disk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->opts.connections; i++)
		if (disk->links[i].sock && !READ_ONCE(disk->links[i].closed))
			return false;
	return true;
}

/* End the thread and the connections; say goodbye where that is wanted. */
static void disk_disconnect(struct ballast_disk *disk, bool politely)
{
	LIST_HEAD(cmds);
	unsigned int i;

	ballast_reconnect_stop(disk);
	cancel_work_sync(&disk->grown);
	if (politely) {
		for (i = 0; i < disk->opts.connections; i++)
			ballast_link_finish(&disk->links[i]);
		wait_event_timeout(disk->wait, disk_all_closed(disk),
				   DISK_CLOSE_TIMEOUT);
	}
	for (i = 0; i < disk->opts.connections; i++) {
		ballast_link_stop(&disk->links[i], &cmds);
		ballast_link_outage(&disk->links[i], false);
	}
	/* First, since others may wait for them with any lock held. */
	ballast_cmds_fail(&cmds);
	ballast_path_flush();
	for (i = 0; i < disk->opts.connections; i++) {
		ballast_path_put(disk->links[i].path);
		ballast_path_put(disk->links[i].next);
		disk->links[i].path = NULL;
		disk->links[i].next = NULL;
	}
}

static void disk_end(struct ballast_disk *disk)
{
	unsigned int i;

	ballast_reconnect_end(disk);
	for (i = 0; i < disk->opts.connections; i++)
		ballast_link_destroy(&disk->links[i]);
	ballast_link_put_memalloc(disk->memalloc);
	ballast_disk_put(disk);
}

/**
 * ballast_disk_attach - connect to a server and make a disk of its export
 * @opts: read from the attach string; copied
 *
 * Return: 0: the disk is ready; an errno: nothing is left behind, and the
 * log says which option or step was at fault
 */
int ballast_disk_attach(const struct ballast_options *opts)
{
	struct ballast_disk *disk = disk_alloc(opts);
	int err;

	if (IS_ERR(disk))
		return PTR_ERR(disk);

	err = ballast_reconnect_start(disk);
	if (err)
		goto disconnect;
	err = disk_alloc_queues(disk);
	if (err)
		goto failed;
	err = device_add_disk(NULL, disk->gd, NULL);
	if (!xchg(&disk->attach_by, 0) && !err) {
		err = -ETIMEDOUT;
		goto del;
	}
	if (err)
		goto failed;
	/* The thread looks around, and then need not wake for the attach. */
	WRITE_ONCE(disk->moved, true);
	wake_up(&disk->wait);
	err = ballast_sysfs_add(disk);
	if (err)
		goto del;

	/* As long as there is a disk the module stays. */
	__module_get(THIS_MODULE);
	pr_info("ballast%d: attached to %pISpc, export \"%s\", %llu bytes, %u connection%s\n",
		disk->index, &disk->addr, disk->opts.export, disk->export.size,
		disk->opts.connections, disk->opts.connections == 1 ? "" : "s");
	return 0;

del:
	del_gendisk(disk->gd);
failed:
	pr_err("ballast%d: making the disk failed (error %d)\n", disk->index,
	       err);
disconnect:
	disk_disconnect(disk, true);
	if (disk->gd)
		disk_free_queues(disk);
	disk_end(disk);
	return err;
}

/**
 * ballast_disk_detach - end a disk
 * @disk: attached; gone when this returns 0
 * @force: also when it is open; what is in flight fails
 *
 * Return: 0; -EBUSY: it is open, or swapped on, or a detach is under way
 */
int ballast_disk_detach(struct ballast_disk *disk, bool force)
{
	int err = 0;

	mutex_lock(&disk->lock);
	if (disk->detaching || (disk->openers && !force))
		err = -EBUSY;
	else
		disk->detaching = true;
	mutex_unlock(&disk->lock);
	if (err)
		return err;

	ballast_sysfs_remove(disk);
	if (force) {
		WRITE_ONCE(disk->failing, true);
		synchronize_rcu(); /* for disk_queue_rq() */
		blk_mark_disk_dead(disk->gd);
		disk_disconnect(disk, false);
	}
	del_gendisk(disk->gd);
	if (!force)
		disk_disconnect(disk, true);
	disk_free_queues(disk);
	pr_info("ballast%d: detached\n", disk->index);
	disk_end(disk);
	module_put(THIS_MODULE);
	return 0;
}

/* On unload, when all disks are freed. */
void ballast_disk_exit(void)
{
	ida_destroy(&disk_indices);
}
