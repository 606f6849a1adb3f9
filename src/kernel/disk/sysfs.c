// SPDX-License-Identifier: GPL-2.0
/*
 * A disk's directory of files; docs/sysfs.md describes each of them.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "sysfs.h"

#include <linux/capability.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <net/dst.h>

#include "compat.h"
#include "disk.h"
#include "objects.h"

static struct ballast_disk *to_disk(struct kobject *kobj)
{
	return container_of(kobj, struct ballast_disk, kobj);
}

static struct ballast_session *to_session(struct kobject *kobj)
{
	return &to_disk(kobj)->session;
}

static bool may_write(const struct ballast_session *session,
		      const struct kobj_attribute *attr)
{
	if (capable(CAP_SYS_ADMIN))
		return true;
	pr_err_ratelimited("%s: %s: needs CAP_SYS_ADMIN\n", session->name,
			   attr->attr.name);
	return false;
}

/* A link-local address is shown with its scope, as it was written. */
static ssize_t server_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct ballast_session *session = to_session(kobj);
	const struct ballast_target *target = &session->target;
	ssize_t len;

	spin_lock(&session->move.lock);
	if (strchr(target->host, '%'))
		len = sysfs_emit(buf, "[%s]:%u\n", target->host, target->port);
	else
		len = sysfs_emit(buf, "%pISpc\n", &target->addr);
	spin_unlock(&session->move.lock);
	return len;
}

static ssize_t export_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct ballast_session *session = to_session(kobj);
	ssize_t len;

	spin_lock(&session->move.lock);
	len = sysfs_emit(buf, "%s\n", session->target.export);
	spin_unlock(&session->move.lock);
	return len;
}

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct ballast_disk *disk = to_disk(kobj);
	const char *state = ballast_session_state(&disk->session);

	if (READ_ONCE(disk->detaching))
		state = "detaching";
	return sysfs_emit(buf, "%s\n", state);
}

static ssize_t reason_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct ballast_session *session = to_session(kobj);
	ssize_t len;

	spin_lock(&session->move.lock);
	len = sysfs_emit(buf, "%s\n", session->reason);
	spin_unlock(&session->move.lock);
	return len;
}

static ssize_t connections_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_session(kobj)->opts.connections);
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

/* Old connections over which the server may still execute writes. */
static ssize_t fences_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  ballast_fences_active(&to_session(kobj)->fences));
}

static ssize_t fences_held_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(to_session(kobj)->fences.nr_held));
}

static ssize_t fences_expired_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(to_session(kobj)->fences.expired));
}

static ssize_t reconnects_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_session(kobj)->reconnects));
}

static struct ballast_verify_stats verify_stats(struct kobject *kobj)
{
	struct ballast_verify_stats stats;

	ballast_verify_get_stats(to_session(kobj)->verify, &stats);
	return stats;
}

static ssize_t verify_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", verify_stats(kobj).state);
}

static ssize_t verified_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%lu\n", verify_stats(kobj).blocks);
}

static ssize_t verify_errors_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", verify_stats(kobj).errors);
}

/* The interface of the first connection that has a route; else empty. */
static ssize_t interface_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	struct dst_entry *dst = ballast_session_dst(to_session(kobj));
	ssize_t len;

	rcu_read_lock();
	len = sysfs_emit(buf, "%s\n", dst ? dst->dev->name : "");
	rcu_read_unlock();
	dst_release(dst);
	return len;
}

/* As in the attach string, one entry a line; empty if there is none. */
static ssize_t allow_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	const struct ballast_options *opts = &to_session(kobj)->opts;
	ssize_t len = 0;
	unsigned int i;

	for (i = 0; i < opts->nr_allow; i++) {
		len += ballast_demand_emit_allow(&opts->allow[i], buf, len);
		len += sysfs_emit_at(buf, len, "\n");
	}
	return len;
}

static ssize_t move_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t len)
{
	struct ballast_session *session = to_session(kobj);
	struct ballast_options opts;
	char why[BALLAST_WHY_LEN];
	char *string;
	int err;

	if (!may_write(session, attr))
		return -EPERM;
	string = ballast_sysfs_string(session->name, "move", buf, len);
	if (IS_ERR(string))
		return PTR_ERR(string);
	err = ballast_options_parse_move(string, len, &opts, why);
	if (err)
		pr_err("%s: move: %s\n", session->name, why);
	else
		err = ballast_move_request(session, &opts);
	kfree(string);
	return err ?: len;
}

static ssize_t detach_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t len)
{
	struct ballast_disk *disk = to_disk(kobj);
	struct kernfs_node *node;
	bool force;
	int err;

	if (!may_write(&disk->session, attr))
		return -EPERM;
	force = sysfs_streq(buf, "force");
	if (!force && !sysfs_streq(buf, "1")) {
		pr_err("%s: detach=%*pE: is neither 1 nor force\n",
		       disk->session.name,
		       (int)min_t(size_t, strcspn(buf, "\n"),
				  BALLAST_SYSFS_LOGGED),
		       buf);
		return -EINVAL;
	}

	/*
	 * The detach removes this file and must not wait for its writer. The
	 * kernel holds a reference on the directory, and so on the disk, until
	 * the write returns.
	 */
	node = sysfs_break_active_protection(kobj, &attr->attr);
	if (!node)
		return -ENODEV;
	err = ballast_disk_begin_detach(disk, force);
	if (!err) {
		if (force)
			ballast_session_abort(&disk->session);
		ballast_sysfs_remove(disk);
		ballast_disk_end(disk, force);
		pr_info("%s: detached\n", disk->session.name);
		module_put(THIS_MODULE);
	}
	sysfs_unbreak_active_protection(node);
	return err ?: len;
}

static struct kobj_attribute server_attr =
	BALLAST_ATTR(BALLAST_FILE_SERVER, 0444, server_show, NULL);
static struct kobj_attribute export_attr =
	BALLAST_ATTR(BALLAST_FILE_EXPORT, 0444, export_show, NULL);
static struct kobj_attribute state_attr =
	BALLAST_ATTR(BALLAST_FILE_STATE, 0444, state_show, NULL);
static struct kobj_attribute reason_attr =
	BALLAST_ATTR(BALLAST_FILE_REASON, 0444, reason_show, NULL);
static struct kobj_attribute connections_attr =
	BALLAST_ATTR(BALLAST_FILE_CONNECTIONS, 0444, connections_show, NULL);
static struct kobj_attribute inflight_attr =
	BALLAST_ATTR(BALLAST_FILE_INFLIGHT, 0444, inflight_show, NULL);
static struct kobj_attribute reconnects_attr =
	BALLAST_ATTR(BALLAST_FILE_RECONNECTS, 0444, reconnects_show, NULL);
static struct kobj_attribute fences_attr =
	BALLAST_ATTR(BALLAST_FILE_FENCES, 0444, fences_show, NULL);
static struct kobj_attribute fences_held_attr =
	BALLAST_ATTR(BALLAST_FILE_FENCES_HELD, 0444, fences_held_show, NULL);
static struct kobj_attribute fences_expired_attr =
	BALLAST_ATTR(BALLAST_FILE_FENCES_EXPIRED, 0444, fences_expired_show,
		     NULL);
static struct kobj_attribute interface_attr =
	BALLAST_ATTR(BALLAST_FILE_INTERFACE, 0444, interface_show, NULL);
static struct kobj_attribute allow_attr =
	BALLAST_ATTR(BALLAST_FILE_ALLOW, 0444, allow_show, NULL);
static struct kobj_attribute verify_attr =
	BALLAST_ATTR(BALLAST_FILE_VERIFY, 0444, verify_show, NULL);
static struct kobj_attribute verified_attr =
	BALLAST_ATTR(BALLAST_FILE_VERIFIED, 0444, verified_show, NULL);
static struct kobj_attribute verify_errors_attr =
	BALLAST_ATTR(BALLAST_FILE_VERIFY_ERRORS, 0444, verify_errors_show,
		     NULL);
static struct kobj_attribute move_attr =
	BALLAST_ATTR(BALLAST_FILE_MOVE, 0200, NULL, move_store);
static struct kobj_attribute detach_attr =
	BALLAST_ATTR(BALLAST_FILE_DETACH, 0200, NULL, detach_store);

static struct attribute *disk_attrs[] = {
	&server_attr.attr,	   &export_attr.attr,
	&state_attr.attr,	   &connections_attr.attr,
	&inflight_attr.attr,	   &reconnects_attr.attr,
	&fences_attr.attr,	   &fences_held_attr.attr,
	&fences_expired_attr.attr, &interface_attr.attr,
	&allow_attr.attr,	   &verify_attr.attr,
	&verified_attr.attr,	   &verify_errors_attr.attr,
	&reason_attr.attr,	   &move_attr.attr,
	&detach_attr.attr,	   NULL,
};
ATTRIBUTE_GROUPS(disk);

static const char *const disk_nodes[BALLAST_NR_NODES] = {
	BALLAST_FILE_STATE,
	BALLAST_FILE_VERIFY,
	BALLAST_FILE_RECONNECTS,
};

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
 * ballast_sysfs_add - create the directory
 * @disk: added to the block layer
 *
 * It is a kobject's directory and not an attribute group: only there can an
 * attribute remove itself.
 *
 * Context: process; takes kernfs's locks
 * Return: 0 or an errno
 */
int ballast_sysfs_add(struct ballast_disk *disk)
{
	unsigned int i;
	int err;

	kref_get(&disk->ref); /* dropped in disk_kobj_release() */
	err = compat_kobject_init_and_add(&disk->kobj, &disk_ktype,
					  &disk_to_dev(disk->gd)->kobj,
					  "ballast");
	/* kobject_del() would warn: there is no directory. */
	if (err) {
		kobject_put(&disk->kobj);
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(disk_nodes); i++)
		disk->nodes[i] = sysfs_get_dirent(disk->kobj.sd, disk_nodes[i]);
	/*
	 * Publishes the nodes, and allows a detach; pairs with
	 * ballast_sysfs_notify() and ballast_disk_begin_detach().
	 */
	smp_store_release(&disk->has_files, true);
	return 0;
}

/**
 * ballast_sysfs_string - copy a string that was written to a file
 * @disk: name of the disk, for the log; NULL: none
 * @file: name of the file, for the log
 * @buf: the string; sysfs splits a longer one after a page
 * @len: its length in bytes
 *
 * Context: process; waits for memory
 * Return: a string, for kfree(), or an ERR_PTR
 */
char *ballast_sysfs_string(const char *disk, const char *file, const char *buf,
			   size_t len)
{
	char *string;

	if (len >= PAGE_SIZE) {
		pr_err("%s%s%s: the string is longer than %lu bytes\n",
		       disk ?: "", disk ? ": " : "", file, PAGE_SIZE - 1);
		return ERR_PTR(-E2BIG);
	}
	string = kmemdup_nul(buf, len, GFP_KERNEL);
	return string ?: ERR_PTR(-ENOMEM);
}

/**
 * ballast_sysfs_notify - wake pollers of the directory's files
 * @disk: the disk
 *
 * Context: any; does not sleep, unlike sysfs_notify(), which takes kernfs's
 * locks
 */
void ballast_sysfs_notify(struct ballast_disk *disk)
{
	unsigned int i;

	/* Pairs with ballast_sysfs_add(). */
	if (!smp_load_acquire(&disk->has_files))
		return;
	for (i = 0; i < ARRAY_SIZE(disk->nodes); i++)
		if (disk->nodes[i])
			sysfs_notify_dirent(disk->nodes[i]);
}

/* Free the nodes, after the session's thread has ended. */
void ballast_sysfs_free(struct ballast_disk *disk)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(disk->nodes); i++)
		sysfs_put(disk->nodes[i]);
}

/* Remove the directory, and wait until none of its files is in use. */
void ballast_sysfs_remove(struct ballast_disk *disk)
{
	ballast_sysfs_notify(disk);
	WRITE_ONCE(disk->has_files, false);
	kobject_del(&disk->kobj);
	kobject_put(&disk->kobj);
}
