# SPDX-License-Identifier: GPL-2.0
"""Ends that came at a bad time: with dirty pages, in the middle of an attach, with a processor."""

import threading
import time

import pytest

from rig import calls, module, nbd, servers, stall
from rig.disk import ATTACH, Disk
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ", r"EXT4-fs|JBD2|Buffer I/O|I/O error")

MIB = 1 << 20


@pytest.mark.parametrize("gone", ["killed", "stopped"])
def test_forced_detach_with_dirty_pages(vm, gone):
    """What the file system has not written yet fails; the detach does not wait for it."""
    guest = vm(name="dirty")
    module.load(guest)
    with servers.NbdServer({"swap": 256 * MIB}) as server:
        disk = Disk(guest, server, export="swap")
        write = "dd if=/dev/zero of=/mnt/file bs=1M count=16 conv=notrunc"
        # Once before, so that the file system need not read anything for it later.
        guest.run(f"mkfs.ext4 -q {disk.path} && mount {disk.path} /mnt && {write} 2>&1 && sync")
        if gone == "killed":
            server.stop()
            processes = []
        else:
            processes = stall.serving(server)
        with stall.stopped(processes):
            # More than what is written back at once, less than what blocks the writer.
            # The kernel writes it, and nothing holds the file: the file system may drop it.
            guest.run(f"{write} 2>&1; cd /proc/sys/vm; echo 10 > dirty_writeback_centisecs; "
                      "echo 10 > dirty_expire_centisecs")
            until(lambda: int(disk.file("ballast/inflight")) > 3, 30, "writeback to begin")
            began = time.monotonic()
            job = guest.spawn(f"echo force > {disk.sys}/ballast/detach")
            job.wait(20)
            print(f"detached after {time.monotonic() - began:.1f} s")
            assert job.status == 0, job.output
            guest.run("umount /mnt; ! ls -d /sys/block/ballast* && rmmod ballast", timeout=30)


def test_rmmod_while_an_attach_waits(vm):
    """The attach keeps the module from its first step on."""
    guest = vm(name="rmmod")
    module.load(guest)
    greet = threading.Event()
    memory = nbd.Memory()

    def serve(connection):
        greet.wait(8)
        memory.serve(connection)

    with servers.ScriptedServer(serve) as server:
        attach = guest.spawn(f"echo server=192.0.2.1:{server.port} > {ATTACH}")
        until(lambda: server.connections, 10, "the attach to connect")
        rmmod = guest.spawn("rmmod ballast 2>&1")
        try:
            rmmod.wait(5)
        except TimeoutError:
            pass
        greet.set()
        print(f"rmmod: {rmmod.status}: {rmmod.output}")
        assert attach.wait(20) == 0, attach.output
        guest.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=4 iflag=direct 2>&1")
        assert rmmod.status, "the module was removed, or that waits"
        guest.run("echo 1 > /sys/block/ballast0/ballast/detach && rmmod ballast")


def test_forced_detach_fails_requests_before_it_removes_files(shared_vm):
    """Whoever holds the locks of sysfs may wait for these requests."""
    with servers.NbdServer({"swap": 64 * MIB}) as server:
        disk = Disk(shared_vm, server, export="swap")
        with calls.traced(shared_vm, "ballast_session_abort", "kernfs_remove") as called:
            disk.detach("force")
            seen = called()
    aborted = next(call for call in seen if call.endswith(" ballast_session_abort"))
    task = aborted.split()[0]
    assert f"{task} kernfs_remove" not in seen[:seen.index(aborted)], seen
    assert f"{task} kernfs_remove" in seen, seen


def test_detach_while_the_attach_finishes(shared_vm):
    """For the debug kernel, which tells of a use after free."""
    memory = nbd.Memory()
    with servers.ScriptedServer(memory.serve) as server:
        shared_vm.run(f"""
            detach() {{
                until echo 1 > /sys/block/ballast0/ballast/detach; do :; done
            }} 2>/dev/null
            for i in $(seq 30); do
                detach &
                echo server=192.0.2.1:{server.port} > {ATTACH} || exit
                wait
            done""", timeout=300)
        assert len(server.connections) == 30


def test_processor_goes_offline_while_a_write_waits(vm):
    """Hotplug waits for the requests of the processor's queue, and must not wait for the server."""
    guest = vm(name="offline")
    module.load(guest)
    cpu1 = "/sys/devices/system/cpu/cpu1/online"
    with servers.NbdServer({"swap": 64 * MIB}) as server, \
            Disk(guest, server, export="swap", connections=2) as disk:
        with stall.stopped(stall.serving(server)):
            writer = guest.spawn(f"taskset 2 dd if=/dev/zero of={disk.path} bs=4k count=1 "
                                 "oflag=direct 2>&1")
            until(lambda: disk.file("ballast/inflight") == "1", 10, "the write to be sent")
            job = guest.spawn(f"echo 0 > {cpu1}")
            began = time.monotonic()
            try:
                job.wait(20)
                print(f"offline after {time.monotonic() - began:.1f} s")
            except TimeoutError:
                pass
            offline = job.status
        assert writer.wait(30) == 0, writer.output
        assert offline is not None, "it waits for the server"
        assert offline == 0, job.output
        guest.run(f"dd if=/dev/zero of={disk.path} bs=4k count=8 oflag=direct 2>&1; "
                  f"echo 1 > {cpu1}")


def test_preferred_block_size_of_a_gib(shared_vm):
    """It makes hints of the disk, such as how much is read ahead, and they must fit the machine."""
    memory = nbd.Memory(64 * MIB)

    def serve(connection):
        nbd.negotiate(connection, memory.size, blocks=(512, 1 << 30, 32 * MIB))
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        ahead = int(disk.file("queue/read_ahead_kb"))
        optimal = int(disk.file("queue/optimal_io_size"))
        print(f"read_ahead_kb {ahead}, optimal_io_size {optimal}")
        assert ahead <= 32 << 10, "more than a request can hold"
        assert optimal <= 32 * MIB
