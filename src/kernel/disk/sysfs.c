// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's directory of files; docs/sysfs.md describes each of them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "sysfs.h"

#include <linux/capability.h>
#include <linux/sysfs.h>
#include <net/dst.h>
#include <net/sock.h>

#include "compat.h"
#include "disk.h"

static struct ballast_disk *to_disk(struct kobject *kobj)
{
	return container_of(kobj, struct ballast_disk, kobj);
}

static ssize_t server_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%pISpc\n", &to_disk(kobj)->addr);
}

static ssize_t export_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", to_disk(kobj)->opts.export);
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct ballast_disk *disk = to_disk(kobj);
	const char *state = "live";
	unsigned int i;

	for (i = 0; i < disk->opts.connections; i++)
		if (!ballast_link_live(&disk->links[i]))
			state = "reconnecting";
	if (READ_ONCE(disk->expired))
		state = "failed";
	if (READ_ONCE(disk->detaching))
		state = "detaching";
	return sysfs_emit(buf, "%s\n", state);
}

static ssize_t connections_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_disk(kobj)->opts.connections);
}

static bool count_request(struct request *rq, void *data)
{
	unsigned int *inflight = data;

	(*inflight)++;
	return true;
}

COMPAT_BUSY_ITER(count_request)

static ssize_t inflight_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	unsigned int inflight = 0;

	blk_mq_tagset_busy_iter(&to_disk(kobj)->set,
				COMPAT_REQUEST_FN(count_request), &inflight);
	return sysfs_emit(buf, "%u\n", inflight);
}

static ssize_t reconnects_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_disk(kobj)->reconnects));
}

/* Of the first connection that has a route; empty where none has. */
static ssize_t interface_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct ballast_disk *disk = to_disk(kobj);
	struct dst_entry *dst = NULL;
	unsigned int i;
	ssize_t len;

	rcu_read_lock();
	for (i = 0; i < disk->opts.connections && !dst; i++) {
		struct sock *sk = READ_ONCE(disk->links[i].sk);

		if (sk)
			dst = sk_dst_get(sk);
	}
	len = sysfs_emit(buf, "%s\n", dst ? dst->dev->name : "");
	rcu_read_unlock();
	dst_release(dst);
	return len;
}

static ssize_t detach_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t len)
{
	struct ballast_disk *disk = to_disk(kobj);
	struct kernfs_node *node;
	bool force;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	force = sysfs_streq(buf, "force");
	if (!force && !sysfs_streq(buf, "1")) {
		pr_err("ballast%d: detach: takes 1 or force\n", disk->index);
		return -EINVAL;
	}

	/*
	 * This very file goes; its removal must not wait for its writer. The
	 * directory, and with it the disk, is referred to until the end.
	 */
	node = sysfs_break_active_protection(kobj, &attr->attr);
	if (!node)
		return -ENODEV;
	err = ballast_disk_detach(disk, force);
	sysfs_unbreak_active_protection(node);
	return err ?: len;
}

static struct kobj_attribute server_attr = __ATTR_RO(server);
static struct kobj_attribute export_attr = __ATTR_RO(export);
static struct kobj_attribute state_attr = __ATTR_RO(state);
static struct kobj_attribute connections_attr = __ATTR_RO(connections);
static struct kobj_attribute inflight_attr = __ATTR_RO(inflight);
static struct kobj_attribute reconnects_attr = __ATTR_RO(reconnects);
static struct kobj_attribute interface_attr = __ATTR_RO(interface);
static struct kobj_attribute detach_attr = __ATTR_WO(detach);

static struct attribute *disk_attrs[] = {
	&server_attr.attr,
	&export_attr.attr,
	&state_attr.attr,
	&connections_attr.attr,
	&inflight_attr.attr,
	&reconnects_attr.attr,
	&interface_attr.attr,
	&detach_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(disk);

static void disk_kobj_release(struct kobject *kobj)
{
	ballast_disk_put(to_disk(kobj));
}

static const struct kobj_type disk_ktype = {
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = disk_groups,
	.release = disk_kobj_release,
};

/**
 * ballast_sysfs_add - make the directory
 * @disk: known to the block layer
 *
 * A directory of its own and not an attribute group: sysfs can only let an
 * attribute remove itself that lies in a kobject's directory.
 *
 * Return: 0 or an errno
 */
int ballast_sysfs_add(struct ballast_disk *disk)
{
	int err;

	kref_get(&disk->ref); /* dropped in disk_kobj_release() */
	err = kobject_init_and_add(&disk->kobj, &disk_ktype,
				   &disk_to_dev(disk->gd)->kobj, "ballast");
	/* Not kobject_del(), which warns of a directory that is not there. */
	if (err)
		kobject_put(&disk->kobj);
	return err;
}

/* Remove the directory; no file of it is being read afterwards. */
void ballast_sysfs_remove(struct ballast_disk *disk)
{
	kobject_del(&disk->kobj);
	kobject_put(&disk->kobj);
}
