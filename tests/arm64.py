#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Cross-build ballast for Debian's arm64 kernel, and try it in an emulated machine.

Started by make arm64. The guest has a busybox and the module: it attaches a disk of a real
nbd-server, writes and reads it, swaps a little on it, detaches and unloads.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "vm"))

from rig import console, host, image, net  # noqa: E402
from rig.initrd import Archive  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.wait import until  # noqa: E402

SUITE = "bookworm"
SOURCES = ("include", "src/kernel", "Kbuild", "Makefile", "dkms.conf")
MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
           "failover", "net_failover", "virtio_net")
BOOT = 240      # seconds, at most: emulated, and on a machine that does other things

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in {modules}; do insmod /$module.ko; done
insmod /ballast.ko || echo FAILED insmod
ip link set lo up; ip link set eth0 up; ip addr add {guest}/24 dev eth0
check() {{ "$@" || echo "FAILED: $*"; }}
echo 'server={server}:{port} export=swap connections=2' > /sys/class/ballast/attach \\
    || echo FAILED attach
head -c 8000000 /dev/urandom > /tmp/data
check dd if=/tmp/data of=/dev/ballast0 bs=64k conv=fsync
echo 3 > /proc/sys/vm/drop_caches
head -c 8000000 /dev/ballast0 | check cmp - /tmp/data
check mkswap /dev/ballast0
check swapon /dev/ballast0
# A program that wants more than there is.
mount -t tmpfs -o size=300m tmpfs /tmp
check dd if=/dev/urandom of=/tmp/much bs=1M count=160
check md5sum /tmp/much > /tmp/sum
check md5sum -c /tmp/sum
echo "swapped: $(awk '/^pswp/ {{print $1, $2}}' /proc/vmstat | tr '\\n' ' ')"
cat /sys/class/net/eth0/ballast/estimate
rm /tmp/much
check swapoff /dev/ballast0
echo 1 > /sys/block/ballast0/ballast/detach || echo FAILED detach
check rmmod ballast
echo "arm64: $(uname -r) done"
poweroff -f
"""


def main():
    if "BALLAST_ARM64_WORK" in os.environ:
        return inside(Path(os.environ["BALLAST_ARM64_WORK"]))
    with tempfile.TemporaryDirectory(prefix="ballast-arm64-") as directory:
        work = Path(directory)
        host.say("arm64: packages")
        fetch(work)
        host.say("arm64: building")
        build(work)
        return subprocess.run([*host.private_network(), sys.executable, "-B", __file__],
                              check=False,
                              env={**os.environ, "BALLAST_ARM64_WORK": directory}).returncode


def fetch(work):
    """Debian's arm64 kernel, its headers and a busybox, unpacked below work/root."""
    state = work / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True)
    apt = ["-qq", "-o", "APT::Architecture=arm64", "-o", f"Dir::State::lists={state}/lists",
           "-o", f"Dir::Cache={state}/cache", "-o", "Dir::State::status=/dev/null",
           "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User="]
    subprocess.run(["apt-get", *apt, "update"], check=True)
    said = subprocess.run(["apt-cache", *apt[1:], "depends", "linux-headers-cloud-arm64"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    headers = re.search(r"Depends: (linux-headers-\S+)", said)[1]
    release = headers.removeprefix("linux-headers-")
    common = headers.replace("cloud-arm64", "common")
    subprocess.run(["apt-get", *apt, "download", headers, common, f"linux-image-{release}",
                    "busybox-static"], cwd=work, check=True)
    for deb in work.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, work / "root"], check=True)


def headers_of(work):
    return next((work / "root/usr/src").glob("linux-headers-*-arm64"))


def build(work):
    """ballast.ko, with a compiler that runs here and Debian's programs for it."""
    headers = headers_of(work)
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src", f"{work}/root/usr/src"))
    kbuild = next((image.get(SUITE).root / "usr/lib").glob("linux-kbuild-*"))
    (work / "root/usr/lib").mkdir(exist_ok=True)
    (work / "root/usr/lib" / kbuild.name).symlink_to(kbuild)
    module = work / "module"
    (module / "src").mkdir(parents=True)
    for source in SOURCES:
        subprocess.run(["cp", "-a", REPO / source, module / source], check=True)
    done = subprocess.run(["make", "-C", headers, f"M={module}", "ARCH=arm64",
                           "CROSS_COMPILE=aarch64-linux-gnu-", "W=1", "modules"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    warnings = re.findall(r"^.*(?:warning|error):.*$", done.stdout, re.M)
    if done.returncode or warnings:
        raise RuntimeError("\n".join(warnings) or done.stdout)
    subprocess.run(["aarch64-linux-gnu-strip", "--strip-debug", module / "ballast.ko"], check=True)


def inside(work):
    """In a network namespace of our own: boot it."""
    net.up()
    guest = net.Guest()
    root = work / "root"
    with NbdServer({"swap": 512 << 20}) as server:
        archive = Archive()
        archive.directory("dev")
        archive.character_device("dev/console", 5, 1)
        archive.file("bin/busybox", (root / "bin/busybox").read_bytes(), 0o755)
        for name in MODULES:
            # Some may be built in.
            for path in (root / "lib/modules").rglob(f"{name}.ko"):
                archive.file(f"{name}.ko", path.read_bytes())
        archive.file("ballast.ko", (work / "module/ballast.ko").read_bytes())
        archive.file("init", INIT.format(modules=" ".join(MODULES), guest=guest.address4,
                                         server=server.address, port=server.port).encode(), 0o755)
        (work / "initrd").write_bytes(archive.bytes())
        log = work / "console"
        with open(log, "wb") as output:
            machine = host.start([
                "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57", "-smp", "2", "-m", "192",
                "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio",
                "-kernel", next((root / "boot").glob("vmlinuz-*")), "-initrd", work / "initrd",
                "-append", "console=ttyAMA0 net.ifnames=0 panic=-1 cma=8M",
                "-netdev", f"tap,id=n,ifname={guest.taps[0]},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=n,romfile=,mac={net.mac(guest.n)}"],
                stdout=output, stderr=output)
        try:
            until(lambda: machine.poll() is not None, BOOT, "the arm64 guest to end")
        finally:
            machine.kill()
            machine.wait()
            guest.close()
            text = log.read_text(errors="replace").replace("\r", "")
    kept = host.logs() / "arm64"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(text)
    print("\n".join(line for line in text.splitlines()
                    if re.search("ballast|FAILED|swapped|arm64|OK", line)))
    print(f"its console: {kept}")
    alarms = console.ALARMS.findall(text)
    good = re.search(r"^arm64: \S+ done$", text, re.M) and "FAILED" not in text and not alarms
    print("arm64: passed" if good else "arm64: failed")
    return not good


if __name__ == "__main__":
    sys.exit(main())
