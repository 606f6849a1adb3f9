#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# dracut sources this repeatedly while it waits for devices. The hook for an online
# interface is not used, because not every network module of dracut runs it. Without
# a network an attempt fails at once.

if getarg rd.ballast= > /dev/null && [ ! -e /run/ballast-initramfs/done ]; then
	if /usr/lib/ballast/initramfs-attach once; then
		: > /run/ballast-initramfs/done
	fi
fi
