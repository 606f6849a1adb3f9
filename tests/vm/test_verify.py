# SPDX-License-Identifier: GPL-2.0
"""A server that has lost what was swapped out to it is noticed, and none else is accused.

BALLAST_ROUNDS multiplies how often; 1 by default, a fast form for make check.
"""

import os
import random
import re
import shutil
import signal
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from rig import module, nbd, servers
from rig.disk import Disk
from rig.pages import swapped_out
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
pytestmark = pytest.mark.console_ok("ballast: ")

MIB = 1 << 20
LOST = r"verification: the data at offset \d+ is not the data that was written; " \
    r"the server lost it or serves other data \(error -78\)"


def until_refused(disk, what=LOST, times=2):
    until(lambda: int(disk.file("ballast/verify_errors")) >= times, 60, "it to be refused")
    log = disk.vm.run("dmesg -t").output
    # Said once, although it is tried again and again.
    assert len(re.findall(what, log)) == 1, log
    assert disk.file("ballast/state") == "reconnecting"
    assert disk.file("ballast/verify") == "refused"


def until_accepted(disk):
    until(lambda: disk.file("ballast/state") == "live", 30, "it to be live")
    assert disk.file("ballast/verify") == "on"
    assert int(disk.file("ballast/verified")) >= 16


def test_blank_memory(shared_vm):
    """D4: nbdkit's memory is blank after a restart."""
    with servers.Nbdkit("memory", "64M") as server, Disk(shared_vm, server) as disk:
        assert disk.file("ballast/verify") == "on"
        with swapped_out(shared_vm, disk.path):
            shared_vm.run("dmesg -C")
            server.stop()
            server.start()
            until_refused(disk)
            assert disk.file("ballast/reconnects") == "0"


def test_off_accepts_it(shared_vm):
    with servers.Nbdkit("memory", "64M") as server, Disk(shared_vm, server, verify="off") as disk:
        assert disk.file("ballast/verify") == "off"
        with swapped_out(shared_vm, disk.path):
            server.stop()
            server.start()
            until(lambda: disk.file("ballast/state") == "live" and
                  disk.file("ballast/reconnects") == "1", 30, "it to be live again")
            assert disk.file("ballast/verified") == disk.file("ballast/verify_errors") == "0"


def blank(file, _):
    os.truncate(file, 0)
    os.truncate(file, 64 * MIB)


def older_copy(file, copy):
    shutil.copyfile(copy, file)


def other_export(file, _):
    with open(file, "r+b") as other:
        for _ in range(64):
            other.write(os.urandom(MIB))


@pytest.mark.parametrize("change", [blank, older_copy, other_export])
@pytest.mark.parametrize("connections", [1, 3])
def test_other_data(shared_vm, change, connections):
    """Refused; the pages are not read until the right data are back, and then they are right."""
    with servers.NbdServer({"swap": 64 * MIB}) as server, \
            Disk(shared_vm, server, export="swap", connections=connections) as disk, \
            swapped_out(shared_vm, disk.path) as pages:
        file = server.files["swap"]
        old, right = server.dir / "old", server.dir / "right"
        shutil.copyfile(file, old)
        pages.check(0)
        pages.out(1)
        until(lambda: disk.file("ballast/inflight") == "0", 20, "all to be written")
        shared_vm.run("dmesg -C")
        server.stop()
        shutil.copyfile(file, right)
        change(file, old)
        server.start()
        pages.command("check 1")
        until_refused(disk)
        assert pages.said().count("pages are wrong") == 1
        server.stop()
        shutil.copyfile(right, file)
        server.start()
        until_accepted(disk)
        until(lambda: pages.said().count("0 of 2048 pages are wrong") == 2, 60, pages.said())


def test_copy_for_each_connection(shared_vm):
    """D5: nbd-server's copyonwrite."""
    with servers.NbdServer({"swap": 64 * MIB}, {"copyonwrite": "true"}) as server, \
            Disk(shared_vm, server, export="swap") as disk:
        with swapped_out(shared_vm, disk.path):
            shared_vm.run("dmesg -C")
            server.stop()
            server.start()
            until_refused(disk)


def lies(answer):
    """What becomes of the second connection: answer(memory, request) to each read on it."""
    def serve(memory, connection):
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            connection.sendall(answer(memory, request))
    return serve


def silent(_, connection):
    while connection.recv(4096):
        pass


def slow(memory, connection):
    """A byte a second."""
    data = memory.answer(nbd.take_request(connection))
    for byte in data:
        connection.sendall(bytes([byte]))
        threading.Event().wait(1)


def hangs_up(_, connection):
    nbd.take_request(connection)


def short(memory, request):
    return nbd.data_chunk(request, request.offset, memory.read(request)[:2048], nbd.DONE)


def twice(memory, request):
    half = nbd.data_chunk(request, request.offset, memory.read(request)[:2048])
    return half + half


def beyond(memory, request):
    return nbd.data_chunk(request, request.offset + 2048, memory.read(request), nbd.DONE)


def scattered(memory, request):
    data = memory.read(request)
    return b"".join(nbd.data_chunk(request, request.offset + at, data[at:at + 100])
                    for at in range(0, 4096, 200))


LIES = {
    # name: structured replies, what is done, what the log says of it, error
    "zeros": (False, lies(lambda m, r: nbd.simple(r, data=bytes(4096))), LOST, ""),
    "hole": (True, lies(lambda m, r: nbd.hole_chunk(r, r.offset, 4096, nbd.DONE)), LOST, ""),
    "error": (False, lies(lambda m, r: nbd.simple(r, 5)),
              r"the server fails to read back offset \d+, NBD error 5", -5),
    "error-chunk": (True, lies(lambda m, r: nbd.error_chunk(r, 28, b"no")),
                    r"the server fails to read back offset \d+, NBD error 28", -5),
    "magic": (False, lies(lambda m, r: bytes(4096)), "wrong magic in a reply", -71),
    "cookie": (False, lies(lambda m, r: nbd.simple(r, data=m.read(r), cookie=r.cookie + 64)),
               "reply to a request that is not in flight", -71),
    "short-cookie": (False, lies(lambda m, r: nbd.simple(r, data=m.read(r), cookie=0)),
                     "reply to a request that is not in flight", -71),
    "again": (False, lies(lambda m, r: nbd.simple(r, data=m.read(r)) * 2),
              "reply to a request that is not in flight", -71),
    "simple": (True, lies(lambda m, r: nbd.simple(r, data=m.read(r))),
               "simple reply to a read although structured replies were negotiated", -71),
    "structured": (False, lies(lambda m, r: nbd.data_chunk(r, r.offset, m.read(r), nbd.DONE)),
                   "structured reply, which was not negotiated", -71),
    "short": (True, lies(short), "a read was not answered in full", -71),
    "twice": (True, lies(twice), "part of a read answered twice", -71),
    "beyond": (True, lies(beyond), "chunk outside of the range that was read", -71),
    "scattered": (True, lies(scattered), "read answered in too many separate ranges", -7),
    "silent": (False, silent, "the server does not answer", -110),
    "slow": (False, slow, "the server does not answer", -110),
    "hangs-up": (False, hangs_up, "the server closed the connection", -104),
}


# Whose connection is given up when the minute of a verification is over.
LATE = ("silent", "slow")


@contextmanager
def deceived(guest, name, index=0):
    """A disk with pages on it, whose second connection is answered like that, and no other."""
    structured, bad, _, _ = LIES[name]
    memory = nbd.Memory(16 * MIB, structured)
    count = []

    def serve(connection):
        count.append(1)
        if len(count) != 2:
            memory.serve(connection)
            return
        nbd.negotiate(connection, memory.size, memory.flags, structured)
        bad(memory, connection)

    with servers.ScriptedServer(serve) as server, Disk(guest, server, index=index) as disk, \
            swapped_out(guest, disk.path, 4, priority=index) as pages:
        yield server, disk, pages


def check_refused(name, server, disk, pages):
    """Refused with its own message; the next, honest, connection is used."""
    _, _, why, error = LIES[name]
    until(lambda: disk.file("ballast/reconnects") == "1", 90, "an honest connection")
    log = disk.vm.run(f"dmesg -t | grep '{disk.name}: '").output
    wanted = f"verification: {why} .error {error}." if error else why
    assert len(re.findall(wanted, log)) == 1, log
    assert disk.file("ballast/verify_errors") == "1"
    until_accepted(disk)
    pages.check(0)
    assert not server.errors


@pytest.mark.parametrize("name", [name for name in LIES if name not in LATE])
def test_bad_answers(shared_vm, name):
    with deceived(shared_vm, name) as (server, disk, pages):
        shared_vm.run("dmesg -C")
        server.connections[0].shutdown(2)
        check_refused(name, server, disk, pages)


def test_late_answers(shared_vm):
    """At once, since each takes its minute. No page is read meanwhile."""
    with ExitStack() as stack:
        victims = {name: stack.enter_context(deceived(shared_vm, name, index))
                   for index, name in enumerate(LATE)}
        shared_vm.run("dmesg -C")
        for server, _, _ in victims.values():
            server.connections[0].shutdown(2)
        for name, victim in victims.items():
            check_refused(name, *victim)


CHUNKS = {"whole": [(0, 4096)], "parts": [(0, 1000), (1000, 4095), (4095, 4096)],
          "backwards": [(2048, 4096), (0, 2048)]}


@pytest.mark.parametrize("chunks", CHUNKS)
def test_honest_structured_answers(shared_vm, chunks):
    """Any order and size of chunks that the protocol allows."""
    memory = nbd.Memory(16 * MIB, True)

    def parts(request):
        data, at = memory.read(request), request.offset
        sent = [nbd.data_chunk(request, at + start, data[start:end])
                for start, end in CHUNKS[chunks]]
        return b"".join(sent) + nbd.chunk(request, nbd.NONE, flags=nbd.DONE)

    def serve(connection):
        nbd.negotiate(connection, memory.size, memory.flags, True)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            page = request.type == nbd.READ and request.length == 4096
            connection.sendall(parts(request) if page else memory.answer(request))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk, \
            swapped_out(shared_vm, disk.path, 4) as pages:
        for _ in range(3):
            before = int(disk.file("ballast/reconnects"))
            server.connections[-1].shutdown(2)
            until(lambda: int(disk.file("ballast/reconnects")) > before, 30, "it to be restored")
        assert disk.file("ballast/verify_errors") == "0"
        assert disk.file("ballast/verified") == "48"
        pages.check(0)


def test_while_memory_of_tcp_is_short(vm):
    """The blocks that are read back come in a burst, and wait in a queue until a thread reads."""
    guest = vm(name="tcpmem")
    module.load(guest)
    # Each segment by itself.
    guest.run("ethtool -K eth0 gro off; ethtool -K eth0 rx-gro-hw off")
    dropped = "nstat -asz TcpExtTCPRcvQDrop | awk '/Drop/ { print $2 }'"
    memory = nbd.Memory(16 * MIB)

    def serve(connection):
        first = len(server.connections) <= 2
        nbd.negotiate(connection, memory.size, memory.flags)
        if not first:
            requests = [nbd.take_request(connection) for _ in range(16)]
            connection.sendall(b"".join(map(memory.answer, requests)))
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            connection.sendall(memory.answer(request))

    # One of two is restored. The other one has a charge, which is more than the limit.
    with servers.ScriptedServer(serve) as server, Disk(guest, server, connections=2) as disk, \
            swapped_out(guest, disk.path, 4) as pages:
        before = int(guest.run(dropped).output)
        limits = guest.run("cat /proc/sys/net/ipv4/tcp_mem; "
                           "echo 1 2 3 > /proc/sys/net/ipv4/tcp_mem").output.strip()
        for number in range(1, 4):
            began = time.monotonic()
            server.connections[-1].shutdown(2)
            until(lambda: disk.file("ballast/reconnects") == str(number), 60, "it to be restored")
            print(f"restored after {time.monotonic() - began:.1f} s")
        now = int(guest.run(f"echo '{limits}' > /proc/sys/net/ipv4/tcp_mem; {dropped}").output)
        print(f"{now - before} segments dropped")
        assert disk.file("ballast/verified") == "48"
        assert now == before, "TCP drops what is read back"
        pages.check(0)


def test_read_only_has_nothing_to_verify(shared_vm):
    with servers.Nbdkit("memory", "64M") as server, \
            Disk(shared_vm, server, readonly=True, verify="on") as disk:
        server.stop()
        server.start()
        until(lambda: disk.file("ballast/reconnects") == "1", 30, "it to be restored")
        assert disk.file("ballast/verify") == "on"
        assert disk.file("ballast/verified") == disk.file("ballast/verify_errors") == "0"


SWAP_AND_FILES = """
    printf '1M,256M,S\\n257M,128M,L\\n,,L\\n' | sfdisk -q {path} && udevadm settle &&
    mkswap {path}p1 && swapon --discard -p 5 {path}p1 &&
    mkfs.ext4 -q {path}p2 && mkdir -p {fs} && mount -o discard {path}p2 {fs}"""
WRITE_FILES = """while sleep {pause}; do
    dd if=/dev/urandom of={fs}/a bs=1M count=8 status=none
    cp {fs}/a {fs}/b; sync; fstrim {fs}; rm -f {fs}/a
    done"""
WRITE_ZEROS = """while sleep {pause}; do
    dd if=/dev/urandom of={path}p3 bs=64k count=64 oflag=direct status=none
    fallocate -z -o 0 -l 2M {path}p3; blkdiscard -o 2M -l 16M {path}p3
    done"""
HOG = "exec stress-ng --vm 1 --vm-bytes 300M --vm-method rand-set --verify -t 0"
# Swaps all the time, while the machine has memory for everything else. MADV_PAGEOUT is 21.
CHURN = """
import mmap, random, time
PAGES = 4096
memory = mmap.mmap(-1, PAGES * 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
versions = [-1] * PAGES

def page(number):
    return (b"%08d %08d|" % (number, versions[number])) * 227 + b"." * 10

def write(number):
    versions[number] += 1
    memory[number * 4096:number * 4096 + 4096] = page(number)

for number in range(PAGES):
    write(number)
while True:
    memory.madvise(21)
    time.sleep(0.2)
    for number in random.sample(range(PAGES), 256):
        if memory[number * 4096:number * 4096 + 4096] != page(number):
            print("failed: 1 page is wrong, number", number, flush=True)
        write(number)
"""


def numbers_of_all(guest, *names):
    """For each of some files of sysfs a list: what it says, of each disk."""
    lines = guest.run("cd /sys/block && " + "; ".join(
        f"echo $(cat ballast*/ballast/{name})" for name in names)).output.splitlines()
    return [line.split() for line in lines]


def restart_all(guest, all_servers):
    """At once; returns when each disk has been restored."""
    # Without the servers nothing can be started in the guest: that may need memory.
    before, = numbers_of_all(guest, "reconnects")
    for server in all_servers:
        server.stop()
    threading.Event().wait(0.3)
    for server in all_servers:
        server.start()

    def restored():
        states, now = numbers_of_all(guest, "state", "reconnects")
        return set(states) == {"live"} and all(
            int(number) > int(old) for number, old in zip(now, before))
    until(restored, 60, "all to be restored")


def test_no_false_alarm(vm):
    """Swap and file systems, trims and zeros, and servers killed again and again.

    In the long form eight at once, with a disk each: that is eight times as many restarts a
    minute.
    """
    guest = vm(name="alarm", memory=256)
    module.load(guest)
    disks, restarts, hog, pause = 2, 6, HOG, 0
    if ROUNDS > 1:
        disks, restarts, hog, pause = 8, 8 * ROUNDS, "exec python3 /usr/local/bin/churn", 1
    guest.put("/usr/local/bin/churn", CHURN.encode())
    with ExitStack() as stack:
        all_servers, loads = [], []
        for index in range(disks):
            server = stack.enter_context(servers.NbdServer({"swap": 512 * MIB}))
            disk = stack.enter_context(Disk(guest, server, index=index, export="swap",
                                            connections=3 if index % 2 else 1))
            names = {"path": disk.path, "fs": f"/run/fs{index}", "pause": pause}
            guest.run(SWAP_AND_FILES.format(**names))
            all_servers.append(server)
            loads.append((WRITE_ZEROS if index else WRITE_FILES).format(**names))
        jobs = [guest.spawn(load) for load in loads[:2]]
        swapper = guest.spawn(hog)
        until(lambda: int(guest.run("awk 'NR > 1 && $4 > 1024' /proc/swaps | wc -l").output)
              == disks, 120, "all to be swapped to")
        for done in range(1, restarts + 1):
            threading.Event().wait(random.uniform(0.2, 1.2))
            restart_all(guest, all_servers)
            errors, verified, reconnects = numbers_of_all(
                guest, "verify_errors", "verified", "reconnects")
            assert set(errors) == {"0"}, guest.run("dmesg -t").output
            if done % 20 == 0 or done == restarts:
                print(f"{disks * done} restarts, {sum(map(int, reconnects))} reconnects, "
                      f"{sum(map(int, verified))} blocks read back", flush=True)
        assert all(int(number) >= 16 * restarts for number in verified), verified
        for job in jobs:
            job.kill()
        assert swapper.running, swapper.output
        swapper.kill(signal.SIGINT, 300)
        assert not re.search(r"fail:|failed: [1-9]", swapper.output), swapper.output
        guest.run("umount /run/fs? && swapoff -a", timeout=300)
