# SPDX-License-Identifier: GPL-2.0
"""The disks that a storm is let loose on: how each is attached in the guest."""

import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import peers
from rig import ctl, net
from rig.disk import Disk
from rig.servers import Cluster, Nbdkit, NbdServer
from rig.vm import VM

DISK_SIZE = 1 << 30


@contextmanager
def closed_on_failure(server):
    """The server, which is closed if what follows fails."""
    try:
        yield server
    except BaseException:
        server.close()
        raise


@dataclass(frozen=True)
class Subject:
    """A kind of disk. attach(guest, address) leaves /dev/{disk} ready, served from address."""

    name: str
    disk: str
    title: str
    ballast: bool = False   # needs the module
    options: str = ""       # of the attach string
    parameter: str = ""     # of the module: NAME=VALUE
    before: str = ""        # in the guest, first
    tools: tuple = ()       # of guest.c, running: (NAME, ARGUMENT)
    over: str = ""          # in the guest: makes {disk} over /dev/ballast0
    after: str = ""         # in the guest, when the disk is attached
    rate: str = ""          # bits a second that the server is limited to, such as 100M
    file: str = ""          # what is swapped to, if it is not the disk itself
    needs: tuple = ()       # of this machine: (PROGRAM, PACKAGE)

    own_server = False      # one whose rate can't be limited
    ipv4_only = False

    @property
    def swap(self):
        return self.file or f"/dev/{self.disk}"

    def _serve(self, address):
        if self.rate:
            return Nbdkit("memory", str(DISK_SIZE), f"rate={self.rate}", filters=["rate"],
                          address=address)
        return NbdServer({"swap": DISK_SIZE}, address=address)

    def attach(self, guest, address):
        server = self._serve(address)
        host, port = server.address, server.port
        if self.before:
            guest.run(self.before)
        if self.ballast:
            guest.run(f"insmod /run/ballast.ko {self.parameter}")
        if self.over or self.disk.startswith("ballast"):
            self._attach_ballast(guest, server)
            guest.run(self.over)
        else:
            guest.run(f"modprobe nbd && nbd-client {host} {port} /dev/{self.disk} -N swap -swap")
            if self.ballast:
                guest.run("echo eth0 > /sys/class/ballast/guard")
        if self.after:
            guest.run(self.after)
        return server

    def limited(self, rate):
        """The same with a server that is limited to rate."""
        if not rate:
            return self
        if self.own_server:
            raise ValueError(f"{self.name} has no server whose rate can be limited")
        return replace(self, rate=rate)

    def check(self, ipv6):
        """ValueError: this machine lacks a program, or the server can't be had over IPv6."""
        for program, package in self.needs:
            if not shutil.which(program):
                raise ValueError(f"{self.name} needs {program}: scripts/deps {package}")
        if ipv6 and self.ipv4_only:
            raise ValueError(f"{self.name} has no server over IPv6, which this storm needs")

    def sized(self, pages):
        """The same with a reserve of that size, unless it has none; 0: the default."""
        if not pages or "reserve=" in self.options:
            return self
        if not self.ballast:
            raise ValueError(f"{self.name} has no reserve")
        if self.disk.startswith("nbd"):     # guarded
            words = f"echo {pages} > /sys/class/net/eth0/ballast/size_pages", self.after
            return replace(self, after=" && ".join(filter(None, words)))
        return replace(self, options=f"{self.options} reserve={pages}".strip())

    def _attach_ballast(self, guest, server, index=0):
        options = dict(word.split("=", 1) for word in self.options.split())
        Disk(guest, server, server.address, index, export="swap", **options)


class Pair(NbdServer):
    """Two servers with an export each: this one, and the other."""

    def __init__(self, address):
        self.other = NbdServer({"swap": DISK_SIZE // 2}, address=address)
        try:
            super().__init__({"swap": DISK_SIZE // 2}, address=address)
        except BaseException:
            self.other.close()
            raise

    def close(self):
        super().close()
        self.other.close()


class Moving(Subject):
    """The server's address can move to another machine."""

    own_server = True

    def _serve(self, address):
        return Cluster({"swap": DISK_SIZE})


class Raid(Subject):
    """md RAID 1 over the disks of two servers."""

    own_server = True

    def attach(self, guest, address):
        pair = Pair(address)
        guest.run(f"insmod /run/ballast.ko {self.parameter} && modprobe raid1")
        self._attach_ballast(guest, pair)
        self._attach_ballast(guest, pair.other, 1)
        guest.run(f"mdadm --create /dev/{self.disk} --level=1 --raid-devices=2 --run "
                  "--assume-clean --metadata=1.2 /dev/ballast0 /dev/ballast1 2>&1")
        return pair


class Encrypted(Subject):
    """What ballastctl attach --encrypt makes, with the swap off."""

    def _attach_ballast(self, guest, server, index=0):
        ctl.put(guest)
        uri = ctl.uri(server)
        ctl.run(guest, f"attach {uri} index={index} --swap --encrypt {self.options}")
        guest.run("swapoff -a")

    def attach(self, guest, address):
        server = self._serve(address)
        guest.run(f"insmod /run/ballast.ko {self.parameter}")
        self._attach_ballast(guest, server)
        return server


class Nvme(Subject):
    """NVMe/TCP; the target is another guest, whose disk is memory."""

    own_server = True

    def attach(self, guest, address):
        with closed_on_failure(VM(name="target", memory=DISK_SIZE // (1 << 20) + 256,
                                  mtu=guest.network.mtu,
                                  logs=guest.console.path.parent)) as target:
            host = target.address6 if ":" in address else target.address4
            target.run(TARGET.format(size=DISK_SIZE // 1024, family="ipv6" if ":" in host else
                                     "ipv4", host=host))
            # Without multipath the disk counts its own requests.
            guest.run("modprobe nvme-core multipath=N && modprobe nvme-tcp && "
                      f"nvme connect -t tcp -a {host} -s 4420 -n storm && "
                      "until [ -b /dev/nvme0n1 ]; do sleep 0.1; done")
        return target


class Zram(Subject):
    """Compressed memory, and no disk."""

    own_server = True

    def attach(self, guest, address):
        guest.run(f"modprobe zram && echo {DISK_SIZE} > /sys/block/{self.disk}/disksize")
        return nullcontext()


class Zswap(Subject):
    """Compressed memory, and a file on a local disk, which QEMU keeps in the host's memory."""

    own_server = True

    def attach(self, guest, address):
        guest.run(f"echo 1 > /sys/module/zswap/parameters/enabled && "
                  f"fallocate -l {DISK_SIZE} {self.file} && chmod 600 {self.file}")
        return nullcontext()


class Iscsi(Subject):
    """iSCSI; the target is tgtd, and iscsid in the guest is that of this machine."""

    own_server = True
    ipv4_only = True

    def attach(self, guest, address):
        with closed_on_failure(peers.Tgt(DISK_SIZE)) as server:
            peers.login(guest, server)
        return server


class Nfs(Subject):
    """A swap file on NFS 4.1; the server is nfs-ganesha. The disk is one that nothing uses."""

    own_server = True
    ipv4_only = True

    def attach(self, guest, address):
        with closed_on_failure(peers.Ganesha(DISK_SIZE)) as server:
            guest.run(f"modprobe nfsv4 && mkdir -p /nfs && mount -i -t nfs4 -o vers=4.1,proto=tcp,"
                      f"addr={server.address},port={server.port},clientaddr={guest.address4} "
                      f"{server.address}:/swap /nfs")
        return server


TARGET = """
    set -e
    modprobe nvmet-tcp
    modprobe brd rd_nr=1 rd_size={size}
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    cd /sys/kernel/config/nvmet
    mkdir subsystems/storm ports/1
    echo 1 > subsystems/storm/attr_allow_any_host
    mkdir subsystems/storm/namespaces/1
    echo /dev/ram0 > subsystems/storm/namespaces/1/device_path
    echo 1 > subsystems/storm/namespaces/1/enable
    echo tcp > ports/1/addr_trtype
    echo {family} > ports/1/addr_adrfam
    echo {host} > ports/1/addr_traddr
    echo 4420 > ports/1/addr_trsvcid
    ln -s $PWD/subsystems/storm ports/1/subsystems/storm
"""

# What ballast is made of: (option of the attach string, parameter of the module) that switches
# the part off. A module that has no such parameter ignores it.
PARTS = {
    "filter": ("filter=off", ""),
    "reserve": ("reserve=0", ""),
    "softirq": ("", "softirq_reserves=N"),
    "tcpmem": ("", "protect_tcp_mem=N"),
}

# As much memory as the reserve had goes to the kernel's own.
MIN_FREE_INSTEAD = """cd /sys/class/net/eth0/ballast && pages=$(cat size_pages) &&
    [ "$pages" -gt 0 ] && echo 0 > size_pages && file=/proc/sys/vm/min_free_kbytes &&
    echo $(($(cat $file) + pages * $(getconf PAGESIZE) / 1024)) > $file"""

LINEAR = """modprobe dm-mod &&
    echo 0 $(blockdev --getsz /dev/ballast0) linear /dev/ballast0 0 | dmsetup create storm"""

# At most half of the guest's memory is for compressed pages. What has not been used for a second
# is written back, by a program that is locked into memory.
ZRAM = """modprobe zram num_devices=1 && cd /sys/block/zram0 && echo /dev/ballast0 > backing_dev &&
    echo 1G > disksize &&
    echo $(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) / 2))K > mem_limit &&
    { setsid /run/guest writeback 1000 > /dev/null 2>&1 & }"""

SUBJECTS = {subject.name: subject for subject in (
    Subject("ballast", "ballast0", "ballast", ballast=True),
    Subject("min-free", "ballast0", "ballast, min_free_kbytes for the reserve", ballast=True,
            after=MIN_FREE_INSTEAD),
    Subject("nbd", "nbd0", "in-tree nbd"),
    Subject("guard", "nbd0", "in-tree nbd, guarded", ballast=True),
    Subject("guard-no-reserve", "nbd0", "in-tree nbd, guarded, min_free_kbytes for the reserve",
            ballast=True, after=MIN_FREE_INSTEAD),
    Subject("zswap", "ballast0", "ballast under zswap", ballast=True,
            before="echo 1 > /sys/module/zswap/parameters/enabled"),
    Subject("lvm", "dm-0", "ballast under a linear mapping, as LVM makes it", ballast=True,
            over=LINEAR),
    Subject("zram", "zram0", "zram that writes back to ballast", ballast=True, over=ZRAM),
    Encrypted("encrypted", "dm-0", "ballast, encrypted", ballast=True),
    Moving("moving", "ballast0", "ballast, two machines behind an address", ballast=True),
    Raid("raid", "md0", "md RAID 1 over two ballast disks", ballast=True, options="deadline=5"),
    Nvme("nvme", "nvme0n1", "NVMe/TCP"),
    Iscsi("iscsi", "sda", "iSCSI",
          needs=(("tgtd", "tgt"), ("iscsid", "open-iscsi"))),
    Nfs("nfs", "vda", "swap file on NFS", file="/nfs/file",
        needs=(("ganesha.nfsd", "nfs-ganesha-vfs"), ("rpcbind", "rpcbind"))),
    Zram("zram-alone", "zram0", "zram"),
    Zswap("zswap-alone", "vda", "zswap over a local disk", file="/swap"),
)}


def without(subject, parts):
    """subject with these parts, names of PARTS, switched off."""
    options = [subject.options, *(PARTS[part][0] for part in parts)]
    if any(options[1:]) and subject.disk.startswith("nbd"):
        raise ValueError(f"{subject.name}: only ballast's own disk can be attached without "
                         f"{' or '.join(part for part in parts if PARTS[part][0])}")
    parameters = [subject.parameter, *(PARTS[part][1] for part in parts)]
    return replace(subject, options=" ".join(filter(None, options)),
                   parameter=" ".join(filter(None, parameters)),
                   title=f"{subject.title} without {', '.join(parts)}")


def parse(name):
    """The subject of that name: one of SUBJECTS, and +no-PART for each part that is off.

    no-PART+no-PART is ballast without them, nothing is ballast without any.
    ValueError says what is wrong with a name.
    """
    if name in SUBJECTS:
        return SUBJECTS[name]
    if name == "nothing":
        return replace(without(SUBJECTS["ballast"], PARTS), name=name)
    first, *rest = name.split("+")
    if first not in SUBJECTS:
        first, rest = "ballast", [first, *rest]
    parts = [word.removeprefix("no-") for word in rest]
    if not all(word.startswith("no-") and part in PARTS for word, part in zip(rest, parts)) \
            or len(set(parts)) < len(parts):
        raise ValueError(f"{name!r} is none of {', '.join([*SUBJECTS, 'nothing'])}, nor "
                         f"ballast without parts, such as no-{'+no-'.join(PARTS)}")
    subject = SUBJECTS[first]
    if not subject.ballast:
        raise ValueError(f"{name!r}: {first} has no parts")
    return replace(without(subject, parts), name=name)


def server_address(ipv6):
    return net.HOST6 if ipv6 else net.HOST4
