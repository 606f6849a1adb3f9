# SPDX-License-Identifier: GPL-2.0
"""Servers that are asked to end: some refuse what comes then; clients must go elsewhere."""

import os
import threading

import pytest

from rig import nbd, servers, stall
from rig.disk import Disk
from rig.load import verifying
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
pytestmark = pytest.mark.console_ok("ballast: ")


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("name", servers.ON_A_FILE)
def test_terminated_again_and_again(shared_vm, tmp_path, name, connections):
    make, options = servers.ON_A_FILE[name]
    file = tmp_path / "export"
    with open(file, "wb") as export:
        export.truncate(64 << 20)
    with make(file) as server, \
            Disk(shared_vm, server, connections=connections, **options) as disk, \
            verifying(disk) as completed:
        for _ in range(3 * ROUNDS):
            stall.terminate(server)
            before = completed()
            server.start()
            until(lambda: completed() > before, 30, "an answer after the server's return")
        assert int(disk.file("ballast/reconnects")) >= 3


@pytest.mark.parametrize("op", ["read", "write", "flush"])
def test_shutdown_is_no_error(shared_vm, op):
    """NBD_ESHUTDOWN: the request is answered by the next connection."""
    memory = nbd.Memory(8 << 20)
    ending = threading.Event()
    kind = {"read": nbd.READ, "write": nbd.WRITE, "flush": nbd.FLUSH}[op]
    refused = []

    def serve(connection):
        nbd.negotiate(connection, memory.size)
        first = len(server.connections) == 1
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if first and ending.is_set() and request.type == kind:
                refused.append(request)
                connection.sendall(nbd.simple(request, 108))
            else:
                connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        ending.set()
        job = shared_vm.spawn({
            "read": f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=64 iflag=direct",
            "write": f"dd if=/dev/zero of={disk.path} bs=4k count=1 seek=64 oflag=direct",
            "flush": f"sync {disk.path}",
        }[op] + " 2>&1")
        assert job.wait(20) == 0, job.output
        assert refused and len(server.connections) == 2
