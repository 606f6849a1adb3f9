// SPDX-License-Identifier: GPL-2.0
/*
 * An interface's reserve in sysfs, /sys/class/net/IFACE/ballast/;
 * docs/sysfs.md describes each file.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "reserve.h"

static struct ballast_reserve *to_reserve(struct kobject *kobj)
{
	return container_of(kobj, struct ballast_reserve, kobj);
}

static u64 sum_stat(const struct ballast_reserve *res, size_t offset)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *(u64 *)((char *)per_cpu_ptr(res->stats, cpu) + offset);
	return sum;
}

static u64 sum_dropped(const struct ballast_reserve *res)
{
	u64 sum = 0;
	int why;

	for (why = 0; why < BALLAST_NR_DROPS; why++)
		sum += sum_stat(res, offsetof(struct ballast_reserve_stats,
					      dropped[why]));
	return sum;
}

/* Blocks, under the lock; the pool may be changing. */
static unsigned int count_pages(struct ballast_reserve *res, bool lent)
{
	const struct ballast_blocks *blocks;
	unsigned int pages = 0;

	spin_lock_bh(&res->lock);
	blocks = res->blocks;
	if (blocks)
		pages = (lent ? blocks->pool.min_nr - blocks->pool.curr_nr :
				blocks->pool.curr_nr) << blocks->order;
	spin_unlock_bh(&res->lock);
	return pages;
}

#define SHOW(_name, _format, _value)                                       \
	static ssize_t _name##_show(struct kobject *kobj,                   \
				    struct kobj_attribute *attr, char *buf) \
	{                                                                   \
		struct ballast_reserve *res = to_reserve(kobj);             \
									    \
		return sysfs_emit(buf, _format "\n", _value);               \
	}
#define SHOW_RO(_name, _format, _value)                                    \
	SHOW(_name, _format, _value)                                        \
	static struct kobj_attribute _name##_attr = __ATTR_RO(_name)
#define SHOW_STAT(_name, _field)                                           \
	SHOW_RO(_name, "%llu",                                              \
		sum_stat(res, offsetof(struct ballast_reserve_stats, _field)))

SHOW_RO(available_pages, "%u", count_pages(res, false));
SHOW_RO(lent_pages, "%u", count_pages(res, true));
SHOW_RO(in_use, "%d", READ_ONCE(res->in_use));
SHOW_RO(in_use_ms, "%llu", ballast_lend_in_use_ms(res));
SHOW_RO(activations, "%llu", READ_ONCE(res->activations));
SHOW_RO(lends, "%llu", READ_ONCE(res->lends));
SHOW_RO(refills, "%llu", READ_ONCE(res->refills));
SHOW_RO(rescues, "%llu", READ_ONCE(res->rescues));
SHOW_STAT(rx_kept, kept);
SHOW_STAT(rx_allowed, allowed);
SHOW_RO(rx_dropped, "%llu", sum_dropped(res));
SHOW_STAT(rx_dropped_bytes, dropped_bytes);
SHOW_STAT(rx_dropped_other_socket, dropped[BALLAST_DROP_OTHER_SOCKET]);
SHOW_STAT(rx_dropped_protocol, dropped[BALLAST_DROP_PROTOCOL]);
SHOW_STAT(rx_dropped_fragment, dropped[BALLAST_DROP_FRAGMENT]);
SHOW_STAT(rx_dropped_budget, dropped[BALLAST_DROP_BUDGET]);
SHOW_STAT(rx_dropped_malformed, dropped[BALLAST_DROP_MALFORMED]);

static ssize_t estimate_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return ballast_reserve_explain(to_reserve(kobj), buf);
}
static struct kobj_attribute estimate_attr = __ATTR_RO(estimate);

/* Say why what an administrator wrote is refused; no control character of his is logged. */
static __printf(4, 5) void refuse(const struct kobject *kobj,
				  const struct kobj_attribute *attr,
				  const char *buf, const char *format, ...)
{
	struct va_format why = { .fmt = format };
	va_list args;

	va_start(args, format);
	why.va = &args;
	pr_err("%s: %s=%*pE: %pV\n", kobject_name(kobj->parent),
	       attr->attr.name, (int)min_t(size_t, strcspn(buf, "\n"), 64), buf, &why);
	va_end(args);
}

/* What he wrote: a number of pages, or auto. Return: 0, or an errno */
static int read_pages(const struct kobject *kobj,
		      const struct kobj_attribute *attr, const char *buf,
		      int *pages)
{
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	*pages = BALLAST_RESERVE_AUTO;
	if (sysfs_streq(buf, "auto") ||
	    (!kstrtoint(buf, 10, pages) && *pages >= 0))
		return 0;
	refuse(kobj, attr, buf, "is neither a number of pages nor auto");
	return -EINVAL;
}

SHOW(size_pages, "%u", count_pages(res, false) + count_pages(res, true))

static ssize_t size_pages_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t len)
{
	int pages, err;

	err = read_pages(kobj, attr, buf, &pages);
	if (err)
		return err;
	err = ballast_reserve_set_pages(to_reserve(kobj), pages);
	if (err == -EINVAL)
		refuse(kobj, attr, buf, "is over %lu pages, a tenth of memory",
		       ballast_reserve_max_pages());
	else if (err == -ENOMEM)
		refuse(kobj, attr, buf, "can't be had without reclaim");
	return err ?: len;
}
static struct kobj_attribute size_pages_attr = __ATTR_RW(size_pages);

SHOW(packet_limit, "%u", READ_ONCE(res->packets))

static ssize_t packet_limit_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t len)
{
	unsigned int packets = 0;
	int err;

	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	if (!sysfs_streq(buf, "auto") &&
	    (kstrtouint(buf, 10, &packets) || !packets || packets > 1 << 20)) {
		refuse(kobj, attr, buf,
		       "is neither a number from 1 to 1048576 nor auto");
		return -EINVAL;
	}
	err = ballast_reserve_set_packets(to_reserve(kobj), packets);
	if (err == -ENOMEM)
		refuse(kobj, attr, buf, "no memory for it");
	return err ?: len;
}
static struct kobj_attribute packet_limit_attr = __ATTR_RW(packet_limit);

SHOW(lend_below, "%ld", READ_ONCE(res->lend_below))

static ssize_t lend_below_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t len)
{
	int pages, err;

	err = read_pages(kobj, attr, buf, &pages);
	if (err)
		return err;
	err = ballast_reserve_set_lend_below(to_reserve(kobj), pages);
	if (err == -EINVAL)
		refuse(kobj, attr, buf, "the machine has only %lu pages",
		       totalram_pages());
	else if (err == -ENOMEM)
		refuse(kobj, attr, buf, "no memory for it");
	return err ?: len;
}
static struct kobj_attribute lend_below_attr = __ATTR_RW(lend_below);

static struct attribute *reserve_attrs[] = {
	&size_pages_attr.attr,
	&available_pages_attr.attr,
	&lent_pages_attr.attr,
	&packet_limit_attr.attr,
	&lend_below_attr.attr,
	&in_use_attr.attr,
	&activations_attr.attr,
	&in_use_ms_attr.attr,
	&rx_kept_attr.attr,
	&rx_allowed_attr.attr,
	&rx_dropped_attr.attr,
	&rx_dropped_bytes_attr.attr,
	&rx_dropped_other_socket_attr.attr,
	&rx_dropped_protocol_attr.attr,
	&rx_dropped_fragment_attr.attr,
	&rx_dropped_budget_attr.attr,
	&rx_dropped_malformed_attr.attr,
	&lends_attr.attr,
	&refills_attr.attr,
	&rescues_attr.attr,
	&estimate_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(reserve);

static void reserve_kobj_release(struct kobject *kobj)
{
	ballast_reserve_unref(to_reserve(kobj));
}

static const struct kobj_type reserve_ktype = {
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = reserve_groups,
	.release = reserve_kobj_release,
};

/* Make the directory. Return: 0 or an errno, and then there is none */
int ballast_netsysfs_add(struct ballast_reserve *res)
{
	int err;

	kref_get(&res->ref); /* dropped in reserve_kobj_release() */
	err = compat_kobject_init_and_add(&res->kobj, &reserve_ktype,
				   &res->dev->dev.kobj, "ballast");
	if (err)
		kobject_put(&res->kobj);
	return err;
}

/* Remove it; no file of it is being read afterwards. */
void ballast_netsysfs_remove(struct ballast_reserve *res)
{
	kobject_del(&res->kobj);
	kobject_put(&res->kobj);
}
