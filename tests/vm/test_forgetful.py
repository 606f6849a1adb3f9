# SPDX-License-Identifier: GPL-2.0
"""Servers that come back without what was written: the disk must say so, and not use them.

A machine swaps to the disk. Then its server serves something else under the same name:
nothing, another export, an older copy, or what each connection has for itself.
"""

import re
import shutil

import pytest

from rig import module, servers, stall
from rig.disk import Disk
from rig.vm import CommandFailed
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ")

MIB = 1 << 20
SIZE = 512 * MIB
# What the log says of a connection that is refused; the line names an offset.
REFUSED = re.compile(r"ballast0: .*(not the data|data.* differ|not what was written).*")


class Swapping:
    """A guest that swaps to the disk, from construction on."""

    def __init__(self, guest, disk):
        self.guest, self.disk = guest, disk
        guest.run(f"mkswap {disk.path} && swapon {disk.path} && dmesg -C")
        # It touches all of its memory again and again, and verifies it.
        self.hog = guest.spawn("exec stress-ng --vm 1 --vm-bytes 220M --vm-keep --vm-method "
                               "zero-one --verify -t 0")
        self.wait_swapped(32)

    def swapped(self):
        """MiB, ever written."""
        return int(self.guest.run("grep pswpout /proc/vmstat").output.split()[1]) * 4 // 1024

    def wait_swapped(self, mib):
        target = self.swapped() + mib
        until(lambda: self.swapped() >= target, 120, f"{mib} MiB to be swapped out")


def refused(disk):
    """The line that says so, once; and it fails if the disk uses the server after all."""
    line = []

    def settled():
        line[:] = [found[0] for found in REFUSED.finditer(disk.vm.run("dmesg -t").output)]
        return line or "is back" in disk.vm.run("dmesg -t").output

    until(settled, 60, "the connection to be refused or used", 0.5)
    assert line, f"used: {disk.vm.run('dmesg -t').output}"
    assert disk.file("ballast/state") == "reconnecting"
    assert re.search(r"\b\d{3,}\b", line[0]), f"no offset: {line[0]}"
    print(line[0])


def blank(file):
    with open(file, "wb") as export:
        export.truncate(SIZE)


def other(file):
    # Of a real swap's size, all of it something else.
    with open(file, "r+b") as export:
        for place in range(0, SIZE, 4 * MIB):
            export.seek(place)
            export.write(b"something else. " * (4 * MIB // 16))


REPLACED = {"blank": blank, "other": other, "older": None}


@pytest.mark.parametrize("what", REPLACED)
def test_another_store_is_refused(vm, what):
    """And once the right one is back, everything goes on."""
    guest = vm(name="forgot", memory=256)
    module.load(guest)
    with servers.NbdServer({"swap": SIZE}) as server, Disk(guest, server, export="swap") as disk:
        file = server.files["swap"]
        older, right = file.with_suffix(".older"), file.with_suffix(".right")
        swapping = Swapping(guest, disk)
        with stall.stopped(list(stall.family(server.process.pid))):
            shutil.copy(file, older)
        swapping.wait_swapped(64)
        server.stop()
        file.rename(right)
        if what == "older":
            older.rename(file)
        else:
            blank(file)
            REPLACED[what](file)
        server.start()
        try:
            refused(disk)
        finally:
            server.stop()
            right.rename(file)
            server.start()
        swapping.wait_swapped(16)
        assert swapping.hog.running, swapping.hog.output
        swapping.hog.kill()
        guest.run("swapoff -a", timeout=120)


PER_CONNECTION = {
    "nbdkit-memory": lambda: servers.Nbdkit("memory", str(SIZE)),
    "nbdkit-tmpdisk": lambda: servers.Nbdkit("tmpdisk", str(SIZE),
                                             "command=truncate -s $size $disk"),
    "nbd-server-copyonwrite": lambda: servers.NbdServer({"swap": SIZE}, {"copyonwrite": "true"}),
    "nbd-server-temporary": lambda: servers.NbdServer({"swap": SIZE}, {"temporary": "true"}),
}


@pytest.mark.parametrize("name", PER_CONNECTION)
def test_data_that_ends_with_the_connection(vm, name):
    guest = vm(name="copies", memory=256)
    module.load(guest)
    options = {"export": "swap"} if "nbd-server" in name else {}
    with PER_CONNECTION[name]() as server:
        disk = Disk(guest, server, **options)
        Swapping(guest, disk)
        server.stop()
        server.start()
        refused(disk)


@pytest.mark.parametrize("name", ["nbdkit-tmpdisk", "nbd-server-copyonwrite"])
def test_data_of_each_connection_among_several(shared_vm, name):
    """Two connections see two disks: such an attach fails, or the export does not allow it."""
    options = {"export": "swap"} if "nbd-server" in name else {}
    with PER_CONNECTION[name]() as server:
        try:
            disk = Disk(shared_vm, server, connections=2, **options)
        except CommandFailed as error:
            assert "the export allows only one" in str(error)
            return
        with disk:
            shared_vm.run(f"""for cpu in 1 2; do
                tr '\\0' $cpu < /dev/zero | taskset $cpu dd of={disk.path} bs=64k count=1 \
                    iflag=fullblock oflag=direct status=none; done""")
            seen = {shared_vm.run(f"taskset {cpu} dd if={disk.path} bs=1 count=1 skip=4096 "
                                  f"iflag=skip_bytes status=none; echo 1 > /proc/sys/vm/drop_caches"
                                  ).output for cpu in (1, 2)}
            assert seen == {"2"}, f"each connection sees its own: {seen}"
