# SPDX-License-Identifier: GPL-2.0
"""In which order requests go out when the line takes fewer than there are."""

import threading

from rig import nbd, servers
from rig.disk import Disk
from rig.wait import until

WRITES, READS = 64, 40
LENGTH = 64 << 10      # of a write
OVERTAKE = 16           # send.c's SEND_OVERTAKE


class Slow:
    """Takes the first write, and nothing more until it may; kinds are those that it took then."""

    def __init__(self):
        self.memory = nbd.Memory(2 * WRITES * LENGTH)
        self.held, self.may = threading.Event(), threading.Event()
        self.kinds = []

    def serve(self, connection):
        nbd.negotiate(connection, self.memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if request.type == nbd.WRITE and not self.held.is_set():
                self.held.set()
                assert self.may.wait(60), "not released"
            if self.held.is_set():
                self.kinds.append(request.type)
            connection.sendall(self.memory.answer(request))


def fio(guest, disk, rw, block, requests):
    """Every second block, so that the block layer merges none."""
    return guest.spawn(f"fio --name={rw} --filename={disk.path} --ioengine=libaio --direct=1 "
                       f"--rw={rw}:{block} --bs={block} --number_ios={requests} "
                       f"--size={2 * requests * block} --iodepth={requests} "
                       f"--iodepth_batch_submit={requests} --output-format=terse")


def test_reads_overtake_writes(shared_vm):
    """A fault must not wait for all that is being swapped out, and that must go on, too."""
    slow = Slow()
    with servers.ScriptedServer(slow.serve) as server, Disk(shared_vm, server) as disk:
        writes = fio(shared_vm, disk, "write", LENGTH, WRITES)
        until(lambda: disk.file("ballast/inflight") == str(WRITES), 30,
              lambda: f"the writes: {disk.file('ballast/inflight')} in flight")
        reads = fio(shared_vm, disk, "read", 4096, READS)
        until(lambda: disk.file("ballast/inflight") == str(WRITES + READS), 30, "the reads")
        slow.may.set()
        assert writes.wait(60) == 0 and reads.wait(60) == 0, (writes.output, reads.output)
        assert not server.errors
    kinds = "".join({nbd.READ: "r", nbd.WRITE: "w"}[kind] for kind in slow.kinds)
    print(kinds)
    assert kinds.count("w") == WRITES
    in_socket = kinds.index("r")
    assert in_socket < WRITES // 4, "the reads waited"
    assert "r" * (OVERTAKE + 1) not in kinds, "the writes waited"
    assert kinds.count("w", 0, kinds.rindex("r")) <= in_socket + READS // OVERTAKE
