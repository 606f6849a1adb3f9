# SPDX-License-Identifier: GPL-2.0
"""A server that lies after the negotiation, each way a test of its own.

Its first connection lies once, at a request for a place that no other request reads.
The disk must give that connection up with one line that says what was wrong, get what
it asked for over the next one, and put nothing but the truth into the reader's pages.
"""

import struct
from collections import namedtuple
from errno import ETIMEDOUT

import pytest

from rig import nbd, servers
from rig.disk import Disk
from rig.nbd import (DONE, ERROR, ERROR_OFFSET, NONE, OFFSET_DATA, SIMPLE_MAGIC, chunk,
                     data_chunk, error_chunk, hole_chunk, simple)
from rig.wait import until

PLACE, LENGTH = 512 << 10, 16384    # of the request that is lied to
END = PLACE + LENGTH
SIZE = 1 << 20
HALF = LENGTH // 2

Lie = namedtuple("Lie", "say why structured op", defaults=(False, "read"))


def truth(memory, start=PLACE, end=END):
    return bytes(memory.data[start:end])


def s(say, why):
    return Lie(say, why, structured=True)


# say(memory, request): the bytes that are sent instead of the answer.
GONE = "reply to a request that is not in flight"
OUTSIDE = "chunk outside of the range that was read"
TWICE = "part of a read answered twice"
LIES = {
    # Simple replies.
    "magic-0": Lie(lambda m, r: bytes(16) + m.read(r), "wrong magic in a reply"),
    "magic-of-a-request": Lie(lambda m, r: struct.pack(">IIQ", nbd.REQUEST_MAGIC, 0, r.cookie),
                              "wrong magic in a reply"),
    "little-endian": Lie(lambda m, r: struct.pack("<IIQ", SIMPLE_MAGIC, 0, r.cookie) + m.read(r),
                         "wrong magic in a reply"),
    "text": Lie(lambda m, r: b"500 Internal Server Error\r\n", "wrong magic in a reply"),
    "cookie-0": Lie(lambda m, r: simple(r, data=m.read(r), cookie=0), GONE),
    "cookie-all-ones": Lie(lambda m, r: simple(r, data=m.read(r), cookie=2**64 - 1), GONE),
    "cookie-of-another-tag": Lie(lambda m, r: simple(r, data=m.read(r), cookie=r.cookie ^ 1), GONE),
    "cookie-beyond-all-tags": Lie(
        lambda m, r: simple(r, data=m.read(r), cookie=r.cookie | 0xffffffff), GONE),
    "cookie-of-another-sending": Lie(
        lambda m, r: simple(r, data=m.read(r), cookie=r.cookie + (1 << 32)), GONE),
    "answered-twice": Lie(lambda m, r: 2 * simple(r, data=m.read(r)), GONE),
    "more-data-than-asked": Lie(lambda m, r: simple(r, data=m.read(r) + bytes(512)),
                                "wrong magic in a reply"),
    "closed-in-the-header": Lie(lambda m, r: simple(r)[:7], "the connection was closed"),
    "closed-in-the-data": Lie(lambda m, r: simple(r, data=m.read(r)[:5000]),
                              "the connection was closed"),
    "closed-at-once": Lie(lambda m, r: b"", "the connection was closed"),
    "structured-without-agreement": Lie(
        lambda m, r: data_chunk(r, r.offset, m.read(r), DONE),
        "structured reply, which was not negotiated"),
    "cookie-0-to-a-write": Lie(lambda m, r: simple(r, cookie=0), GONE, op="write"),
    "write-answered-twice": Lie(lambda m, r: 2 * simple(r), GONE, op="write"),
    "data-to-a-write": Lie(lambda m, r: simple(r, data=bytes(4096)), "wrong magic in a reply",
                           op="write"),
    "data-to-a-flush": Lie(lambda m, r: simple(r, data=b"flushed!" * 2), "wrong magic in a reply",
                           op="flush"),
    # Structured replies.
    "simple-to-a-structured-read": s(
        lambda m, r: simple(r, data=m.read(r)),
        "simple reply to a read although structured replies were negotiated"),
    "chunk-magic-0": s(lambda m, r: bytes(20), "wrong magic in a reply"),
    "chunk-cookie-0": s(lambda m, r: data_chunk(r, r.offset, m.read(r), DONE, cookie=0), GONE),
    "chunk-of-unknown-type": s(lambda m, r: chunk(r, 77, bytes(100), DONE),
                               "chunk of a type that was not negotiated"),
    "block-status": s(lambda m, r: chunk(r, 5, bytes(12), DONE),
                      "chunk of a type that was not negotiated"),
    "chunk-of-4-GiB": s(lambda m, r: chunk(r, OFFSET_DATA, struct.pack(">Q", r.offset), DONE,
                                           length=0xffffffff), OUTSIDE),
    "data-chunk-without-offset": s(lambda m, r: chunk(r, OFFSET_DATA, bytes(4), DONE),
                                   "chunk of a wrong length"),
    "data-chunk-without-data": s(lambda m, r: data_chunk(r, r.offset, b"", DONE),
                                 "chunk of a wrong length|" + OUTSIDE),
    "data-before-the-place": s(lambda m, r: data_chunk(r, r.offset - 512, m.read(r), DONE),
                               OUTSIDE),
    "data-after-the-place": s(lambda m, r: data_chunk(r, r.offset + 512, m.read(r), DONE), OUTSIDE),
    "data-too-long": s(lambda m, r: data_chunk(r, r.offset, m.read(r) + b"\0", DONE), OUTSIDE),
    "offset-0": s(lambda m, r: data_chunk(r, 0, m.read(r), DONE), OUTSIDE),
    "offset-2^64-1": s(lambda m, r: data_chunk(r, 2**64 - 1, bytes(512), DONE), OUTSIDE),
    "offset-that-overflows": s(lambda m, r: data_chunk(r, 2**64 - 512, m.read(r), DONE), OUTSIDE),
    "hole-too-long": s(lambda m, r: hole_chunk(r, r.offset, LENGTH + 1, DONE), OUTSIDE),
    "hole-of-4-GiB": s(lambda m, r: hole_chunk(r, r.offset, 0xffffffff, DONE), OUTSIDE),
    "hole-of-0": s(lambda m, r: hole_chunk(r, r.offset, 0, DONE),
                   "chunk of a wrong length|" + OUTSIDE),
    "hole-of-a-wrong-length": s(lambda m, r: chunk(r, 2, bytes(11), DONE),
                                "chunk of a wrong length"),
    "data-twice": s(lambda m, r: 2 * data_chunk(r, r.offset, m.read(r)), TWICE),
    "data-over-a-hole": s(lambda m, r: hole_chunk(r, r.offset, LENGTH)
                          + data_chunk(r, r.offset, m.read(r), DONE), TWICE),
    "chunks-that-overlap-by-a-byte": s(
        lambda m, r: data_chunk(r, r.offset, m.read(r)[:HALF + 1])
        + data_chunk(r, r.offset + HALF, m.read(r)[HALF:], DONE), TWICE),
    "half-missing": s(lambda m, r: data_chunk(r, r.offset, m.read(r)[:HALF], DONE),
                      "a read was not answered in full"),
    "a-byte-missing-in-the-middle": s(
        lambda m, r: data_chunk(r, r.offset, m.read(r)[:HALF])
        + data_chunk(r, r.offset + HALF + 1, m.read(r)[HALF + 1:], DONE),
        "a read was not answered in full"),
    "nothing-at-all": s(lambda m, r: chunk(r, NONE, flags=DONE), "a read was not answered in full"),
    "none-with-a-payload": s(lambda m, r: chunk(r, NONE, b"x", DONE), "chunk of a wrong length"),
    "none-that-is-not-the-last": s(
        lambda m, r: chunk(r, NONE) + data_chunk(r, r.offset, m.read(r), DONE),
        "chunk of a wrong length"),
    "after-the-last": s(lambda m, r: data_chunk(r, r.offset, m.read(r), DONE)
                        + data_chunk(r, r.offset, m.read(r), DONE), GONE),
    "thousand-pieces-backwards": s(
        lambda m, r: b"".join(data_chunk(r, r.offset + at, m.read(r)[at:at + 8])
                              for at in range(LENGTH - 8, -1, -16)),
        "read answered in too many separate ranges"),
    "error-too-short": s(lambda m, r: chunk(r, ERROR, bytes(5), DONE), "chunk of a wrong length"),
    "error-text-longer-than-the-chunk": s(
        lambda m, r: chunk(r, ERROR, struct.pack(">IH", 5, 60000), DONE),
        "an error's text is longer than its chunk"),
    "error-of-4-GiB": s(lambda m, r: chunk(r, ERROR, struct.pack(">IH", 5, 0), DONE,
                                           length=0xffffffff), "chunk of a wrong length"),
    "data-to-a-structured-write": Lie(lambda m, r: data_chunk(r, r.offset, bytes(512), DONE),
                                      "data in reply to a request that is not a read", True,
                                      "write"),
    "closed-in-a-chunk": s(lambda m, r: data_chunk(r, r.offset, m.read(r), DONE)[:9000],
                           "the connection was closed"),
}
COMMAND = {
    "read": f"dd if=/dev/ballast0 bs={LENGTH} skip={PLACE // LENGTH} count=1 iflag=direct "
            "status=none",
    "write": f"tr '\\0' x < /dev/zero | dd of=/dev/ballast0 bs={LENGTH} seek={PLACE // LENGTH} "
             "count=1 oflag=direct iflag=fullblock status=none",
    "flush": "sync /dev/ballast0",
}


class Liar:
    """Lies on one connection, at one request, and then serves as it should."""

    def __init__(self, lie):
        self.lie = lie
        self.memory = nbd.Memory(SIZE, lie.structured)
        self.told = False

    def meant(self, request):
        kind = {"read": nbd.READ, "write": nbd.WRITE, "flush": nbd.FLUSH}[self.lie.op]
        return request.type == kind and (
            kind == nbd.FLUSH or (request.offset, request.length) == (PLACE, LENGTH))

    def serve(self, connection):
        nbd.negotiate(connection, SIZE, nbd.USUAL, self.lie.structured)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if self.meant(request) and not self.told:
                self.told = True
                connection.sendall(self.lie.say(self.memory, request))
                if "closed" not in self.lie.why:
                    connection.recv(1 << 16)    # until it has been noticed
                return
            connection.sendall(self.memory.answer(request))


def run(guest, command):
    """What a command writes, as bytes."""
    job = guest.spawn(command)
    assert job.wait(60) == 0, (job.output, guest.run("dmesg").output)
    return bytes(job.data)


@pytest.mark.parametrize("name", LIES)
def test_lie(shared_vm, name):
    liar = Liar(LIES[name])
    guest = shared_vm
    with servers.ScriptedServer(liar.serve) as server, Disk(guest, server) as disk:
        guest.run("dmesg -C")
        said = run(guest, COMMAND[liar.lie.op])
        assert liar.told
        # An answer that came before the lie stands; what is asked later goes over the next one.
        assert run(guest, COMMAND["read"]) == truth(liar.memory)
        log = guest.run("dmesg -t").output
        lines = [line for line in log.splitlines() if "ballast0: connection 0 to" in line
                 and "is restored" not in line]
        assert len(lines) == 1, log
        assert any(why in lines[0] for why in liar.lie.why.split("|")), lines
        assert disk.file("ballast/reconnects") == "1"
        assert not server.errors
        if liar.lie.op == "read":
            assert said == truth(liar.memory), "wrong data in the reader's pages"


# Not 108, ESHUTDOWN: such a request moves to another connection (test_graceful_stop.py).
ERRORS = [1, 5, 12, 22, 28, 75, 95, 0xdeadbeef, 2**32 - 1]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("how", ["simple", "chunk", "chunk-with-offset", "after-data"])
def test_error_code(shared_vm, how, error):
    """An error of any value fails that request alone; the connection stays."""
    memory = nbd.Memory(SIZE, structured=how != "simple")

    def serve(connection):
        nbd.negotiate(connection, SIZE, nbd.USUAL, memory.structured)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            answer = memory.answer(request)
            if (request.type, request.offset, request.length) == (nbd.READ, PLACE, LENGTH):
                answer = {
                    "simple": lambda: simple(request, error),
                    "chunk": lambda: error_chunk(request, error, b"it is broken"),
                    "chunk-with-offset": lambda: error_chunk(request, error, kind=ERROR_OFFSET),
                    "after-data": lambda: data_chunk(request, PLACE, memory.read(request)[:HALF])
                    + error_chunk(request, error, b"x" * 4000),
                }[how]()
            connection.sendall(answer)

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        said = shared_vm.run(COMMAND["read"] + " of=/dev/null 2>&1", check=False)
        assert said.status and "error reading" in said.output
        shared_vm.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=4 iflag=direct status=none")
        assert disk.file("ballast/reconnects") == "0"
        assert not server.errors


def test_a_server_that_only_lies_is_left_by_force(shared_vm):
    """Each connection is given up and reconnected, the reader waits, and a detach ends it."""
    def serve(connection):
        nbd.negotiate(connection, SIZE)
        while (request := nbd.take_request(connection)).offset != PLACE:
            connection.sendall(memory.answer(request))
        connection.sendall(b"no" * 100)

    memory = nbd.Memory(SIZE)
    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        reader = shared_vm.spawn(COMMAND["read"] + " of=/dev/null")
        until(lambda: len(server.connections) > 4, 30, "it to try again and again")
        assert reader.running, reader.output
        shared_vm.run(f"echo force > {disk.sys}/ballast/detach")
        assert reader.wait(10)
        disk.detach = lambda: None


def test_a_server_that_never_answers_fails_the_attach(shared_vm):
    """The negotiation is well, and what the attach reads is not answered."""
    def serve(connection):
        nbd.negotiate(connection, SIZE)
        connection.recv(1 << 16)
        connection.recv(1)  # until it is given up

    with servers.ScriptedServer(serve) as server:
        said = shared_vm.run(f"dmesg -C; perl -e 'open F, q(>), q(/sys/class/ballast/attach); "
                             f"syswrite F, q(server=192.0.2.1:{server.port}) or exit $! + 0'",
                             check=False)
        assert said.status == ETIMEDOUT, said.output
        log = shared_vm.run("dmesg -t").output
        assert (f"server 192.0.2.1:{server.port}: "
                "no answer to the reads of the attach in 10 s") in log, log
        shared_vm.run("! ls -d /sys/block/ballast* && ! pgrep '^ballast[0-9]'")
