# SPDX-License-Identifier: GPL-2.0
"""A write of a connection that was given up is executed after a newer one of the same place.

The server's side stalls with the old write in its receive queue or in a worker; the disk
gives the connection up and sends the write again. Whatever is acknowledged then, in the
end the export must hold what was acknowledged last.
"""

import json
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig import frames, line, nbd, servers, stall
from rig.disk import Disk
from rig.wait import never, until

pytestmark = pytest.mark.console_ok("ballast: ")

BLOCK = 4096
PLACE = 128     # in blocks
SIZE = 1 << 20
# How long the newer write may take before the stall ends: a disk that waits for the fence
# acknowledges it only afterwards.
GRACE = 6


class StoppedNbdServer:
    """nbd-server; the process of the connection is stopped, with the write in its queue."""

    def __init__(self):
        self.server = servers.NbdServer({"swap": SIZE})
        self.options = {"export": "swap"}
        self.file = self.server.files["swap"]

    def stall(self):
        self._stopped = stall.serving(self.server)
        assert len(self._stopped) == 1, self._stopped
        self._stop = stall.stopped(self._stopped)
        self._stop.__enter__()

    def holds(self):
        """Whether the write has come; the disk's counters say it too."""
        return True

    def release(self):
        """Returns when what was held has been executed, or never will be."""
        self._stop.__exit__(None, None, None)
        until(lambda: not servers.runs(self._stopped[0]), 20, "the old process to end")


class HoldingNbdkit:
    """nbdkit; one of its workers holds the write."""

    def __init__(self):
        self.server = stall.HoldingNbdkit(PLACE * BLOCK, SIZE)
        self.options = {}
        self.file = self.server.file
        self._store = self.server

    def stall(self):
        self._store.arm()

    def holds(self):
        return self._store.holds

    def release(self):
        self._store.release()
        self._store.wait_landed()


class HoldingQemuNbd(HoldingNbdkit):
    """qemu-nbd; its storage, which is nbdkit, holds the write."""

    def __init__(self):
        super().__init__()
        self.server = servers.QemuNbd(
            "swap", f"nbd:{self._store.address}:{self._store.port}")
        self.options = {"export": "swap"}


STALLS = {"nbd-server": StoppedNbdServer, "nbdkit": HoldingNbdkit, "qemu-nbd": HoldingQemuNbd}


@contextmanager
def stalling(name):
    one = STALLS[name]()
    try:
        yield one
    finally:
        one.server.close()
        if one.server is not getattr(one, "_store", one.server):
            one._store.close()


def write(disk, letter):
    return (f"tr '\\0' {letter} < /dev/zero | dd of={disk.path} bs={BLOCK} seek={PLACE} count=1 "
            f"iflag=fullblock oflag=direct status=none && echo acknowledged {letter}")


def read(disk, place=PLACE):
    job = disk.vm.spawn(f"exec dd if={disk.path} bs={BLOCK} skip={place} count=1 iflag=direct "
                        "status=none")
    assert job.wait(30) == 0, job.output
    return bytes(job.data)


def described(data):
    return " ".join(f"{chr(value) if value else 0}*{data.count(value)}"
                    for value in sorted(set(data)))


def in_export(path):
    with Path(path).open("rb") as file:
        file.seek(PLACE * BLOCK)
        return file.read(BLOCK)


def write_twice(disk, one, give_up, old=None):
    """Old and new, one after the other, while the old one is held at the server."""
    began = time.monotonic()
    one.stall()
    job = disk.vm.spawn(f"{old or write(disk, 'O')} && {write(disk, 'N')}")
    until(lambda: one.holds() and disk.file("ballast/inflight") == "1", 10, "the write to arrive")
    give_up()
    until(lambda: int(disk.file("ballast/reconnects")) > 0, 30, "another connection")
    print(f"given up after {time.monotonic() - began:.1f} s")
    # Reads have nothing to wait for; else this one would wait for release(), below, or for a
    # minute. (A discard holds the inode's lock, which dd's lseek() wants.)
    if not old:
        read(disk, 0)
    try:
        until(lambda: not job.running, GRACE, "both writes")
        print("both acknowledged before the old connection ended")
    except TimeoutError:
        print(f"acknowledged before the old connection ended: {job.output.split() or 'none'}")
    one.release()
    assert job.wait(60) == 0, job.output
    assert job.output.split() == ["acknowledged", "O", "acknowledged", "N"], job.output


def check(disk, one):
    seen, held = described(read(disk)), described(in_export(one.file))
    print(f"read: {seen}; in the export: {held}")
    assert seen == f"N*{BLOCK}", "the disk returns an old write"
    assert held == f"N*{BLOCK}", "the export holds an old write"


@pytest.mark.parametrize("name", STALLS)
def test_unanswered_write(shared_vm, name):
    """With timeout=2, which gives the connection up."""
    with stalling(name) as one, \
            Disk(shared_vm, one.server, timeout=2, **one.options) as disk:
        write_twice(disk, one, lambda: None)
        check(disk, one)


@pytest.mark.parametrize("name", STALLS)
def test_unacknowledged_write(shared_vm, name):
    """By default: nothing is acknowledged for 5 s, and the server does not hear of the end."""
    def give_up():
        with line.dropped(shared_vm):
            # One more, so that TCP has something to miss an acknowledgment of.
            reader = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct")
            until(lambda: disk.file("ballast/state") == "reconnecting", 30, "it to be missed")
        assert reader.wait(60) == 0, reader.output

    with stalling(name) as one, Disk(shared_vm, one.server, **one.options) as disk:
        write_twice(disk, one, give_up)
        check(disk, one)


def test_unanswered_write_among_several_connections(shared_vm):
    """The newer write goes over a connection that was never given up."""
    one = HoldingNbdkit()
    with one.server, Disk(shared_vm, one.server, timeout=2, connections=3) as disk:
        write_twice(disk, one, lambda: None)
        check(disk, one)


@pytest.mark.parametrize("how", ["trim", "zeroes"])
def test_unanswered(shared_vm, how):
    """Likewise what makes zeroes of a place that is written later."""
    zeroes = "-z" if how == "zeroes" else ""
    old = f"blkdiscard {zeroes} -o {PLACE * BLOCK} -l {BLOCK} {{}} && echo acknowledged O"
    with stalling("nbdkit") as one, Disk(shared_vm, one.server, timeout=2, **one.options) as disk:
        shared_vm.run(write(disk, "A"))
        write_twice(disk, one, lambda: None, old.format(disk.path))
        check(disk, one)


def test_killed_server_delays_no_write(shared_vm):
    """Its machine answers the old connection with a reset, so that nothing is held."""
    with servers.NbdServer({"swap": SIZE}) as server, \
            Disk(shared_vm, server, export="swap") as disk:
        for _ in range(3):
            with stall.stopped(stall.serving(server)):
                job = shared_vm.spawn(write(disk, "N"))
                until(lambda: disk.file("ballast/inflight") == "1", 10, "the write to be sent")
                server.stop()
            began = time.monotonic()
            server.start()
            until(lambda: not job.running, 30, "the write")
            took = time.monotonic() - began
            assert job.status == 0, job.output
            print(f"acknowledged {took:.2f} s after the server's return")
            assert took < 20, "it has waited for fence="


def test_answers_before_a_refusal_count_once(shared_vm):
    """Of three writes a server that shuts down answers one, refuses one and executes one late.

    The answer and the refusal arrive in one packet. The refusal ends the connection, and the
    answer before it says nothing about the third write.
    """
    memory = nbd.Memory(SIZE)
    late, writes = threading.Event(), []

    def serve(connection):
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if len(server.connections) > 1 or request.type != nbd.WRITE:
                connection.sendall(memory.answer(request))
                continue
            writes.append(request)
            if len(writes) == 3:
                connection.sendall(memory.answer(writes[0]) + nbd.simple(writes[1], 108))
                late.wait(60)
                connection.sendall(memory.answer(writes[2]))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        # Blocks that the block layer can't merge.
        job = shared_vm.spawn(f"""for place in 1 3 5; do
                dd if=/dev/zero of={disk.path} bs={BLOCK} seek=$place count=1 oflag=direct &
            done 2>&1; wait""")
        try:
            until(lambda: disk.file("ballast/fences_held") == "2", 20,
                  lambda: f"two writes to be held: {disk.file('ballast/fences_held')} are, of "
                          f"{len(writes)} in {len(server.connections)} connections")
        finally:
            late.set()
        assert job.wait(20) == 0, job.output
        assert disk.file("ballast/fences_expired") == "0"


def test_forged_answers_end_no_request_that_is_being_sent(shared_vm):
    """The rest of a write is sent from its pages after the connection was given up.

    The server reads the first of several writes, refuses it, and answers it again and again.
    """
    memory = nbd.Memory(16 << 20)
    rest = threading.Event()

    def serve(connection):
        # They do not fit into its buffer and the guest's.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if len(server.connections) > 1 or request.type != nbd.WRITE:
                connection.sendall(memory.answer(request))
                continue
            until(lambda: disk.file("ballast/inflight") == "12", 20, "the other writes")
            connection.sendall(nbd.simple(request, 108) + 100 * nbd.simple(request))
            rest.wait(60)
            while nbd.take_request(connection).data in (b"", b"N" * request.length):
                pass
            raise AssertionError("an old write has other data")

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        job = shared_vm.spawn(f"""for place in $(seq 0 11); do
                tr '\\0' N < /dev/zero | dd of={disk.path} bs=1M seek=$place count=1 \
                    iflag=fullblock oflag=direct &
            done 2>&1; wait""")
        try:
            until(lambda: memory.data[:12 << 20].count(b"N") == 12 << 20, 30,
                  "all to be written over another connection")
            never(lambda: not job.running, 2, "an end of the writes")
        finally:
            rest.set()
        assert job.wait(20) == 0, job.output
        assert disk.file("ballast/fences_expired") == "0"
        assert not server.errors


# O_DIRECT: packets refer to this very page. It is used again as soon as the write is acknowledged.
WRITE_AND_REUSE = """
import mmap, os, sys, time
disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
page[:] = b"O" * 4096
os.pwrite(disk, page, int(sys.argv[2]))
page[:] = b"X" * 4096
print("acknowledged", flush=True)
time.sleep(60)
"""


@contextmanager
def queue_stopped(guest, port):
    """What the guest sends from a port of TCP stays in the interface's queue.

    Yields what is in the queue, in bytes, and what lets it go. Not netem: that takes the packets
    from their socket, as if they had left.
    """
    guest.run(f"""tc qdisc add dev eth0 root handle 1: prio bands 3 \
            priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 &&
        tc qdisc add dev eth0 parent 1:3 handle 30: plug &&
        tc filter add dev eth0 parent 1: protocol ip u32 match ip sport {port} 0xffff flowid 1:3
        """)

    def queued():
        found = json.loads(guest.run("tc -j -s qdisc show dev eth0").output)
        return next(qdisc["backlog"] for qdisc in found if qdisc["kind"] == "plug")

    def release():
        guest.run("tc qdisc change dev eth0 parent 1:3 handle 30: plug release_indefinite")
    try:
        yield queued, release
    finally:
        guest.run("tc qdisc del dev eth0 root")


def tcp_data(frame, port):
    """What a frame carries that is sent from this port of TCP; else nothing."""
    if frame[12:14] != b"\x08\x00" or frame[23] != frames.TCP or \
            int.from_bytes(frame[34:36], "big") != port:
        return b""
    return frame[34 + 4 * (frame[46] >> 4):14 + int.from_bytes(frame[16:18], "big")]


def test_queued_packet_keeps_its_page(shared_vm):
    """A packet of the old connection is in the interface's queue while the write is replayed.

    The server's side has ended, and its new connection has answered. The write must not be
    acknowledged before the packet has left: its page would be used again, and other data would
    leave under the header of the old request.
    """
    guest = shared_vm
    if guest.run("modprobe -qa sch_prio sch_plug cls_u32", check=False).status:
        pytest.skip("the kernel has no such queues")
    guest.put("/usr/local/bin/write-and-reuse", WRITE_AND_REUSE.encode())
    with servers.NbdServer({"swap": SIZE}) as server, \
            Disk(guest, server, export="swap", fence=30) as disk:
        local = guest.run(f"ss -tnH dport = {server.port}").output.split()[3]
        port = int(local.rpartition(":")[2])
        with queue_stopped(guest, port) as (queued, release):
            job = guest.spawn("exec python3 /usr/local/bin/write-and-reuse "
                              f"{disk.path} {PLACE * BLOCK}")
            until(lambda: queued() > BLOCK, 20, "the write to be in the queue")
            server.stop()
            server.start()
            until(lambda: in_export(server.files["swap"]) == b"O" * BLOCK, 30,
                  "the replayed write to be executed")
            try:
                job.wait_output("acknowledged", 3)
                early = True
            except TimeoutError:
                early = False
            print(f"{queued()} bytes in the queue; acknowledged: {early}")
            with frames.Wire(guest) as wire:
                release()
                sent = b""
                while len(sent) < 28 + BLOCK:
                    frame = wire.receive(lambda frame: tcp_data(frame, port))
                    assert frame, "the old packet does not leave"
                    sent += tcp_data(frame, port)
            assert described(sent[28:]) == f"O*{BLOCK}", "a page that is used again has left"
            assert not early
            job.wait_output("acknowledged", 5)
            assert disk.file("ballast/fences_held") == "0"
        job.kill()
