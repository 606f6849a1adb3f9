# SPDX-License-Identifier: GPL-2.0
"""The disks that a storm is let loose on: how each is attached in the guest."""

from dataclasses import dataclass

from rig import net
from rig.disk import Disk
from rig.servers import Cluster, NbdServer
from rig.vm import VM

DISK_SIZE = 1 << 30


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

    def _serve(self, address):
        return NbdServer({"swap": DISK_SIZE}, address=address)

    def attach(self, guest, address):
        server = self._serve(address)
        host, port = server.address, server.port
        if self.before:
            guest.run(self.before)
        if self.ballast:
            guest.run(f"insmod /run/ballast.ko {self.parameter}")
        if self.disk.startswith("ballast"):
            self._attach_ballast(guest, server)
        else:
            guest.run(f"modprobe nbd && nbd-client {host} {port} /dev/{self.disk} -N swap -swap")
            if self.ballast:
                guest.run("echo eth0 > /sys/class/ballast/guard")
        return server

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

    def _serve(self, address):
        return Cluster({"swap": DISK_SIZE})


class Raid(Subject):
    """md RAID 1 over the disks of two servers."""

    def attach(self, guest, address):
        pair = Pair(address)
        guest.run("insmod /run/ballast.ko && modprobe raid1")
        self._attach_ballast(guest, pair)
        self._attach_ballast(guest, pair.other, 1)
        guest.run(f"mdadm --create /dev/{self.disk} --level=1 --raid-devices=2 --run "
                  "--assume-clean --metadata=1.2 /dev/ballast0 /dev/ballast1 2>&1")
        return pair


class Nvme(Subject):
    """NVMe/TCP; the target is another guest, whose disk is memory."""

    def attach(self, guest, address):
        target = VM(name="target", memory=DISK_SIZE // (1 << 20) + 256, mtu=guest.network.mtu,
                    logs=guest.console.path.parent)
        try:
            host = target.address6 if ":" in address else target.address4
            target.run(TARGET.format(size=DISK_SIZE // 1024, family="ipv6" if ":" in host else
                                     "ipv4", host=host))
            # Without multipath the disk counts its own requests.
            guest.run("modprobe nvme-core multipath=N && modprobe nvme-tcp && "
                      f"nvme connect -t tcp -a {host} -s 4420 -n storm && "
                      "until [ -b /dev/nvme0n1 ]; do sleep 0.1; done")
        except BaseException:
            target.close()
            raise
        return target


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

SUBJECTS = {subject.name: subject for subject in (
    Subject("ballast", "ballast0", "ballast", ballast=True),
    Subject("no-filter", "ballast0", "ballast, filter=off", ballast=True, options="filter=off"),
    Subject("no-reserve", "ballast0", "ballast, reserve=0", ballast=True, options="reserve=0"),
    Subject("no-tcpmem", "ballast0", "ballast, tcp_mem not protected", ballast=True,
            parameter="protect_tcp_mem=N"),
    Subject("nbd", "nbd0", "in-tree nbd"),
    Subject("guard", "nbd0", "in-tree nbd, guarded", ballast=True),
    Subject("zswap", "ballast0", "ballast under zswap", ballast=True,
            before="echo 1 > /sys/module/zswap/parameters/enabled"),
    Moving("moving", "ballast0", "ballast, two machines behind an address", ballast=True),
    Raid("raid", "md0", "md RAID 1 over two ballast disks", ballast=True, options="deadline=5"),
    Nvme("nvme", "nvme0n1", "NVMe/TCP"),
)}


def server_address(ipv6):
    return net.HOST6 if ipv6 else net.HOST4
