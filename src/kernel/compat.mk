# SPDX-License-Identifier: GPL-2.0
#
# Checks the kernel's headers for interfaces, for compat.h: distributions such
# as RHEL 9 backport interfaces to an older version. compat.h checks the version
# only for changes that no header shows.

# $(call have,NAME,EXPRESSION,HEADER...): -DCOMPAT_HAVE_NAME if a line matches. Dots
# stand for commas and parentheses, which make would interpret.
have = $(if $(shell cat $(addprefix $(srctree)/include/,$(3)) 2>/dev/null | \
	grep -E '$(2)'),-DCOMPAT_HAVE_$(1))

ccflags-y += $(call have,SOCKADDR_UNSIZED,^struct sockaddr_unsized,linux/socket.h)
ccflags-y += $(call have,UNALIGNED,put_unaligned,linux/unaligned.h)
ccflags-y += $(call have,NETDEV_LOCK_OPS,netdev_lock_ops.struct,net/netdev_lock.h)
ccflags-y += $(call have,SHOULD_MERGE,BLK_MQ_F_SHOULD_MERGE,linux/blk-mq.h)
ccflags-y += $(call have,NO_SCHED_BY_DEFAULT,BLK_MQ_F_NO_SCHED_BY_DEFAULT,linux/blk-mq.h)
ccflags-y += $(call have,RESERVED_ARG,busy_tag_iter_fn..struct request .*bool.;,linux/blk-mq.h)
ccflags-y += $(call have,RQ_DISK,struct gendisk \*rq_disk,linux/blkdev.h linux/blk-mq.h)
ccflags-y += $(call have,CLEANUP_QUEUE,blk_cleanup_queue.struct,linux/blkdev.h)
ccflags-y += $(call have,ADD_DISK_ERROR,^int .*device_add_disk.,linux/genhd.h linux/blkdev.h)
ccflags-y += $(call have,OPEN_DISK,\*open. ?.struct gendisk,linux/blkdev.h)
ccflags-y += $(call have,LIMITS_ARG,define blk_mq_alloc_disk.set. lim.,linux/blk-mq.h)
ccflags-y += $(call have,LIMITS_FEATURES,BLK_FEAT_WRITE_CACHE,linux/blkdev.h)
ccflags-y += $(call have,CONST_CLASS,\*show..const struct class ,linux/device/class.h)
ccflags-y += $(call have,KERNEL_RINGPARAM,^struct kernel_ethtool_ringparam,linux/ethtool.h)
ccflags-y += $(call have,RESERVED_MEM,sk_reserved_mem;,net/sock.h)
ccflags-y += $(call have,FW_ALLOC,per_cpu_fw_alloc;,net/sock.h)
ccflags-y += $(call have,BYPASS_PROT_MEM,skc_bypass_prot_mem:1,net/sock.h)
ccflags-y += $(call have,TASK_FRAG,sk_use_task_frag,net/sock.h)
ccflags-y += $(call have,SENDPAGE,tcp_sendpage_locked.struct,net/tcp.h)
