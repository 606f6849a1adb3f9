# SPDX-License-Identifier: GPL-2.0
"""How long a read and a write wait after their server has come back.

BALLAST_ROUNDS multiplies how often; 1 by default, a fast form for make check.
"""

import os
import random
import statistics
import threading
import time

import pytest

from rig import servers, stall
from rig.disk import Disk
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
pytestmark = pytest.mark.console_ok("ballast: ")

# A read and a write are always under way, and each says when it has ended.
PROBE = """
import mmap, os, sys, threading, time
disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)

def go(call, place, letter):
    page = mmap.mmap(-1, 4096)
    while True:
        call(disk, [page], place)
        os.write(1, letter)
        time.sleep(0.02)

threading.Thread(target=go, args=(os.pwritev, 4096, b"w")).start()
go(os.preadv, 0, b"r")
"""


def first_answers(job, before):
    """Seconds from now to the end of the first read and write that it says after so much."""
    began, took = time.monotonic(), {}

    def both():
        for what in ("read", "write"):
            if what not in took and what[0].encode() in job.data[before:]:
                took[what] = time.monotonic() - began
        return len(took) == 2

    until(both, 30, "a read and a write after the server's return", 0.005)
    return took


@pytest.mark.parametrize("how", ["killed", "terminated"])
@pytest.mark.parametrize("name", servers.ON_A_FILE)
def test_server_restarted(shared_vm, tmp_path, name, how):
    """SIGKILL, or SIGTERM; it is back after up to 3 s. Counted from when it listens."""
    make, options = servers.ON_A_FILE[name]
    end = {"killed": lambda server: server.stop(), "terminated": stall.terminate}[how]
    file = tmp_path / "export"
    with open(file, "wb") as export:
        export.truncate(64 << 20)
    shared_vm.put("/usr/local/bin/probe", PROBE.encode())
    took = []
    with make(file) as server, Disk(shared_vm, server, **options) as disk:
        job = shared_vm.spawn(f"exec python3 /usr/local/bin/probe {disk.path}")
        job.wait_output("r")
        job.wait_output("w")
        for _ in range(ROUNDS):
            end(server)
            threading.Event().wait(3 * random.random())
            until(lambda: disk.file("ballast/inflight") == "2", 10, "both to be under way")
            before = len(job.data)
            server.start()
            took.append(first_answers(job, before))
        job.kill()
    for what in ("read", "write"):
        values = [one[what] for one in took]
        print(f"{name} {how}: first {what} after {statistics.median(values):.2f} s (median of "
              f"{len(values)}), {max(values):.2f} s at most")
        assert max(values) < 10
