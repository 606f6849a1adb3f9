// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/ballast/: writing attach creates a disk, reading it prints the
 * options; guard protects an interface for the disks of other drivers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "attach.h"

#include <linux/capability.h>
#include <linux/device/class.h>
#include <linux/err.h>
#include <linux/if.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "disk.h"
#include "options.h"
#include "reserve/guard.h"
#include "sysfs.h"

static ssize_t attach_show(const struct class *class,
			   const struct class_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", ballast_options_usage);
}

static int attach(const struct ballast_options *opts)
{
	struct ballast_disk *disk = ballast_disk_attach(opts);
	struct ballast_session *session;
	int err;

	if (IS_ERR(disk))
		return PTR_ERR(disk);
	session = &disk->session;
	/* Another process may detach the disk once its files are there. */
	kref_get(&disk->ref);
	err = ballast_sysfs_add(disk);
	if (err) {
		pr_err("%s: creating its files in sysfs failed (error %d)\n",
		       session->name, err);
		ballast_disk_end(disk, false);
		ballast_disk_put(disk);
		return err;
	}
	/* Another process may move it as well. */
	spin_lock(&session->move.lock);
	pr_info("%s: attached to %pISpc, export \"%s\", %llu bytes, %u connection%s\n",
		session->name, &session->target.addr, session->target.export,
		session->export.size, session->opts.connections,
		session->opts.connections == 1 ? "" : "s");
	spin_unlock(&session->move.lock);
	ballast_disk_put(disk);
	return 0;
}

static ssize_t attach_store(const struct class *class,
			    const struct class_attribute *attr,
			    const char *buf, size_t len)
{
	struct ballast_options opts;
	char why[BALLAST_WHY_LEN];
	char *string;
	int err;

	if (!capable(CAP_SYS_ADMIN)) {
		pr_err_ratelimited("attach: needs CAP_SYS_ADMIN\n");
		return -EPERM;
	}
	string = ballast_sysfs_string(NULL, "attach", buf, len);
	if (IS_ERR(string))
		return PTR_ERR(string);
	err = ballast_options_parse(string, len, &opts, why);
	if (err) {
		pr_err("attach: %s\n", why);
	} else if (!try_module_get(THIS_MODULE)) {
		err = -ENODEV;
	} else {
		/* The disk holds the module until its detach. */
		err = attach(&opts);
		if (err)
			module_put(THIS_MODULE);
	}
	kfree(string);
	return err ?: len;
}

static COMPAT_CLASS_ATTR_RW(attach);

static ssize_t guard_show(const struct class *class,
			  const struct class_attribute *attr, char *buf)
{
	return ballast_guard_list(buf);
}

/* "NAME [OPTION=VALUE ...]" or "-NAME" */
static int write_guard(char *string, size_t len)
{
	struct ballast_options opts;
	char why[BALLAST_WHY_LEN];
	size_t n = strcspn(string, " \t\n");
	char *rest = string + n;
	bool replace;
	int err;

	len -= n;
	if (*rest) {
		*rest++ = '\0';
		len--;
	}
	if (*string == '-')
		n--;
	if (!n || n >= IFNAMSIZ) {
		pr_err("guard: \"%*pE\" is not the name of an interface; write NAME, or -NAME to end a guard\n",
		       (int)min_t(size_t, strlen(string), BALLAST_SYSFS_LOGGED),
		       string);
		return -EINVAL;
	}
	if (*string != '-') {
		/* Any option, even if its value is the default. */
		replace = *skip_spaces(rest);
		err = ballast_options_parse_guard(rest, len, &opts, why);
		if (!err)
			return ballast_guard_begin(string, &opts, replace);
		pr_err("guard: %s: %s\n", string, why);
		return err;
	}
	if (*skip_spaces(rest)) {
		pr_err("guard: %s: takes no option\n", string);
		return -EINVAL;
	}
	return ballast_guard_end(string + 1);
}

static ssize_t guard_store(const struct class *class,
			   const struct class_attribute *attr, const char *buf,
			   size_t len)
{
	char *string;
	int err;

	if (!capable(CAP_NET_ADMIN)) {
		pr_err_ratelimited("guard: needs CAP_NET_ADMIN\n");
		return -EPERM;
	}
	string = ballast_sysfs_string(NULL, "guard", buf, len);
	if (IS_ERR(string))
		return PTR_ERR(string);
	err = write_guard(string, len);
	kfree(string);
	return err ?: len;
}

static COMPAT_CLASS_ATTR_RW(guard);

static struct attribute *ballast_class_attrs[] = {
	&class_attr_attach.attr,
	&class_attr_guard.attr,
	NULL,
};
ATTRIBUTE_GROUPS(ballast_class);

static struct class ballast_class = {
	.name = "ballast",
	.class_groups = ballast_class_groups,
};

int ballast_attach_init(void)
{
	return class_register(&ballast_class);
}

void ballast_attach_exit(void)
{
	class_unregister(&ballast_class);
}
