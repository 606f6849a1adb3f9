// SPDX-License-Identifier: GPL-2.0
/*
 * The reserve of an interface in sysfs: /sys/class/net/IFACE/ballast/.
 * docs/sysfs.md describes each file; include/ballast/limits.h has the names.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "netsysfs.h"

#include <linux/capability.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "ingress.h"
#include "objects.h"
#include "pressure.h"
#include "reserve.h"

/* Characters of a refused value that are logged. */
#define NETSYSFS_LOGGED		64

static const char *const grade_names[] = {
	[BALLAST_CALM] = "calm",
	[BALLAST_TIGHT] = "tight",
	[BALLAST_CRITICAL] = "critical",
};

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
		sum += sum_stat(res, offsetof(struct ballast_ingress_stats,
					      dropped[why]));
	return sum;
}

/* Pages in the blocks that @count counts; the set may be replaced meanwhile. */
static unsigned int
count_pages(struct ballast_reserve *res,
	    unsigned int (*count)(const struct ballast_blocks *blocks))
{
	unsigned int pages = 0;

	spin_lock_bh(&res->lock);
	if (res->blocks)
		pages = count(res->blocks) << ballast_blocks_order(res->blocks);
	spin_unlock_bh(&res->lock);
	return pages;
}

#define SHOW(_name, _format, _value)                                        \
	static ssize_t _name##_show(struct kobject *kobj,                   \
				    struct kobj_attribute *attr, char *buf) \
	{                                                                   \
		struct ballast_reserve *res = to_reserve(kobj);             \
									    \
		return sysfs_emit(buf, _format "\n", _value);               \
	}
#define SHOW_RO(_name, _file, _format, _value)      \
	SHOW(_name, _format, _value)                \
	static struct kobj_attribute _name##_attr = \
		BALLAST_ATTR(_file, 0444, _name##_show, NULL)
#define SHOW_STAT(_name, _file, _field)                                    \
	SHOW_RO(_name, _file, "%llu",                                      \
		sum_stat(res, offsetof(struct ballast_ingress_stats, _field)))

SHOW_RO(available_pages, BALLAST_FILE_AVAILABLE_PAGES, "%u",
	count_pages(res, ballast_blocks_available));
SHOW_RO(lent_pages, BALLAST_FILE_LENT_PAGES, "%u",
	count_pages(res, ballast_blocks_lent));
SHOW_RO(in_use, BALLAST_FILE_IN_USE, "%d",
	res->dev && ballast_pressure_in_use());
SHOW_RO(grade, BALLAST_FILE_GRADE, "%s",
	grade_names[res->dev ? ballast_pressure_grade() : BALLAST_CALM]);
SHOW_RO(in_use_ms, BALLAST_FILE_IN_USE_MS, "%llu",
	ballast_pressure_times().in_use_ms - res->before.in_use_ms);
SHOW_RO(critical_ms, BALLAST_FILE_CRITICAL_MS, "%llu",
	ballast_pressure_times().critical_ms - res->before.critical_ms);
SHOW_RO(activations, BALLAST_FILE_ACTIVATIONS, "%llu",
	ballast_pressure_times().activations - res->before.activations);
SHOW_RO(lends, BALLAST_FILE_LENDS, "%llu", READ_ONCE(res->lends));
SHOW_RO(refills, BALLAST_FILE_REFILLS, "%llu", READ_ONCE(res->refills));
SHOW_RO(rescues, BALLAST_FILE_RESCUES, "%llu", READ_ONCE(res->rescues));
SHOW_STAT(rx_kept, BALLAST_FILE_RX_KEPT, kept);
SHOW_STAT(rx_allowed, BALLAST_FILE_RX_ALLOWED, allowed);
SHOW_STAT(rx_unrelated, BALLAST_FILE_RX_UNRELATED, unrelated);
SHOW_STAT(rx_pfmemalloc, BALLAST_FILE_RX_PFMEMALLOC, pfmemalloc);
SHOW_RO(rx_dropped, BALLAST_FILE_RX_DROPPED, "%llu", sum_dropped(res));
SHOW_STAT(rx_dropped_bytes, BALLAST_FILE_RX_DROPPED_BYTES, dropped_bytes);
SHOW_STAT(rx_dropped_other_socket, BALLAST_FILE_RX_DROPPED_SOCKET,
	  dropped[BALLAST_DROP_OTHER_SOCKET]);
SHOW_STAT(rx_dropped_protocol, BALLAST_FILE_RX_DROPPED_PROTO,
	  dropped[BALLAST_DROP_PROTOCOL]);
SHOW_STAT(rx_dropped_fragment, BALLAST_FILE_RX_DROPPED_FRAG,
	  dropped[BALLAST_DROP_FRAGMENT]);
SHOW_STAT(rx_dropped_budget, BALLAST_FILE_RX_DROPPED_BUDGET,
	  dropped[BALLAST_DROP_BUDGET]);
SHOW_STAT(rx_dropped_limit, BALLAST_FILE_RX_DROPPED_LIMIT,
	  dropped[BALLAST_DROP_LIMIT]);
SHOW_STAT(rx_dropped_malformed, BALLAST_FILE_RX_DROPPED_BAD,
	  dropped[BALLAST_DROP_MALFORMED]);

static ssize_t estimate_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return ballast_reserve_explain(to_reserve(kobj), buf);
}

static struct kobj_attribute estimate_attr =
	BALLAST_ATTR(BALLAST_FILE_ESTIMATE, 0444, estimate_show, NULL);

/*
 * Log why a value that an administrator wrote is refused. Control characters
 * in it are escaped.
 *
 * The name is the device's own array, not that of kobj->parent, which a rename
 * frees. The device stays: ballast_netsysfs_remove() waits for the write.
 */
static __printf(4, 5) void refuse(const struct kobject *kobj,
				  const struct kobj_attribute *attr,
				  const char *buf, const char *format, ...)
{
	const struct ballast_reserve *res =
		container_of(kobj, const struct ballast_reserve, kobj);
	struct va_format why = { .fmt = format };
	va_list args;

	va_start(args, format);
	why.va = &args;
	pr_err("%s: %s=%*pE: %pV\n", res->dev->name, attr->attr.name,
	       (int)min_t(size_t, strcspn(buf, "\n"), NETSYSFS_LOGGED), buf,
	       &why);
	va_end(args);
}

static void refuse_unused(const struct kobject *kobj,
			  const struct kobj_attribute *attr, const char *buf)
{
	refuse(kobj, attr, buf,
	       "no disk's packets come in on this interface, so it has no reserve, only a filter");
}

static bool may_write(const struct kobject *kobj,
		      const struct kobj_attribute *attr)
{
	const struct ballast_reserve *res =
		container_of(kobj, const struct ballast_reserve, kobj);

	if (capable(CAP_NET_ADMIN))
		return true;
	pr_err_ratelimited("%s: %s: needs CAP_NET_ADMIN\n", res->dev->name,
			   attr->attr.name);
	return false;
}

/* A number of pages, or "auto". Return: 0; -EPERM or -EINVAL, which is logged */
static int parse_pages(const struct kobject *kobj,
		       const struct kobj_attribute *attr, const char *buf,
		       int *pages)
{
	if (!may_write(kobj, attr))
		return -EPERM;
	*pages = BALLAST_RESERVE_AUTO;
	if (sysfs_streq(buf, "auto") ||
	    (!kstrtoint(buf, 10, pages) && *pages >= 0))
		return 0;
	refuse(kobj, attr, buf, "is neither a number of pages nor auto");
	return -EINVAL;
}

static ssize_t size_pages_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t len)
{
	int pages, err;

	err = parse_pages(kobj, attr, buf, &pages);
	if (err)
		return err;
	err = ballast_reserve_set_pages(to_reserve(kobj), pages);
	if (err == -EOPNOTSUPP)
		refuse_unused(kobj, attr, buf);
	else if (err == -EINVAL)
		refuse(kobj, attr, buf, "is over %lu pages, %s",
		       ballast_reserve_max_pages(), ballast_reserve_max_why());
	else if (err == -ENOMEM)
		refuse(kobj, attr, buf,
		       "not enough free memory without reclaim; write a smaller number");
	return err ?: len;
}

SHOW(size_pages, "%u", count_pages(res, ballast_blocks_size))
static struct kobj_attribute size_pages_attr =
	BALLAST_ATTR(BALLAST_FILE_SIZE_PAGES, 0644, size_pages_show,
		     size_pages_store);

static ssize_t packet_limit_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t len)
{
	unsigned int packets = 0;
	int err;

	if (!may_write(kobj, attr))
		return -EPERM;
	if (!sysfs_streq(buf, "auto") &&
	    (kstrtouint(buf, 10, &packets) || !packets ||
	     packets > BALLAST_MAX_PACKETS)) {
		refuse(kobj, attr, buf,
		       "is neither a number from 1 to %u nor auto",
		       BALLAST_MAX_PACKETS);
		return -EINVAL;
	}
	err = ballast_reserve_set_packets(to_reserve(kobj), packets);
	if (err == -EOPNOTSUPP)
		refuse_unused(kobj, attr, buf);
	else if (err == -ENOMEM)
		refuse(kobj, attr, buf,
		       "not enough free memory to resize the reserve");
	return err ?: len;
}

SHOW(packet_limit, "%u", READ_ONCE(res->packets))
static struct kobj_attribute packet_limit_attr =
	BALLAST_ATTR(BALLAST_FILE_PACKET_LIMIT, 0644, packet_limit_show,
		     packet_limit_store);

static ssize_t lend_below_store(struct kobject *kobj,
				struct kobj_attribute *attr, const char *buf,
				size_t len)
{
	int pages, err;

	err = parse_pages(kobj, attr, buf, &pages);
	if (err)
		return err;
	err = ballast_reserve_set_lend_below(to_reserve(kobj), pages);
	if (err == -EOPNOTSUPP)
		refuse_unused(kobj, attr, buf);
	else if (err == -EINVAL)
		refuse(kobj, attr, buf, "the machine has only %lu pages",
		       totalram_pages());
	else if (err == -ENOMEM)
		refuse(kobj, attr, buf,
		       "not enough free memory to resize the reserve");
	return err ?: len;
}

SHOW(lend_below, "%ld", READ_ONCE(res->lend_below))
static struct kobj_attribute lend_below_attr =
	BALLAST_ATTR(BALLAST_FILE_LEND_BELOW, 0644, lend_below_show,
		     lend_below_store);

static struct attribute *reserve_attrs[] = {
	&size_pages_attr.attr,
	&available_pages_attr.attr,
	&lent_pages_attr.attr,
	&packet_limit_attr.attr,
	&lend_below_attr.attr,
	&in_use_attr.attr,
	&grade_attr.attr,
	&activations_attr.attr,
	&in_use_ms_attr.attr,
	&critical_ms_attr.attr,
	&rx_kept_attr.attr,
	&rx_allowed_attr.attr,
	&rx_unrelated_attr.attr,
	&rx_pfmemalloc_attr.attr,
	&rx_dropped_attr.attr,
	&rx_dropped_bytes_attr.attr,
	&rx_dropped_other_socket_attr.attr,
	&rx_dropped_protocol_attr.attr,
	&rx_dropped_fragment_attr.attr,
	&rx_dropped_budget_attr.attr,
	&rx_dropped_limit_attr.attr,
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

/* Reserves whose grade can be polled. The lock is a leaf, taken in softirq. */
static DEFINE_SPINLOCK(grades_lock);
static LIST_HEAD(grades);

/**
 * ballast_netsysfs_notify - wake pollers of the grade of all interfaces
 *
 * Context: Softirq, or softirqs disabled. Takes a spinlock.
 */
void ballast_netsysfs_notify(void)
{
	struct ballast_reserve *res;

	spin_lock(&grades_lock);
	list_for_each_entry(res, &grades, grade_entry)
		sysfs_notify_dirent(res->grade_node);
	spin_unlock(&grades_lock);
}

/**
 * ballast_netsysfs_add - create the directory of a reserve
 * @res: the reserve; the directory holds a reference to it
 *
 * Context: Process context. Takes kernfs's locks.
 * Return: 0; an errno, and then there is no directory
 */
int ballast_netsysfs_add(struct ballast_reserve *res)
{
	int err;

	kref_get(&res->ref); /* dropped in reserve_kobj_release() */
	err = compat_kobject_init_and_add(&res->kobj, &reserve_ktype,
					  &res->dev->dev.kobj, "ballast");
	if (err) {
		kobject_put(&res->kobj);
		return err;
	}
	res->grade_node = sysfs_get_dirent(res->kobj.sd, BALLAST_FILE_GRADE);
	if (res->grade_node) {
		spin_lock_bh(&grades_lock);
		list_add(&res->grade_entry, &grades);
		spin_unlock_bh(&grades_lock);
	}
	return 0;
}

/**
 * ballast_netsysfs_remove - remove the directory of a reserve
 * @res: the reserve
 *
 * Context: Process context. Takes kernfs's locks, and waits for readers and
 * writers of the files.
 */
void ballast_netsysfs_remove(struct ballast_reserve *res)
{
	if (res->grade_node) {
		spin_lock_bh(&grades_lock);
		list_del(&res->grade_entry);
		spin_unlock_bh(&grades_lock);
		sysfs_put(res->grade_node);
	}
	kobject_del(&res->kobj);
	kobject_put(&res->kobj);
}
