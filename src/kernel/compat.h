/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between kernel versions.
 *
 * The module is written for the newest kernel. A name that an older kernel
 * lacks is defined here. A name that an older kernel has in another form is
 * not redefined: the module uses a compat_ name instead. No other file checks
 * the kernel's version.
 *
 * COMPAT_HAVE_ names stand for interfaces that the headers have (compat.mk).
 * Versions are compared only where the headers show no difference.
 */
#ifndef BALLAST_COMPAT_H
#define BALLAST_COMPAT_H

#ifndef __KERNEL__ /* user space: unit tests and fuzzers */
#include <linux/unaligned.h>
#else

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/device.h>
#include <linux/ethtool.h>
#include <linux/highmem.h>
#include <linux/lockdep.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/socket.h>
#include <linux/timer.h>
#include <linux/uio.h>
#include <linux/version.h>
#include <net/inet6_hashtables.h>
#include <net/inet_hashtables.h>
#include <net/tcp.h>

#ifdef COMPAT_HAVE_NETDEV_LOCK_OPS
#include <net/netdev_lock.h>
#endif

#ifndef COMPAT_HAVE_UNALIGNED
#include <asm/unaligned.h>
#else
#include <linux/unaligned.h>
#endif

#ifndef COMPAT_HAVE_SOCKADDR_UNSIZED
#define sockaddr_unsized sockaddr
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
#define kmap_local_page kmap_atomic
#define kunmap_local kunmap_atomic
#endif

#ifndef timer_container_of
#define timer_container_of from_timer
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_shutdown_sync(timer) del_timer_sync(timer)
#endif

#ifndef lockdep_assert_in_softirq
#define lockdep_assert_in_softirq() do { } while (0)
#endif

#ifndef COMPAT_HAVE_SHOULD_MERGE
#define BLK_MQ_F_SHOULD_MERGE 0
#endif

/* The hash table was an argument. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define compat_inet_lookup_established(net, ...)                           \
	__inet_lookup_established(net, (net)->ipv4.tcp_death_row.hashinfo, \
				  __VA_ARGS__)
#define compat_inet6_lookup_established(net, ...)                           \
	__inet6_lookup_established(net, (net)->ipv4.tcp_death_row.hashinfo, \
				   __VA_ARGS__)
#else
#define compat_inet_lookup_established __inet_lookup_established
#define compat_inet6_lookup_established __inet6_lookup_established
#endif

/* Is this a stable kernel of that series, from that patch level on? */
#define COMPAT_STABLE_FROM(major, minor, patch)                    \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, patch) && \
	 LINUX_VERSION_CODE < KERNEL_VERSION(major, (minor) + 1, 0))

/*
 * GFP_ATOMIC allocations of order 0 fall back to highatomic blocks when no
 * other page is free.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) || \
	COMPAT_STABLE_FROM(6, 11, 7) || COMPAT_STABLE_FROM(6, 6, 60) || \
	COMPAT_STABLE_FROM(6, 1, 116) || COMPAT_STABLE_FROM(5, 15, 171)
#define COMPAT_ATOMIC_USES_HIGHATOMIC true

static inline long compat_zone_free_highatomic(struct zone *zone, long reserved)
{
	return 0;
}
#else
#define COMPAT_ATOMIC_USES_HIGHATOMIC false

/* Limit of the blocks that are counted under the zone's lock. */
#define COMPAT_COUNT_HIGHATOMIC 1024

/*
 * Free pages in highatomic blocks, @reserved at most; -1: not known now. The
 * zone has no counter, so this counts free blocks under its lock, the largest
 * first. It does not wait for the lock. If there are too many blocks, it counts
 * all smaller ones as highatomic.
 */
static inline long compat_zone_free_highatomic(struct zone *zone, long reserved)
{
	int order, left = COMPAT_COUNT_HIGHATOMIC;
	struct list_head *entry;
	unsigned long flags;
	long pages = 0;

	if (!spin_trylock_irqsave(&zone->lock, flags))
		return -1;
	for (order = ARRAY_SIZE(zone->free_area) - 1; order >= 0; order--) {
		struct free_area *area = &zone->free_area[order];

		list_for_each(entry, &area->free_list[MIGRATE_HIGHATOMIC]) {
			if (--left < 0)
				break;
			pages += 1L << order;
		}
		if (left < 0)
			pages += area->nr_free << order;
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return min(pages, reserved);
}
#endif

/* The device number of a request's disk. */
static inline dev_t compat_rq_dev(const struct request *rq)
{
#ifdef COMPAT_HAVE_RQ_DISK
	return disk_devt(rq->rq_disk);
#else
	return disk_devt(rq->q->disk);
#endif
}

/* The driver's receive ring, in packets, of each queue; 0: unknown. Under the RTNL. */
static inline unsigned int compat_dev_rx_ring(struct net_device *dev)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };

	ASSERT_RTNL();
	if (!dev->ethtool_ops || !dev->ethtool_ops->get_ringparam)
		return 0;
#ifndef COMPAT_HAVE_KERNEL_RINGPARAM
	dev->ethtool_ops->get_ringparam(dev, &ring);
#else
	{
		struct kernel_ethtool_ringparam kernel_ring = {};

#ifdef COMPAT_HAVE_NETDEV_LOCK_OPS
		netdev_lock_ops(dev);
#endif
		dev->ethtool_ops->get_ringparam(dev, &ring, &kernel_ring, NULL);
#ifdef COMPAT_HAVE_NETDEV_LOCK_OPS
		netdev_unlock_ops(dev);
#endif
	}
#endif
	return ring.rx_pending;
}

/*
 * The kernel exports these lookups only where a part of netfilter needs them,
 * as in all distribution kernels. Without them, all UDP may be a tunnel's.
 */
#define COMPAT_HAS_UDP_LOOKUP                 \
	(IS_ENABLED(CONFIG_NF_TPROXY_IPV4) || \
	 IS_ENABLED(CONFIG_NF_SOCKET_IPV4))

/*
 * Pages that the sockets of a protocol hold. Since 6.0 recent charges are in
 * per-CPU counters.
 */
static inline long compat_proto_pages(const struct proto *prot)
{
	long pages = atomic_long_read(prot->memory_allocated);
#ifdef COMPAT_HAVE_FW_ALLOC
	int cpu;

	for_each_online_cpu(cpu)
		pages += READ_ONCE(*per_cpu_ptr(prot->per_cpu_fw_alloc, cpu));
#endif
	return pages;
}

/* Is the socket's memory charged to a cgroup as well? */
static inline bool compat_sk_has_memcg(const struct sock *sk)
{
#ifdef CONFIG_MEMCG
	return sk->sk_memcg;
#else
	return false;
#endif
}

/*
 * Does the socket's memory not count in the limits of its protocol, such as
 * net.ipv4.tcp_mem? With net.core.bypass_prot_mem, every socket is made so. What
 * it holds is not subtracted when it closes.
 */
static inline bool compat_sk_bypasses_prot(const struct sock *sk)
{
#ifdef COMPAT_HAVE_BYPASS_PROT_MEM
	return sk->sk_bypass_prot_mem;
#else
	return false;
#endif
}

/*
 * Without SO_RESERVE_MEM a socket can't keep memory charged: TCP returns a
 * charge over time, and its timers return it at once. So the charge is renewed
 * whenever half of what such a socket may keep is gone.
 */
#ifndef COMPAT_HAVE_RESERVED_MEM
static inline bool compat_sk_is_reserved(const struct sock *sk)
{
	return READ_ONCE(sk->sk_forward_alloc) >= 1 << 20;
}

static inline void compat_sk_keep(struct sock *sk, int size)
{
}

/*
 * While memory for sockets is short, TCP returns all whole pages of a charge
 * before it allocates an skb, and then forces the charge of the skb only. If
 * the remainder of the page is too small for the data, and the data are less
 * than the send buffer's minimum, sending fails, and so does every retry. So
 * the remainder is made a whole page (the surplus is taken away until
 * compat_sk_put_rest()), and one call sends at most compat_sk_send_most()
 * bytes, which fit into that page beside the skb.
 */
static inline int compat_sk_take_rest(struct sock *sk)
{
	int rest = sk->sk_forward_alloc & (SK_MEM_QUANTUM - 1);

	sk->sk_forward_alloc -= rest;
	return rest;
}

static inline void compat_sk_put_rest(struct sock *sk, int rest)
{
	sk->sk_forward_alloc += rest;
}

static inline size_t compat_sk_send_most(const struct sock *sk)
{
	return tcp_under_memory_pressure(sk) ? SK_MEM_QUANTUM / 2 : SIZE_MAX;
}
#else
static inline bool compat_sk_is_reserved(const struct sock *sk)
{
	return READ_ONCE(sk->sk_reserved_mem);
}

static inline void compat_sk_keep(struct sock *sk, int size)
{
	WRITE_ONCE(sk->sk_reserved_mem, sk->sk_reserved_mem + size);
}

static inline int compat_sk_take_rest(struct sock *sk)
{
	return 0;
}

static inline void compat_sk_put_rest(struct sock *sk, int rest)
{
}

static inline size_t compat_sk_send_most(const struct sock *sk)
{
	return SIZE_MAX;
}
#endif

/* Copy into the socket's own page fragment: the task's may be in use. */
static inline void compat_sk_keep_task_frag(struct sock *sk)
{
#ifdef COMPAT_HAVE_TASK_FRAG
	sk->sk_use_task_frag = false;
#endif
}

#ifndef ITER_SOURCE
#define ITER_SOURCE	WRITE
#define ITER_DEST	READ
#endif

/* The type was not const. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define compat_kobject_init_and_add(kobj, type, ...) \
	kobject_init_and_add(kobj, (struct kobj_type *)(type), __VA_ARGS__)
#else
#define compat_kobject_init_and_add kobject_init_and_add
#endif

/* Callbacks on requests had an argument for reserved tags. */
#ifdef COMPAT_HAVE_RESERVED_ARG
#define COMPAT_TIMEOUT(_timeout)                                             \
	static enum blk_eh_timer_return _timeout##_compat(struct request *rq, \
							  bool reserved)     \
	{                                                                    \
		return _timeout(rq);                                         \
	}
#define COMPAT_BUSY_ITER(_iter)                                           \
	static bool _iter##_compat(struct request *rq, void *data,        \
				   bool reserved)                         \
	{                                                                 \
		return _iter(rq, data);                                   \
	}
#define COMPAT_REQUEST_FN(_fn) _fn##_compat
#else
#define COMPAT_TIMEOUT(_timeout)
#define COMPAT_BUSY_ITER(_iter)
#define COMPAT_REQUEST_FN(_fn) _fn
#endif

/* The arguments of class attributes were not const. */
#ifndef COMPAT_HAVE_CONST_CLASS
#define COMPAT_CLASS_ATTR_RW(_name)                                       \
	ssize_t _name##_show_compat(struct class *class,                  \
				    struct class_attribute *attr,         \
				    char *buf)                            \
	{                                                                 \
		return _name##_show(class, attr, buf);                    \
	}                                                                 \
	static ssize_t _name##_store_compat(struct class *class,          \
					    struct class_attribute *attr, \
					    const char *buf, size_t len)  \
	{                                                                 \
		return _name##_store(class, attr, buf, len);              \
	}                                                                 \
	static struct class_attribute class_attr_##_name =                \
		__ATTR(_name, 0644, _name##_show_compat, _name##_store_compat)
#else
#define COMPAT_CLASS_ATTR_RW CLASS_ATTR_RW
#endif

/* open and release had other arguments, and a removed disk could be opened. */
#ifndef COMPAT_HAVE_ADD_DISK_ERROR
#define COMPAT_DISK_OPEN_RELEASE(_open, _release)                         \
	/* Process context: the last put of a disk waits for openers. */  \
	static DEFINE_MUTEX(compat_open_mutex);                           \
									  \
	static int _open##_compat(struct block_device *bdev, fmode_t mode) \
	{                                                                 \
		struct gendisk *gd = bdev->bd_disk;                       \
		int err = -ENXIO;                                         \
									  \
		mutex_lock(&compat_open_mutex);                           \
		if (gd->flags & GENHD_FL_UP)                              \
			err = _open(gd, mode);                            \
		mutex_unlock(&compat_open_mutex);                         \
		return err;                                               \
	}                                                                 \
	static void _release##_compat(struct gendisk *gd, fmode_t mode)   \
	{                                                                 \
		_release(gd);                                             \
	}
#define COMPAT_WAIT_OPEN()                        \
	do {                                      \
		mutex_lock(&compat_open_mutex);   \
		mutex_unlock(&compat_open_mutex); \
	} while (0)
#elif !defined(COMPAT_HAVE_OPEN_DISK)
#define COMPAT_DISK_OPEN_RELEASE(_open, _release)                         \
	static int _open##_compat(struct block_device *bdev, fmode_t mode) \
	{                                                                 \
		return _open(bdev->bd_disk, mode);                        \
	}                                                                 \
	static void _release##_compat(struct gendisk *gd, fmode_t mode)   \
	{                                                                 \
		_release(gd);                                             \
	}
#define COMPAT_WAIT_OPEN()
#else
#define COMPAT_DISK_OPEN_RELEASE(_open, _release)
#endif

#ifndef COMPAT_HAVE_OPEN_DISK
typedef fmode_t blk_mode_t;
#define COMPAT_DISK_OPEN(_open) _open##_compat
#define COMPAT_DISK_RELEASE(_release) _release##_compat
#else
#define COMPAT_DISK_OPEN(_open) _open
#define COMPAT_DISK_RELEASE(_release) _release
#endif

/* No scheduler unless the administrator chooses one. */
#ifndef COMPAT_HAVE_NO_SCHED_BY_DEFAULT
#define BLK_MQ_F_NO_SCHED_BY_DEFAULT BLK_MQ_F_NO_SCHED
#endif

/* The queue had to be cleaned up separately. */
#ifdef COMPAT_HAVE_CLEANUP_QUEUE
#define compat_put_disk(gd)                         \
	({                                          \
		COMPAT_WAIT_OPEN();                 \
		blk_cleanup_queue((gd)->queue);     \
		put_disk(gd);                       \
	})
#else
#define compat_put_disk put_disk
#endif

#ifndef COMPAT_HAVE_ADD_DISK_ERROR
static inline struct gendisk *compat_alloc_disk(struct blk_mq_tag_set *set,
						void *data)
{
	struct request_queue *q = blk_mq_init_queue_data(set, data);
	struct gendisk *gd;

	if (IS_ERR(q))
		return ERR_CAST(q);
	gd = alloc_disk_node(0, set->numa_node);
	/* put_disk() drops a reference that only adding the disk takes. */
	if (!gd || !blk_get_queue(q)) {
		if (gd)
			put_disk(gd);
		blk_cleanup_queue(q);
		return ERR_PTR(-ENOMEM);
	}
	gd->queue = q;
	gd->flags |= GENHD_FL_EXT_DEVT;
	return gd;
}

/* Adding a disk could not fail. */
#define compat_device_add_disk(parent, gd, groups)       \
	({                                               \
		device_add_disk(parent, gd, groups);     \
		blk_put_queue((gd)->queue);              \
		0;                                       \
	})
#define set_capacity_and_notify(gd, size) \
	set_capacity_revalidate_and_notify(gd, size, true)
#define blk_mark_disk_dead(gd) blk_set_queue_dying((gd)->queue)
#else
#define compat_alloc_disk blk_mq_alloc_disk
#define compat_device_add_disk device_add_disk
#endif

/* Features were flags of the queue, not limits. */
#ifndef COMPAT_HAVE_LIMITS_FEATURES
#define BLK_FEAT_WRITE_CACHE	BIT(0)
#define BLK_FEAT_FUA		BIT(1)
#define BLK_FEAT_ROTATIONAL	BIT(2)
#define BLK_FEAT_STABLE_WRITES	BIT(3)

struct compat_queue_limits {
	unsigned int features;
	unsigned int logical_block_size, physical_block_size;
	unsigned int max_hw_sectors, max_segment_size, io_opt;
	unsigned short max_segments;
	unsigned int max_hw_discard_sectors, discard_granularity;
	unsigned int max_write_zeroes_sectors;
};

static inline void compat_set_features(struct request_queue *q,
				       unsigned int features)
{
	blk_queue_write_cache(q, features & BLK_FEAT_WRITE_CACHE,
			      features & BLK_FEAT_FUA);
	if (!(features & BLK_FEAT_ROTATIONAL))
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	if (features & BLK_FEAT_STABLE_WRITES)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
}

static inline struct gendisk *
compat_blk_mq_alloc_disk(struct blk_mq_tag_set *set,
			 const struct compat_queue_limits *lim, void *data)
{
#ifdef COMPAT_HAVE_LIMITS_ARG
	struct queue_limits limits = {
		.logical_block_size = lim->logical_block_size,
		.physical_block_size = lim->physical_block_size,
		.max_hw_sectors = lim->max_hw_sectors,
		.max_segments = lim->max_segments,
		.max_segment_size = lim->max_segment_size,
		.io_opt = lim->io_opt,
		.max_hw_discard_sectors = lim->max_hw_discard_sectors,
		.discard_granularity = lim->discard_granularity,
		.max_write_zeroes_sectors = lim->max_write_zeroes_sectors,
	};
	struct gendisk *gd = blk_mq_alloc_disk(set, &limits, data);

	if (!IS_ERR(gd))
		compat_set_features(gd->queue, lim->features);
	return gd;
#else
	struct gendisk *gd = compat_alloc_disk(set, data);
	struct request_queue *q;

	if (IS_ERR(gd))
		return gd;
	q = gd->queue;
	blk_queue_logical_block_size(q, lim->logical_block_size);
	blk_queue_physical_block_size(q, lim->physical_block_size);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors);
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_max_segment_size(q, lim->max_segment_size);
	if (lim->io_opt)
		blk_queue_io_opt(q, lim->io_opt);
	blk_queue_max_discard_sectors(q, lim->max_hw_discard_sectors);
	q->limits.discard_granularity = lim->discard_granularity;
#ifdef QUEUE_FLAG_DISCARD
	if (lim->max_hw_discard_sectors)
		blk_queue_flag_set(QUEUE_FLAG_DISCARD, q);
#endif
	blk_queue_max_write_zeroes_sectors(q, lim->max_write_zeroes_sectors);
	compat_set_features(q, lim->features);
	return gd;
#endif
}

/* In the rest of the module, the struct that has features. */
#define queue_limits compat_queue_limits
#else
#define compat_blk_mq_alloc_disk blk_mq_alloc_disk
#endif

/**
 * compat_sendmsg_splice - send pages in place
 * @sk: socket, locked
 * @msg: its iterator is over bio_vecs whose pages all are sendpage_ok()
 * @len: bytes in the iterator
 *
 * Context: any; does not sleep
 * Return: bytes sent, or an errno
 */
#ifdef COMPAT_HAVE_SENDPAGE
static inline int compat_sendmsg_splice(struct sock *sk, struct msghdr *msg,
					size_t len)
{
	struct iov_iter *iter = &msg->msg_iter;
	int sent = 0;

	/* Without scatter-gather tcp_sendpage_locked() copies, and may sleep. */
	if (!(sk->sk_route_caps & NETIF_F_SG))
		return tcp_sendmsg_locked(sk, msg, len);
	while (len) {
		const struct bio_vec *vec = iter->bvec;
		size_t start = vec->bv_offset + iter->iov_offset;
		size_t offset = offset_in_page(start);
		size_t part = min3(len, vec->bv_len - iter->iov_offset,
				   PAGE_SIZE - offset);
		int flags = msg->msg_flags, n;

		if (part < len)
			flags |= MSG_MORE | MSG_SENDPAGE_NOTLAST;
		n = tcp_sendpage_locked(sk, vec->bv_page + start / PAGE_SIZE,
					offset, part, flags);
		if (n < 0)
			return sent ?: n;
		iov_iter_advance(iter, n);
		sent += n;
		len -= n;
	}
	return sent;
}
#else
static inline int compat_sendmsg_splice(struct sock *sk, struct msghdr *msg,
					size_t len)
{
	msg->msg_flags |= MSG_SPLICE_PAGES;
	return tcp_sendmsg_locked(sk, msg, len);
}
#endif

#endif /* __KERNEL__ */

#endif /* BALLAST_COMPAT_H */
