#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dracut module: what rd.ballast= on the kernel command line needs. Only on
# machines that say so, with a file /etc/ballast/initramfs, or with
# dracut --add ballast; see ballast.conf(5). The functions are dracut's to call.

# dracut's PATH lacks where "make install" puts it.
ballastctl() {
	PATH=$PATH:/usr/local/sbin type -P ballastctl
}

check() {
	[[ $(ballastctl) ]] || return 1
	[[ -e /etc/ballast/initramfs ]] || return 255
}

depends() {
	echo network
}

# Of every machine, and not only of this one: another may boot it.
installkernel() {
	hostonly='' instmods ballast =drivers/net/ethernet virtio_net
	# For encrypted swap; what a kernel has built in is no error.
	hostonly='' instmods dm_crypt aes_generic aesni_intel aes_arm64 xts
}

# shellcheck disable=SC2154 # moddir is dracut's
install() {
	inst_multiple mkswap mkdir sleep
	inst_multiple -o cryptsetup
	inst_binary "$(ballastctl)" /usr/sbin/ballastctl
	inst_script /usr/lib/ballast/initramfs-attach
	inst_hook cmdline 90 "$moddir/parse-ballast.sh"
	inst_hook initqueue/settled 90 "$moddir/attach-ballast.sh"
	dracut_need_initqueue
}
