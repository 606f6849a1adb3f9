#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# dracut sources this again and again while it waits for devices. Not when an
# interface is online: not each of its network modules reports that. Without a
# network an attempt fails at once.

if getarg rd.ballast= > /dev/null && [ ! -e /run/ballast-initramfs/done ]; then
	if /usr/lib/ballast/initramfs-attach once; then
		: > /run/ballast-initramfs/done
	fi
fi
