# SPDX-License-Identifier: GPL-2.0
"""A small cluster of Ceph on the bridge, and an image of it behind an address that can move.

One monitor and one manager on the host's end, and a machine for each OSD. Needs
Debian's ceph-mon, ceph-mgr, ceph-osd, ceph-common and qemu-block-extra.
"""

import json
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from rig import host, net, servers
from rig.machine import Machine
from rig.wait import until

OSDS = 3
PROGRAMS = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "rbd", "qemu-nbd")
# What is not here is as Ceph has it, such as how long it waits for an OSD (20 s) and for a
# client (30 s).
CONFIG = """\
[global]
fsid = {fsid}
mon host = {host}
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
run dir = {dir}
admin socket = {dir}/$name-$pid.asok
log file = {dir}/$name.log
mon data = {dir}/mon
mgr data = {dir}/mgr
osd data = {dir}/osd$id
osd pool default size = 2
osd pool default min size = 1
osd memory target = 939524096
bluestore block size = 2147483648
crush location = root=default host=machine$id
"""


def missing():
    """What a cluster needs and is not installed."""
    names = [name for name in PROGRAMS if not shutil.which(name)]
    return names if list(Path("/usr/lib").glob("*/qemu/block-rbd.so")) else [*names, "block-rbd.so"]


class Ceph:
    """From the constructor to close(). conf: the path of ceph.conf."""

    def __init__(self):
        net.up()
        self.dir = servers.scratch()
        self.conf = self.dir / "ceph.conf"
        self._processes = {}
        self._machines = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def run(self, *words):
        """What a command of Ceph's says."""
        done = subprocess.run([words[0], "-c", self.conf, *map(str, words[1:])], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}")
        return done.stdout

    def _daemon(self, name, *words, command=()):
        with open(self.dir / "log", "ab") as log:
            self._processes[name] = host.start([*command, name.partition(".")[0], "-f", "-c",
                                                self.conf, *map(str, words)],
                                               stdout=log, stderr=log)

    def _start(self):
        fsid = uuid.uuid4()
        self.conf.write_text(CONFIG.format(fsid=fsid, host=net.HOST4, dir=self.dir))
        monmap = self.dir / "monmap"
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a",
                 f"[v2:{net.HOST4}:3300,v1:{net.HOST4}:6789]", monmap)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemon("ceph-mon", "-i", "a")
        self._daemon("ceph-mgr", "-i", "x")
        for number in range(OSDS):
            self._start_osd(number)
        until(lambda: f"{OSDS} up" in self.run("ceph", "osd", "stat"), 60, "the OSDs", 0.5)
        self.run("ceph", "osd", "pool", "create", "rbd", 8)
        self.run("rbd", "create", "rbd/swap", "--size", "1G")
        until(lambda: re.match(r"(\d+) pgs: \1 active\+clean", self.run("ceph", "pg", "stat")), 60,
              "the pool", 0.5)

    def _start_osd(self, number):
        machine = Machine()
        self._machines.append(machine)
        address = f"192.0.2.{60 + number}"
        machine.take(address)
        osd = uuid.uuid4()
        (self.dir / f"osd{number}").mkdir()
        self.run("ceph", "osd", "new", osd)
        self.run("ceph-osd", "-i", number, "--mkfs", "--osd-uuid", osd)
        self._daemon(f"ceph-osd.{number}", "-i", number, "--public-addr", address,
                     command=machine.command)

    def lose_osd(self, number):
        """Its machine says nothing any more, for good."""
        self._machines[number].crash()
        process = self._processes.pop(f"ceph-osd.{number}")
        process.kill()
        process.wait()

    def knows_of_loss(self):
        """Have the monitors marked an OSD down? Until then, requests wait for it."""
        return f"{OSDS - 1} up" in self.run("ceph", "osd", "stat")

    def close(self):
        for process in self._processes.values():
            process.kill()
            process.wait()
        for machine in self._machines:
            machine.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Rbd(servers.Cluster):
    """An image of Ceph, exported by qemu-nbd on one of two machines."""

    def __init__(self):
        self.ceph = Ceph()
        try:
            super().__init__()
        except BaseException:
            self.ceph.close()
            raise

    def argv(self):
        # cache=none: what is acknowledged is on the OSDs, and not in the exporter's memory.
        return ["qemu-nbd", "--persistent", "--format=raw", "--export-name=swap", "--shared=16",
                "--cache=none", "--discard=unmap", f"--bind={self.address}",
                f"--port={self.port}", f"rbd:rbd/swap:conf={self.ceph.conf}"]

    def take_over(self):
        """Ceph accepts nothing more of the machine that crashed, whatever it still does."""
        status = json.loads(self.ceph.run("rbd", "status", "rbd/swap", "--format", "json"))
        for watcher in status["watchers"]:
            self.ceph.run("ceph", "osd", "blocklist", "add", watcher["address"])
        super().take_over()

    def close(self):
        super().close()
        self.ceph.close()
