#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# dracut sources this when it parses the kernel command line: rd.ballast= needs the
# network, and the root waits for the attach.

if getarg rd.ballast= > /dev/null; then
	echo rd.neednet=1 > /etc/cmdline.d/90-ballast.conf
	# shellcheck disable=SC2154 # dracut sets hookdir
	echo '[ -e /run/ballast-initramfs/done ]' > "$hookdir/initqueue/finished/ballast.sh"
fi
