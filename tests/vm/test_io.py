# SPDX-License-Identifier: GPL-2.0
"""What is written is what is read, over each server, address family and number of connections."""

import os
import re

import pytest

from rig import module, net, servers
from rig.disk import Disk

MIB = 1 << 20

SERVERS = {
    "nbd-server": lambda **where: servers.NbdServer(
        {"swap": 256 * MIB}, {"multithread": "true"}, **where),
    "nbdkit": lambda **where: servers.Nbdkit("memory", "256M", **where),
    "qemu-nbd": lambda **where: servers.QemuNbd(size=256 * MIB, **where),
}

VERIFY = ("fio --output-format=terse --name=verify --filename={path} --rw=randrw --bsrange=4k-1M "
          "--verify=crc32c --verify_fatal=1 --ioengine=libaio --iodepth=16 --direct=1 "
          "--numjobs=4 --size=16M --offset_increment=32M --group_reporting")


@pytest.fixture(scope="module")
def guest(module_vm):
    vm = module_vm(name="io", memory=768)
    module.load(vm)
    return vm


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("host", [net.HOST4, net.HOST6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("kind", SERVERS)
def test_fio_verifies(guest, kind, host, connections):
    with SERVERS[kind](address=host) as server:
        export = "" if kind == "nbdkit" else "swap"
        with Disk(guest, server, host, export=export, connections=connections) as disk:
            guest.run(VERIFY.format(path=disk.path), timeout=240)
            assert disk.file("ballast/state") == "live"
            assert disk.file("ballast/reconnects") == "0"
            assert disk.file("ballast/inflight") == "0"


@pytest.mark.parametrize("mask", ["--mask-handshake=0", "--no-sr"])
def test_servers_that_lack_options(guest, mask):
    """No fixed newstyle, so NBD_OPT_EXPORT_NAME; no structured replies."""
    with servers.Nbdkit("memory", "256M", options=[mask]) as server, Disk(guest, server) as disk:
        guest.run(VERIFY.format(path=disk.path), timeout=240)


def test_a_read_sends_one_packet(guest):
    """The next request carries the acknowledgment, which was a packet of its own: 2.0."""
    reads = 4000
    with SERVERS["nbdkit"]() as server, Disk(guest, server) as disk:
        before = _packets_sent(guest)
        guest.run(f"fio --name=reads --filename={disk.path} --rw=randread --bs=4k --direct=1 "
                  f"--ioengine=psync --number_ios={reads} --output-format=terse", timeout=120)
        sent = (_packets_sent(guest) - before) / reads
    assert 0.95 < sent < 1.5, f"{sent:.2f} packets sent for each read"


def _packets_sent(guest):
    return int(guest.run("cat /sys/class/net/eth0/statistics/tx_packets").output)


def _write_and_read(guest, disk, offset):
    guest.run(f"""
        head -c 65536 /dev/urandom > /tmp/data
        dd if=/tmp/data of={disk.path} bs=64k oflag=direct,seek_bytes seek={offset}
        dd if={disk.path} bs=64k iflag=direct,skip_bytes skip={offset} count=1 | cmp - /tmp/data
        """)


def test_large_export(guest):
    size = 16 << 40
    with servers.Nbdkit("memory", str(size)) as server, Disk(guest, server) as disk:
        assert guest.run(f"blockdev --getsize64 {disk.path}").output.strip() == str(size)
        _write_and_read(guest, disk, size - 65536)


def test_largest_export(guest):
    size = (1 << 63) - 512
    with servers.Nbdkit("pattern", str(size)) as server, Disk(guest, server) as disk:
        assert guest.run(f"cat {disk.sys}/size").output.strip() == str(size // 512)
        guest.run(f"dd if={disk.path} bs=4k count=1 iflag=direct of=/dev/null")


def test_readonly_export(guest):
    with servers.NbdServer(options={"readonly": "true"}) as server, \
            Disk(guest, server, export="swap") as disk:
        assert guest.run(f"blockdev --getro {disk.path}").output.strip() == "1"
        assert guest.run(f"dd if=/dev/zero of={disk.path} bs=4k count=1 oflag=direct",
                         check=False).status
        guest.run(f"dd if={disk.path} bs=4k count=1 iflag=direct of=/dev/null")


def test_readonly_option(guest):
    with servers.NbdServer() as server, \
            Disk(guest, server, export="swap", readonly=True) as disk:
        assert guest.run(f"blockdev --getro {disk.path}").output.strip() == "1"


def test_attributes(guest):
    """What the server says of blocks, caches and spinning is what the disk has."""
    with servers.Nbdkit("memory", "256M", "blocksize-minimum=1024", "blocksize-preferred=4096",
                        "blocksize-maximum=1M", filters=["blocksize-policy"]) as server, \
            Disk(guest, server) as disk:
        seen = {name: disk.file(f"queue/{name}") for name in
                ("logical_block_size", "physical_block_size", "max_hw_sectors_kb", "rotational",
                 "write_cache", "fua", "scheduler")}
        # A kernel before 5.14 can't be told to use none, only to have no other.
        assert seen.pop("scheduler") in ("[none] mq-deadline", "[none] mq-deadline kyber", "[none]")
        assert seen == {"logical_block_size": "1024", "physical_block_size": "4096",
                        "max_hw_sectors_kb": "1024", "rotational": "0",
                        "write_cache": "write back", "fua": "1"}


def test_every_request_reaches_the_server(guest, tmp_path):
    log = tmp_path / "log"
    with servers.Nbdkit("memory", "256M", f"logfile={log}", filters=["log"]) as server, \
            Disk(guest, server) as disk:
        guest.run(f"""
            blkdiscard -o 1M -l 1M {disk.path}
            blkdiscard -z -o 2M -l 1M {disk.path}
            dd if=/dev/urandom of={disk.path} bs=64k count=1 conv=fsync oflag=direct
            fio --name=fua --filename={disk.path} --rw=write --bs=4k --size=4k --direct=1 \
                --sync=dsync
            """)
    said = log.read_text()
    for wanted in (" Trim id=", " Zero id=", " Flush id=", "fua=1",
                   "offset=0x100000 count=0x100000"):
        assert wanted in said, f"{wanted!r} is not in\n{said}"


def test_discard_and_zeroes(guest):
    with servers.NbdServer({"swap": 64 * MIB}) as server, \
            Disk(guest, server, export="swap") as disk:
        guest.run(f"""
            tr '\\0' x < /dev/zero | head -c 4M > /tmp/data
            dd if=/tmp/data of={disk.path} bs=1M oflag=direct
            blkdiscard -o 0 -l 1M {disk.path}
            blkdiscard -z -o 1M -l 1M {disk.path}
            dd if={disk.path} bs=1M skip=1 count=1 iflag=direct | cmp - /dev/zero -n 1048576
            dd if={disk.path} bs=1M skip=2 count=2 iflag=direct | cmp - /tmp/data -n 2097152
            """)


def test_tracepoints(guest):
    """Each request and its answer, by the cookie that the server sees."""
    with SERVERS["nbd-server"]() as server, Disk(guest, server, export="swap") as disk:
        said = guest.run(f"""
            cd /sys/kernel/tracing
            echo > trace
            echo 1 > events/ballast/enable
            dd if=/dev/zero of={disk.path} bs=64k seek=3 count=1 oflag=direct status=none
            dd if={disk.path} of=/dev/null bs=4k skip=5 count=1 iflag=direct status=none
            echo 0 > events/ballast/enable
            grep ballast_rq trace""").output
    sent = dict(re.findall(r"ballast_rq_sent: .* cookie=(\w+) (.*)", said))
    answered = dict(re.findall(r"ballast_rq_answered: .* cookie=(\w+) (.*)", said))
    assert "write flags=0 offset=196608 length=65536" in sent.values(), said
    assert "read flags=0 offset=20480 length=4096" in sent.values(), said
    assert answered == {cookie: f"{request.split()[0]} error=0"
                        for cookie, request in sent.items()}, said


@pytest.mark.parametrize("fault, request_, message", [
    ("error-pread=EIO", "dd if={} of=/dev/null bs=4k count=1 iflag=direct", "Input/output error"),
    ("error-pwrite=ENOSPC", "dd if=/dev/zero of={} bs=4k count=1 oflag=direct",
     "No space left on device"),
    ("error-pwrite=EPERM", "dd if=/dev/zero of={} bs=4k count=1 oflag=direct",
     "Input/output error"),  # a block device has no closer one
])
def test_errors_come_back(guest, tmp_path, fault, request_, message):
    """A failed request is the matching error, and the next one works."""
    name, error = fault.split("=")
    trigger = tmp_path / "fail"
    trigger.touch()
    with servers.Nbdkit("memory", "16M", f"error={error}", f"{name}-rate=100%",
                        f"error-file={trigger}", filters=["error"]) as server:
        with Disk(guest, server) as disk:
            failed = guest.run("LC_ALL=C " + request_.format(disk.path), check=False)
            assert failed.status and message in failed.output
            trigger.unlink()
            guest.run(request_.format(disk.path))
            assert disk.file("ballast/reconnects") == "0"


def test_partitions(guest):
    with servers.NbdServer({"swap": 64 * MIB}) as server:
        with Disk(guest, server, export="swap") as disk:
            guest.run(f"""
                echo ',32M\n,' | sfdisk -q {disk.path}
                blockdev --rereadpt {disk.path}
                """)
        # Found again on the next attach.
        with Disk(guest, server, export="swap") as disk:
            assert guest.run(f"cat {disk.sys}/ballast0p1/size").output.strip() == "65536"
            guest.run("mke2fs -q /dev/ballast0p2")
            assert 'TYPE="ext2"' in guest.run("blkid -p /dev/ballast0p2").output
            assert "ballast0p1" in guest.run(f"lsblk {disk.path}").output


@pytest.mark.parametrize("fs, check", [("ext4", "e2fsck -fn"), ("xfs", "xfs_repair -n")])
def test_filesystem(guest, fs, check):
    with servers.NbdServer({"swap": 512 * MIB}) as server, \
            Disk(guest, server, export="swap") as disk:
        guest.run(f"""
            mkfs.{fs} -q {disk.path} && mkdir -p /mnt/fs &&
                mount -t {fs} {disk.path} /mnt/fs || exit
            cp -a /usr/bin/[a-m]* /mnt/fs
            (cd /mnt/fs && sha256sum * 2>/dev/null) > /tmp/sums
            head -c 40M /dev/urandom > /mnt/fs/.junk && sync && rm /mnt/fs/.junk
            fstrim -v /mnt/fs && umount /mnt/fs || exit
            {check} {disk.path} || exit
            mount -t {fs} -o ro {disk.path} /mnt/fs || exit
            (cd /mnt/fs && sha256sum --quiet -c /tmp/sums); status=$?
            umount /mnt/fs; exit $status
            """, timeout=300)


def test_stress_ng(guest):
    """Each of its I/O stressors in turn; what it reads back is checked (--verify).

    But io-uring, which asks for a file (statx) that is not there, on any filesystem.
    """
    seconds = 1 + int(os.environ.get("BALLAST_ROUNDS", "1"))
    with servers.NbdServer({"swap": 512 * MIB}) as server, \
            Disk(guest, server, export="swap") as disk:
        said = guest.run(f"""
            mkfs.ext4 -q {disk.path} && mkdir -p /mnt/fs && mount {disk.path} /mnt/fs || exit
            stress-ng --class io --sequential 2 -t {seconds} --verify --exclude io-uring \
                --temp-path /mnt/fs --hdd-bytes 64M --readahead-bytes 64M --revio-bytes 64M \
                --seek-size 64M --sync-file-bytes 64M --metrics-brief 2>&1
            status=$?; umount /mnt/fs && e2fsck -fn {disk.path} && exit $status
            """, timeout=60 * seconds).output
    ran = re.findall(r"\[\d+\] (\S+) +\d+ +\d+\.", said)
    print(*ran)
    assert {"aio", "hdd", "rawdev", "seek", "sync-file"} <= set(ran), said


# Debian's own rules make links for the drivers that they name.
RULE = b"""\
KERNEL=="ballast*", IMPORT{builtin}="blkid"
KERNEL=="ballast*", ENV{ID_FS_LABEL}=="?*", SYMLINK+="disk/by-label/$env{ID_FS_LABEL}"
"""

# udevadm settle does not wait for an event that udevd has not received yet.
UNTIL = "for i in $(seq 300); do test {} && exit; sleep 0.1; done; exit 1"


def test_udev_sees_a_disk(vm):
    guest = vm(name="udev", memory=512, udev=True)
    module.load(guest)
    guest.run("mkdir -p /run/udev/rules.d")
    guest.put("/run/udev/rules.d/99-test.rules", RULE)
    guest.run("udevadm control --reload")  # by itself it looks every 3 s only
    with servers.NbdServer({"swap": 64 * MIB}) as server:
        with Disk(guest, server, export="swap") as disk:
            guest.run(f"mkswap -L ballasted {disk.path}")
        with Disk(guest, server, export="swap") as disk:
            guest.run(UNTIL.format("-b /dev/disk/by-label/ballasted"), timeout=60)
            seen = guest.run(f"udevadm info {disk.path}").output
            for wanted in ("DEVTYPE=disk", "SUBSYSTEM=block", "ID_FS_TYPE=swap"):
                assert wanted in seen, seen
        guest.run(UNTIL.format("! -e /dev/disk/by-label/ballasted"), timeout=60)
