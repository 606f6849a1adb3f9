# SPDX-License-Identifier: GPL-2.0
"""Guest images: a Debian root with a kernel, as a directory and as a disk.

The directory is also where modules for that kernel are built: it has the
kernel's own headers and compiler. Everything is cached under a name that says
what it was made from, and appears under that name only once it is whole.

As a program: image.py SUITE FLAVOUR [VARIANT] makes the image if it is not there.
"""

import fcntl
import hashlib
import lzma
import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import host  # noqa: E402

SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports",
          "forky", "sid", "debug")
FLAVOURS = ("cloud-amd64", "amd64")

USERLAND = """
    busybox-static cryptsetup-bin e2fsprogs ethtool fdisk fio iperf3 iproute2 iputils-ping kmod
    mdadm nbd-client nftables nvme-cli procps python3-minimal socat stress-ng udev util-linux
    xfsprogs
""".split()
TOOLCHAIN = "gcc make sparse".split()

# What else an image may have: "systemd" is a machine as an administrator has it,
# "desktop" one that has its network from where desktops have it, "dracut" one whose
# initramfs dracut makes, with LVM and dm-crypt, "secureboot" one with firmware that wants
# signatures. Two can't be booted: "build" has nothing but what a module is built with, and
# "emulator" is a newer QEMU (see rig/emulator.py).
SYSTEMD = "dbus dkms initramfs-tools openssl systemd-sysv".split()
VARIANTS = {
    "": [],
    "systemd": SYSTEMD,
    "desktop": [*SYSTEMD, "ifupdown", "network-manager"],
    "dracut": """cryptsetup-bin dbus dkms dmsetup dracut dracut-network isc-dhcp-client
        lvm2 openssl systemd-sysv""".split(),
    "secureboot": [*SYSTEMD, "grub-efi-amd64-signed", "mokutil", "ovmf", "shim-signed"],
    "build": [],
    "emulator": "qemu-system-x86 qemu-system-common qemu-system-data seabios".split(),
}
SPLIT_OFF = {"dracut": ["systemd-cryptsetup"]}  # part of systemd up to Debian 12
NOT_BOOTED = ("build", "emulator")
EMULATORS = ("bookworm",)   # releases whose backports have a QEMU for the machine's own libraries

# Guests need no manuals, and Debian's initramfs is slow to make and unused.
EXCLUDE = """
    /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/share/info/*
    /etc/kernel/postinst.d/initramfs-tools
""".split()
SLACK_MIB = 1024  # free space on the guest's disk
KEEP_SECONDS = 24 * 3600  # an image that another checkout uses
VERSION = 2       # increment it when the way images are made changes: all are rebuilt

# The suite "debug" is bookworm with a kernel built before; if there is none, it is built here.
DEBUG_KERNEL = host.REPO.parent / "shared" / "debug-kernel"


@dataclass(frozen=True)
class Image:
    suite: str
    flavour: str
    path: Path
    variant: str = ""

    @property
    def name(self):
        """What images of the same kind have in common."""
        return "-".join(filter(None, (self.variant, self.suite, self.flavour)))

    @property
    def root(self):
        return self.path / "root"

    @property
    def disk(self):
        return self.path / "disk.ext4"

    @property
    def packed_kernel(self):
        return next((self.root / "boot").glob("vmlinuz-*"))

    @property
    def kernel(self):
        """What to boot."""
        unpacked = self.path / "vmlinux"
        return unpacked if unpacked.exists() else self.packed_kernel

    @property
    def release(self):
        return next((self.root / "lib/modules").iterdir()).name


def get(suite="bookworm", flavour="cloud-amd64", variant=""):
    """The image, made first if need be."""
    image = describe(suite, flavour, variant)
    if image.path.exists():
        os.utime(image.path)  # see remove_older()
    else:
        host.outside(["/usr/bin/python3", "-B", __file__, suite, flavour, variant])
    return image


def describe(suite, flavour, variant=""):
    """Where the image is or would be."""
    if suite not in SUITES or flavour not in FLAVOURS or variant not in VARIANTS:
        raise ValueError(f"no such image: {suite} {flavour} {variant}")
    if suite == "debug":
        flavour = "amd64"
    # Wherever they lie: who tries a second clone need not make the image again.
    debs = [(Path(deb).name, Path(deb).stat().st_size) for deb in _debs(suite)]
    made_from = repr((VERSION, _packages(suite, flavour, variant), debs, EXCLUDE, SLACK_MIB))
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    kind = Image(suite, flavour, None, variant).name
    return Image(suite, flavour, host.cache() / "images" / f"{kind}-{digest}", variant)


def _debs(suite):
    if suite != "debug":
        return []
    debs = sorted(str(path) for path in DEBUG_KERNEL.glob("*.deb"))
    if debs:
        return debs
    built = host.cache() / "debug-kernel"
    if not list(built.glob("*.deb")):
        host.say("building the debug kernel (half an hour or more, only once)")
        host.outside([host.REPO / "scripts" / "debug-kernel", built])
    return sorted(str(path) for path in built.glob("*.deb"))


def _packages(suite, flavour, variant):
    release = f"/{suite}" if suite.endswith("-backports") else ""
    if variant == "emulator":
        return [package + release for package in VARIANTS[variant]]
    build = variant == "build"
    packages = TOOLCHAIN if build else USERLAND + TOOLCHAIN + VARIANTS[variant]
    if suite.split("-")[0] not in ("bullseye", "bookworm", "debug"):
        packages = packages + SPLIT_OFF.get(variant, [])
    if suite == "debug":
        return packages + ["libelf1"]  # its objtool wants it
    parts = ["headers"] if build else ["image", "headers"]
    return packages + [f"linux-{part}-{flavour}{release}" for part in parts]


def _bootstrap(image, root):
    """Fill root with Debian; packages come from mmdebstrap's default mirror."""
    base = "bookworm" if image.suite == "debug" else image.suite.removesuffix("-backports")
    kind = "extract" if image.variant == "emulator" else "minbase"
    argv = ["mmdebstrap", "--verbose", "--mode=root", f"--variant={kind}", "--format=directory",
            f"--include={','.join(_packages(image.suite, image.flavour, image.variant))}",
            # A mirror may be a snapshot of some time ago; its signatures still count.
            '--aptopt=Acquire::Check-Valid-Until "false"',
            *(f"--dpkgopt=path-exclude={glob}" for glob in EXCLUDE)]
    if image.suite.endswith("-backports"):
        # The same mirror again: only the suite's name differs.
        argv.append(f'--setup-hook=sed -n "s/^\\(deb .*\\) {base} main/\\1 {image.suite} main/p" '
                    '"$1/etc/apt/sources.list" > "$1/etc/apt/sources.list.d/backports.list"')
    if base == "bullseye":
        # No longer kept up: its security archive lists packages that it has not got.
        argv.append("--setup-hook=sed -i /-security/d $1/etc/apt/sources.list")
    argv += [base, str(root)]
    if os.environ.get("BALLAST_MIRROR"):
        argv.append(os.environ["BALLAST_MIRROR"])
    log = root.parent / "log"
    with open(log, "w") as output:
        done = subprocess.run(host.in_namespace(["unshare", "--mount", "--", *argv]),
                              stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap failed; the end of {log}:\n"
                           + "\n".join(log.read_text(errors="replace").splitlines()[-20:]))
    for deb in _debs(image.suite):
        # Not straight into the root: there /lib is a symbolic link.
        unpacked = root.parent / "deb"
        _run(["dpkg", "-x", deb, str(unpacked)])
        if (unpacked / "lib").exists():
            _run(["cp", "-a", f"{unpacked}/lib/.", f"{root}/usr/lib/"])
            shutil.rmtree(unpacked / "lib")
        _run(["cp", "-a", f"{unpacked}/.", f"{root}/"])
        shutil.rmtree(unpacked)


def make_disk(root, disk):
    usage = subprocess.run(host.in_namespace(["du", "-sm", str(root)]), check=True,
                           stdout=subprocess.PIPE, text=True).stdout
    size = int(usage.split()[0]) * 5 // 4 + SLACK_MIB
    disk.touch()
    # No journal: the disk is thrown away when the guest ends.
    _run(host.in_namespace(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", str(root),
                            str(disk), f"{size}M"]))


def remove_older(image):
    """Images of this kind that were made from another list, and were not used for a day."""
    for path in image.path.parent.glob(f"{image.name}-*"):
        old = path.is_dir() and path.stat().st_mtime < time.time() - KEEP_SECONDS
        if old and path != image.path:
            _run(host.in_namespace(["rm", "-rf", str(path)]))


def _unpack_kernel(packed, unpacked):
    """Unpack a kernel that the guest would take seconds to unpack: XZ is slow under TCG.

    QEMU boots the ELF file by its PVH entry. Where the payload is: the kernel's
    Documentation/arch/x86/boot.rst.
    """
    data = packed.read_bytes()
    offset, size = struct.unpack_from("<II", data, 0x248)
    begin = (data[0x1f1] + 1) * 512 + offset
    payload = data[begin:begin + size - 4]  # behind it is the unpacked size
    if payload.startswith(b"\xfd7zXZ"):
        unpacked.write_bytes(lzma.decompress(payload))


def _run(argv):
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=sys.__stderr__)


def make(image):
    """Make the image, or wait for the process that is making it."""
    image.path.parent.mkdir(parents=True, exist_ok=True)
    work = image.path.with_suffix(".part")
    with open(image.path.with_name(f"{image.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            host.say(f"waiting for another run to make {image.path.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if image.path.exists():
            return
        _run(host.in_namespace(["rm", "-rf", str(work)]))
        work.mkdir()
        began = time.monotonic()
        part = Image(image.suite, image.flavour, work, image.variant)
        host.say(f"making the {image.name} image (some minutes, only once): packages")
        _bootstrap(image, part.root)
        if image.variant not in NOT_BOOTED:
            host.say("... the guest's disk")
            make_disk(part.root, part.disk)
            _unpack_kernel(part.packed_kernel, part.path / "vmlinux")
        work.rename(image.path)
        remove_older(image)
        host.say(f"{image.path.name} made in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    make(describe(*sys.argv[1:]))
