# SPDX-License-Identifier: GPL-2.0
"""A server that has lost what was swapped out to it is noticed, and none else is accused.

BALLAST_ROUNDS multiplies how often; 1 by default, a fast form for make check.
"""

import os
import re
import shutil
import signal
import threading
import time

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


@pytest.mark.parametrize("name", LIES)
def test_bad_answers(shared_vm, name):
    """Refused with its own message; the next, honest, connection is used."""
    structured, bad, why, error = LIES[name]
    memory = nbd.Memory(16 * MIB, structured)
    count = []

    def serve(connection):
        count.append(1)
        if len(count) != 2:
            memory.serve(connection)
            return
        nbd.negotiate(connection, memory.size, memory.flags, structured)
        bad(memory, connection)

    # A verification may take a minute, or what deadline= leaves. No page is read meanwhile.
    late = {"deadline": 4} if name in ("silent", "slow") and ROUNDS == 1 else {}
    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server, **late) as disk, \
            swapped_out(shared_vm, disk.path, 4) as pages:
        shared_vm.run("dmesg -C")
        server.connections[0].shutdown(2)
        until(lambda: disk.file("ballast/reconnects") == "1", 90, "an honest connection")
        log = shared_vm.run("dmesg -t").output
        wanted = f"verification: {why} .error {error}." if error else why
        assert len(re.findall(wanted, log)) == 1, log
        assert disk.file("ballast/verify_errors") == "1"
        until_accepted(disk)
        pages.check(0)
        assert not server.errors


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


@pytest.mark.parametrize("connections", [1, 3])
def test_no_false_alarm(vm, connections):
    """Swap and a file system on one disk, trims and zeros, and a server killed again and again."""
    guest = vm(name="alarm", memory=256)
    module.load(guest)
    with servers.NbdServer({"swap": 512 * MIB}) as server, \
            Disk(guest, server, export="swap", connections=connections) as disk:
        guest.run(f"""printf '1M,256M,S\\n257M,128M,L\\n,,L\\n' | sfdisk -q {disk.path}
            udevadm settle
            mkswap {disk.path}p1 && swapon --discard {disk.path}p1
            mkfs.ext4 -q {disk.path}p2 && mkdir -p /run/fs && mount -o discard {disk.path}p2 /run/fs
            """)
        hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 300M --vm-method rand-set --verify "
                           "-t 0")
        files = guest.spawn("""while :; do
            dd if=/dev/urandom of=/run/fs/a bs=1M count=8 status=none
            cp /run/fs/a /run/fs/b; sync; fstrim /run/fs; rm -f /run/fs/a
            done""")
        zeros = guest.spawn(f"""while :; do
            dd if=/dev/urandom of={disk.path}p3 bs=64k count=64 oflag=direct status=none
            fallocate -z -o 0 -l 2M {disk.path}p3; blkdiscard -o 2M -l 16M {disk.path}p3
            done""")
        for _ in range(8 * ROUNDS):
            threading.Event().wait(2)
            # Without the server nothing can be started in the guest: that may need memory.
            before = int(disk.file("ballast/reconnects"))
            server.stop()
            threading.Event().wait(0.3)
            server.start()
            until(lambda: disk.file("ballast/state") == "live" and
                  int(disk.file("ballast/reconnects")) > before, 60, "it to be restored")
            assert disk.file("ballast/verify_errors") == "0", guest.run("dmesg -t").output
        print(f"{disk.file('ballast/reconnects')} reconnects, "
              f"{disk.file('ballast/verified')} blocks read back")
        assert int(disk.file("ballast/verified")) > 16 * 8 * ROUNDS // 2
        for job in (files, zeros):
            job.kill()
        hogs.kill(signal.SIGINT, 300)
        assert not re.search(r"fail:|failed: [1-9]", hogs.output), hogs.output
        guest.run(f"umount /run/fs && swapoff {disk.path}p1", timeout=300)
