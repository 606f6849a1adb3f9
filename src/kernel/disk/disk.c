// SPDX-License-Identifier: GPL-2.0
/*
 * One block device: gendisk, blk-mq, and their life cycle; see disk.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "disk.h"

#include <linux/idr.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "compat.h"
#include "objects.h"
#include "sysfs.h"

/*
 * The block layer's own timeout is not used: the options limit how long a
 * request waits for the server. The timeout's work in kblockd would also wait
 * for a grace period.
 */
#define DISK_TIMEOUT		(INT_MAX / 2)

/* Readahead is twice the preferred size; the server is not trusted. */
#define DISK_MAX_OPT		SZ_1M

static DEFINE_IDA(disk_indices);

/* The submitter sends at once, under rcu_read_lock(), and does not sleep. */
static blk_status_t disk_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct ballast_disk *disk = hctx->queue->queuedata;
	struct ballast_session *session = &disk->session;
	struct ballast_cmd *cmd = blk_mq_rq_to_pdu(bd->rq);
	blk_status_t status;

	if (unlikely(!ballast_session_accepts(session)))
		return BLK_STS_IOERR;
	status = ballast_cmd_init(cmd, bd->rq);
	if (unlikely(status))
		return status;
	cmd->index = hctx->queue_num * session->opts.queue_depth + bd->rq->tag;

	blk_mq_start_request(bd->rq);
	ballast_session_submit(session, hctx->queue_num, cmd, bd->last);
	return BLK_STS_OK;
}

static void disk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct ballast_disk *disk = hctx->queue->queuedata;

	ballast_session_commit(&disk->session);
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

	ballast_session_free(&disk->session);
	ballast_sysfs_free(disk);
	if (disk->index >= 0)
		ida_free(&disk_indices, disk->index);
	kfree(disk);
	ballast_object_put();
}

/* Drop a reference; the last one frees the disk. Process context. */
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
	u64 size = READ_ONCE(disk->session.export.size);

	if (disk->gd && !READ_ONCE(disk->detaching))
		set_capacity_and_notify(disk->gd, size >> SECTOR_SHIFT);
}

/*
 * The session's export has grown. A work queue resizes the disk, since that may
 * wait for memory, which may wait for this disk.
 */
static void disk_session_grown(struct ballast_session *session)
{
	struct ballast_disk *disk =
		container_of(session, struct ballast_disk, session);

	schedule_work(&disk->grown);
}

static void disk_session_changed(struct ballast_session *session)
{
	struct ballast_disk *disk =
		container_of(session, struct ballast_disk, session);

	ballast_sysfs_notify(disk);
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

/* Allocate a disk whose session can be started. */
static struct ballast_disk *disk_alloc(const struct ballast_options *opts)
{
	char name[BALLAST_NAME_LEN];
	struct ballast_disk *disk;
	int err;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return ERR_PTR(-ENOMEM);
	ballast_object_get();
	kref_init(&disk->ref);
	mutex_init(&disk->lock);
	INIT_WORK(&disk->grown, disk_grown);
	disk->index = disk_reserve_index(opts->index);
	err = min(disk->index, 0);
	if (!err) {
		snprintf(name, sizeof(name), "ballast%d", disk->index);
		err = ballast_session_init(&disk->session, opts, name,
					   disk_session_grown,
					   disk_session_changed);
	}
	if (err) {
		ballast_disk_put(disk);
		return ERR_PTR(err);
	}
	return disk;
}

static struct queue_limits disk_limits(const struct ballast_session *session)
{
	const struct wire_export *export = &session->export;
	u32 zeroes = round_down(U32_MAX, export->min_block) >> SECTOR_SHIFT;
	struct queue_limits lim = {
		.logical_block_size = export->min_block,
		.physical_block_size = min_t(u32, export->preferred_block,
					     PAGE_SIZE),
		.max_hw_sectors = export->max_payload >> SECTOR_SHIFT,
		.max_segments = USHRT_MAX,
		.max_segment_size = UINT_MAX,
	};

	if (export->preferred_block > PAGE_SIZE)
		lim.io_opt = min_t(u32, export->preferred_block, DISK_MAX_OPT);
	if (export->flags & NBD_FLAG_SEND_FLUSH) {
		lim.features |= BLK_FEAT_WRITE_CACHE;
		if (export->flags & NBD_FLAG_SEND_FUA)
			lim.features |= BLK_FEAT_FUA;
	}
	/*
	 * Otherwise a program may fault a page in again and change it while it
	 * is being written, and the server's data would be unknown.
	 */
	if (session->verify)
		lim.features |= BLK_FEAT_STABLE_WRITES;
	if (export->flags & NBD_FLAG_ROTATIONAL)
		lim.features |= BLK_FEAT_ROTATIONAL;
	if (export->flags & NBD_FLAG_SEND_TRIM) {
		lim.max_hw_discard_sectors = zeroes;
		lim.discard_granularity = lim.physical_block_size;
	}
	if (export->flags & NBD_FLAG_SEND_WRITE_ZEROES)
		lim.max_write_zeroes_sectors = zeroes;
	return lim;
}

/* Allocate the tags and the queues, with the limits of the export. */
static int disk_alloc_queues(struct ballast_disk *disk)
{
	const struct ballast_session *session = &disk->session;
	struct queue_limits lim = disk_limits(session);
	struct gendisk *gd;
	int err;

	disk->set.ops = &disk_mq_ops;
	disk->set.nr_hw_queues = session->opts.connections;
	disk->set.queue_depth = session->opts.queue_depth;
	disk->set.numa_node = NUMA_NO_NODE;
	disk->set.cmd_size = sizeof(struct ballast_cmd);
	/*
	 * A scheduler would only add a lock; the server has its own.
	 *
	 * BLK_MQ_F_STACKING: a CPU that goes offline does not wait for the
	 * requests of its queue. No interrupt of that CPU ends them, and the
	 * server may be gone.
	 */
	disk->set.flags = BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_STACKING |
			  BLK_MQ_F_NO_SCHED_BY_DEFAULT;
	disk->set.timeout = DISK_TIMEOUT;
	err = blk_mq_alloc_tag_set(&disk->set);
	if (err)
		return err;

	gd = compat_blk_mq_alloc_disk(&disk->set, &lim, disk);
	if (IS_ERR(gd)) {
		blk_mq_free_tag_set(&disk->set);
		return PTR_ERR(gd);
	}
	strscpy(gd->disk_name, session->name, sizeof(gd->disk_name));
	gd->fops = &disk_fops;
	gd->private_data = disk;
	set_capacity(gd, session->export.size >> SECTOR_SHIFT);
	if (session->opts.readonly || session->export.flags & NBD_FLAG_READ_ONLY)
		set_disk_ro(gd, true);
	disk->gd = gd;
	return 0;
}

/* In this order: the session's thread may resize the disk until it has ended. */
static void disk_end_session(struct ballast_disk *disk)
{
	ballast_session_end(&disk->session);
	cancel_work_sync(&disk->grown);
	if (!disk->gd)
		return;
	compat_put_disk(disk->gd);
	blk_mq_free_tag_set(&disk->set);
}

/**
 * ballast_disk_attach - connect to a server and make a disk of its export
 * @opts: read from the attach string; copied
 *
 * Context: process; sleeps
 * Return: the disk, added to the block layer; ballast_disk_end() ends it. Or an
 * errno: nothing is left, and the log names the option or step that failed
 */
struct ballast_disk *ballast_disk_attach(const struct ballast_options *opts)
{
	struct ballast_disk *disk = disk_alloc(opts);
	int err;

	if (IS_ERR(disk))
		return disk;
	err = ballast_session_start(&disk->session);
	if (err)
		goto put;
	err = disk_alloc_queues(disk);
	if (err)
		goto end;
	err = compat_device_add_disk(NULL, disk->gd, NULL);
	if (err)
		goto end;
	if (!ballast_session_attached(&disk->session)) {
		err = -ETIMEDOUT;
		goto del;
	}
	return disk;

del:
	del_gendisk(disk->gd);
end:
	disk_end_session(disk);
	pr_err("%s: creating the disk failed (error %d)\n", disk->session.name,
	       err);
put:
	ballast_disk_put(disk);
	return ERR_PTR(err);
}

/**
 * ballast_disk_begin_detach - claim a disk for a detach
 * @disk: attached
 * @force: also when it is open
 *
 * Context: process; takes the disk's lock
 * Return: 0: the caller must call ballast_disk_end(); -EBUSY: the disk is
 * open, or swapped on, another detach has begun, or the attach has not ended
 */
int ballast_disk_begin_detach(struct ballast_disk *disk, bool force)
{
	int err = 0;

	mutex_lock(&disk->lock);
	/* Pairs with ballast_sysfs_add(), which still uses the directory. */
	if (!smp_load_acquire(&disk->has_files) || disk->detaching ||
	    (disk->openers && !force))
		err = -EBUSY;
	else
		disk->detaching = true;
	mutex_unlock(&disk->lock);
	/* Removing the move file waits for its writer: make the move fail. */
	if (!err)
		ballast_move_close(&disk->session);
	return err;
}

/**
 * ballast_disk_end - end a disk
 * @disk: its files in sysfs are removed; drops the attachment's reference
 * @force: ballast_session_abort() was called. From 6.12 on, marking the disk dead
 *	   waits for writeback, which must have failed by then
 *
 * Context: process; sleeps
 */
void ballast_disk_end(struct ballast_disk *disk, bool force)
{
	if (force)
		blk_mark_disk_dead(disk->gd);
	del_gendisk(disk->gd);
	disk_end_session(disk);
	ballast_disk_put(disk);
}

/* On unload, when all disks are freed. */
void ballast_disk_exit(void)
{
	ida_destroy(&disk_indices);
}
