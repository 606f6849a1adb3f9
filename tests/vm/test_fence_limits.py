# SPDX-License-Identifier: GPL-2.0
"""What ends a fence other than the server: its time, their number, a detach by force."""

import os
import re
import threading

import pytest

from rig import line, nbd, servers
from rig.disk import Disk
from rig.wait import never, until

pytestmark = pytest.mark.console_ok("ballast: ", "I/O error")

SIZE = 1 << 20
ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
# As long as TCP's keepalive can last by the number of its probes.
LONG = 150
# 2 * connections + 6, of one connection.
FENCES = 8
WRITE = "exec dd if=/dev/zero of={} bs=4k count=1 seek=128 oflag=direct 2>&1"


class Holding:
    """A server that keeps the first writes for itself until release(), one a connection.

    lie: what it says instead of an answer.
    """

    def __init__(self, writes, lie=b""):
        self.memory = nbd.Memory(SIZE)
        self.writes, self.lie = writes, lie
        self._ending = threading.Event()

    def serve(self, connection):
        nbd.negotiate(connection, SIZE)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if request.type == nbd.WRITE and self.writes:
                self.writes -= 1
                connection.sendall(self.lie)
                self._ending.wait(300)
                return
            connection.sendall(self.memory.answer(request))

    def release(self):
        self._ending.set()


@pytest.fixture
def holding():
    def make(*arguments):
        made.append(Holding(*arguments))
        return made[-1]
    made = []
    yield make
    for one in made:
        one.release()


@pytest.mark.parametrize("seconds", [0, 2])
def test_time_is_over(shared_vm, holding, seconds):
    """The write completes although the server has it, and that is said where it may harm."""
    with servers.ScriptedServer(holding(1).serve) as server, \
            Disk(shared_vm, server, timeout=1, fence=seconds) as disk:
        shared_vm.run("dmesg -C")
        job = shared_vm.spawn(WRITE.format(disk.path))
        assert job.wait(20) == 0, job.output
        said = re.findall(r"neither answered nor closed .* connection 0 in 2 s: it may execute old "
                          r"writes after newer ones \(fence=\)", shared_vm.run("dmesg -t").output)
        assert len(said) == int(disk.file("ballast/fences_expired")) == bool(seconds)
        assert disk.file("ballast/fences") == disk.file("ballast/fences_held") == "0"


@pytest.mark.skipif(ROUNDS < 2, reason="takes three minutes: BALLAST_ROUNDS=2")
def test_a_long_cut(shared_vm, holding):
    """TCP does not give up before the fence does: the end of the old connection is seen."""
    one = holding(1)
    with servers.ScriptedServer(one.serve) as server, \
            Disk(shared_vm, server, timeout=1, fence=600) as disk:
        job = shared_vm.spawn(WRITE.format(disk.path))
        until(lambda: disk.file("ballast/fences_held") == "1", 20, "the write to be held")
        with line.dropped(shared_vm):
            never(lambda: not job.running, LONG, "an end of the write")
        one.release()
        assert job.wait(30) == 0, job.output
        assert disk.file("ballast/fences_expired") == "0"


def test_more_outages_than_fences(shared_vm, holding):
    """The last connection keeps its request, and none is made until an old one has ended."""
    one = holding(FENCES + 1, b"x" * 16)
    with servers.ScriptedServer(one.serve) as server, Disk(shared_vm, server) as disk:
        job = shared_vm.spawn(WRITE.format(disk.path))
        until(lambda: not one.writes and disk.file("ballast/fences") == str(FENCES), 40,
              "as many outages")
        never(lambda: len(server.connections) > FENCES + 1, 2, "one more connection")
        assert len(server.connections) == FENCES + 1
        assert disk.file("ballast/state") == "reconnecting"
        assert disk.file("ballast/fences_held") == "0"
        assert job.running
        one.release()
        assert job.wait(20) == 0, job.output
        assert len(server.connections) == FENCES + 2
        assert disk.file("ballast/fences_expired") == "0"
        until(lambda: disk.file("ballast/fences") == "0", 10, "the fences to end")


def test_detached_by_force(shared_vm, holding):
    """Requests that wait for a fence fail at once."""
    with servers.ScriptedServer(holding(1).serve) as server, \
            Disk(shared_vm, server, timeout=1) as disk:
        job = shared_vm.spawn(WRITE.format(disk.path))
        until(lambda: disk.file("ballast/fences_held") == "1", 20, "the write to be held")
        disk.detach("force")
        assert job.wait(5) and "Input/output error" in job.output, job.output
        disk.detach = lambda: None
