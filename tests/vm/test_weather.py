# SPDX-License-Identifier: GPL-2.0
"""A bad line: packets lost, late, or out of order. It is slow, and nothing is lost or wrong."""

import os
import threading
from contextlib import nullcontext

import pytest

from rig import line, servers
from rig.disk import Disk
from rig.load import verifying
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
SECONDS = 4 * ROUNDS
REQUESTS = 100 * ROUNDS
pytestmark = pytest.mark.console_ok("ballast: ")

WEATHER = {
    "fair": lambda guest: nullcontext(),
    "5 % lost": lambda guest: line.loss(guest, 5),
    "200 ms late": lambda guest: line.netem_both(guest, "delay 100ms"),
    "out of order": lambda guest: line.netem_both(guest, "delay 10ms reorder 25% 50%"),
    "twice": lambda guest: line.netem_both(guest, "duplicate 5%"),
}


@pytest.mark.parametrize("kind", WEATHER)
@pytest.mark.parametrize("connections", [1, 4] if ROUNDS > 1 else [4])
def test_weather(shared_vm, kind, connections):
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap", connections=connections) as disk, \
            verifying(disk) as completed:
        with WEATHER[kind](shared_vm):
            began = completed()
            threading.Event().wait(SECONDS)
            until(lambda: completed() > began + REQUESTS, 300, "requests to be completed")
            done = completed() - began
            assert disk.file("ballast/state") in ("live", "reconnecting")
        print(f"{kind}: {done} requests, {disk.file('ballast/reconnects')} reconnects")
