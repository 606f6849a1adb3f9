#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut module: copies what rd.ballast= on the kernel command line needs. Only on
# machines with a file /etc/ballast/initramfs, or with dracut --add ballast; see
# ballast.conf(5). dracut calls the functions. BALLAST_ROOT is for tests.

# dracut's PATH lacks the directory that "make install" uses.
ballastctl() {
	PATH=$PATH:/usr/local/sbin type -P ballastctl
}

check() {
	[[ $(ballastctl) ]] || return 1
	[[ -e /etc/ballast/initramfs ]] || return 255
}

# For encrypted swap: cryptsetup waits for udev rules, which dracut's module dm
# installs.
depends() {
	echo network
	! type -P cryptsetup > /dev/null || echo dm
}

# All network drivers, not only this machine's: another machine may boot this
# initramfs.
installkernel() {
	hostonly='' instmods ballast =drivers/net/ethernet virtio_net
	# For encrypted swap; instmods accepts modules that are built into the kernel.
	hostonly='' instmods dm_crypt aes_generic aesni_intel aes_arm64 xts
}

# shellcheck disable=SC2154 # dracut sets moddir and kernel_cmdline
install() {
	local warning

	inst_multiple mkswap mkdir sleep
	if type -P cryptsetup > /dev/null; then
		inst_multiple cryptsetup
		inst_rules 09-ballast-crypt.rules
	else
		warning=$("${BALLAST_ROOT-}"/usr/lib/ballast/initramfs-warning "$kernel_cmdline")
		[[ -z $warning ]] || dwarn "ballast: $warning"
	fi
	inst_binary "$(ballastctl)" /usr/sbin/ballastctl
	inst_script /usr/lib/ballast/initramfs-attach
	inst_hook cmdline 90 "$moddir/parse-ballast.sh"
	inst_hook initqueue/settled 90 "$moddir/attach-ballast.sh"
	dracut_need_initqueue
}
