# SPDX-License-Identifier: GPL-2.0
"""A record of what was acknowledged, kept in the guest, against which each read is checked.

checker.c is the load, checker.h has the rule; rig/nemesis.py is what befalls the servers
meanwhile. BALLAST_ROUNDS multiplies the time; BALLAST_SEED repeats a run.
"""

import os
import random
import re
import signal

import pytest

from rig import host, nbd, nemesis, programs, servers
from rig.disk import Disk
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
pytestmark = pytest.mark.console_ok("ballast: ")

SIZE = 8 << 20
SECTORS = 1024
THREADS = 6
CHECKER = "/root/checker"
DAY = 86400

# Data outlives each of them.
SERVERS = {
    "nbd-server": (lambda file: servers.NbdServer({"swap": file}), {"export": "swap"}),
    "nbdkit": (lambda file: servers.Nbdkit("file", str(file)), {}),
    "qemu-nbd": (lambda file: servers.QemuNbd("swap", file), {"export": "swap"}),
}


@pytest.fixture(scope="module")
def guest(shared_vm):
    binary = programs.build(host.REPO / "tests/vm/checker.c").read_bytes()
    shared_vm.put(CHECKER, binary, 0o755)
    return shared_vm


def start(disk, seed, *modes, seconds=DAY):
    """The checker, under way."""
    job = disk.vm.spawn(" ".join(map(str, ("exec", CHECKER, disk.path, seed, seconds, THREADS,
                                           SECTORS, *modes))))
    job.wait_output("running", 60)
    return job


def end(job, timeout=120):
    """Let it end and check all once more; returns what it has said."""
    if job.running:
        job._channel.send(job.id, "kill", int(signal.SIGTERM))
    job.wait(timeout)
    return job.output


@pytest.fixture
def seed():
    return int(os.environ.get("BALLAST_SEED") or random.randrange(1 << 32))


@pytest.mark.parametrize("connections, mode", [(1, "direct"), (3, "direct"), (3, "buffered")])
@pytest.mark.parametrize("name", SERVERS)
def test_whatever_befalls_the_server(guest, tmp_path, seed, name, connections, mode):
    print(f"BALLAST_SEED={seed}")
    rng = random.Random(f"{seed} {name} {connections} {mode}")
    make, options = SERVERS[name]
    file = tmp_path / "export"
    with open(file, "wb") as export:
        export.truncate(SIZE)
    modes = ["buffered"] if mode == "buffered" else ["zero"]
    with make(file) as server, \
            Disk(guest, server, connections=connections, timeout=2, **options) as disk:
        job = start(disk, rng.randrange(1 << 32), *modes)

        def completed():
            assert job.running, job.output
            return int(guest.run(f"awk '{{print $1 + $5}}' {disk.sys}/stat").output)

        def witness():
            return guest.run(f"grep . {disk.sys}/ballast/* {disk.sys}/inflight; "
                             f"ss -tinoH dst {server.address}", check=False).output

        foe = nemesis.Nemesis(rng, guest, server, file, completed, witness)
        try:
            foe.go_on(6 * ROUNDS)
            until(lambda: disk.file("ballast/state") == "live", 60, "the disk to be live")
            said = end(job)
        finally:
            print(f"{foe.report()}; {disk.file('ballast/reconnects')} reconnects")
            print(job.output)
        assert job.status == 0, said


class Lying:
    """An honest server, but for one write in a hundred."""

    def __init__(self, lie):
        self.memory = nbd.Memory(SIZE)
        self.lie = lie
        self.writes = 0
        self.kept = []

    def serve(self, connection):
        nbd.negotiate(connection, SIZE)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if request.type == nbd.WRITE:
                self.writes += 1
            if request.type == nbd.WRITE and self.writes % 100 == 0:
                connection.sendall(self.lie(self, request))
            else:
                connection.sendall(self.memory.answer(request))

    def lost(self, request):
        return nbd.simple(request)

    def again(self, request):
        """A write of the past is executed once more, as by a connection that was given up."""
        answer = self.memory.answer(request)
        self.kept.append(request)
        if len(self.kept) > 1:
            self.memory.answer(self.kept.pop(0))
        return answer

    def torn(self, request):
        """The second half is not there."""
        self.memory.answer(request._replace(length=256, data=request.data[:256]))
        return nbd.simple(request)

    def elsewhere(self, request):
        self.memory.answer(request._replace(offset=request.offset ^ 512))
        return nbd.simple(request)


@pytest.mark.parametrize("name", ["lost", "again", "torn", "elsewhere"])
def test_the_checker_finds(guest, seed, name):
    print(f"BALLAST_SEED={seed}")
    liar = Lying(getattr(Lying, name))
    with servers.ScriptedServer(liar.serve) as server, Disk(guest, server) as disk:
        job = start(disk, seed, seconds=60)
        until(lambda: "VIOLATION" in job.output, 60, "a violation to be found")
        said = end(job)
        print(next(line for line in said.splitlines() if "VIOLATION" in line))
        assert job.status == 1, said
        assert not server.errors


@pytest.mark.parametrize("modes", [("zero",), ("buffered",)])
def test_the_checker_finds_nothing(guest, seed, modes):
    """Where nothing is wrong."""
    print(f"BALLAST_SEED={seed}")
    with servers.ScriptedServer(nbd.Memory(SIZE).serve) as server, \
            Disk(guest, server, connections=3) as disk:
        job = start(disk, seed, *modes, seconds=4)
        assert job.wait(60) == 0, job.output
        print(job.output)
        assert int(re.search(r"(\d+) writes", job.output)[1]) > 100
