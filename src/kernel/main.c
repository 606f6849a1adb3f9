// SPDX-License-Identifier: GPL-2.0
/*
 * Loads and unloads the module.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "disk/attach.h"
#include "disk/disk.h"
#include "reserve/guard.h"
#include "objects.h"
#include "reserve/path.h"
#include "reserve/reserve.h"

static int __init ballast_init(void)
{
	int err = ballast_path_init();

	if (err)
		return err;
	err = ballast_reserve_init();
	if (err)
		goto path;
	err = ballast_guard_init();
	if (err)
		goto reserve;
	err = ballast_attach_init();
	if (err)
		goto guard;
	return 0;

guard:
	ballast_guard_exit();
reserve:
	ballast_reserve_exit();
path:
	ballast_path_exit();
	return err;
}

static void __exit ballast_exit(void)
{
	ballast_attach_exit();
	ballast_guard_exit();
	ballast_reserve_exit();
	ballast_path_exit();
	ballast_objects_wait();
	ballast_disk_exit();
	/*
	 * The last writer of a detach file has put the module in its code, and
	 * may not have returned from it yet.
	 */
	synchronize_rcu_tasks();
}

module_init(ballast_init);
module_exit(ballast_exit);

MODULE_DESCRIPTION("Network block device to swap to without locking up");
MODULE_AUTHOR("The ballast authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(BALLAST_VERSION);
