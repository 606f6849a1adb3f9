"""The server dies, or its packets do, again and again in the middle of storm (c).

BALLAST_ROUNDS multiplies how often; 1 by default, a fast form for make check.
"""

import os
import random
import statistics
import threading
import time

import pytest

import run
from rig import host, module, net
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
OUTAGES = 4 * ROUNDS
AWAY = 3            # seconds, at most
BACK = 15           # seconds until the machine swaps again, at most
DEBUG_MEMORY = 512  # MiB; half of it are the debug kernel's own notes


class Outages(threading.Thread):
    """Goes on beside the storm; servers live as long as the thread that starts them."""

    def __init__(self, break_it, mend):
        super().__init__()
        self.break_it, self.mend = break_it, mend
        self.took, self.failed = [], None
        self.storm, self.over = None, threading.Event()

    def __call__(self, storm):
        self.storm = storm
        self.start()

    def run(self):
        try:
            for _ in range(OUTAGES):
                self._one()
        except Exception as error:      # pylint: disable=broad-except
            self.failed = error         # whoever waits for the thread says it
        self.over.wait()

    def _one(self):
        self.break_it(self.storm)
        threading.Event().wait(random.random() * AWAY)
        self.mend(self.storm)
        began = time.monotonic()
        # It has gone on when a request was completed of late, later than that.
        until(lambda: self._going_since(began), BACK, "the machine to swap again")
        self.took.append(time.monotonic() - began)

    def _going_since(self, began):
        last = self.storm.samples.last
        return last.time > began and last.gap < 1000 * (last.time - began) and last.rate_in > 0

    def end(self):
        self.over.set()
        self.join(60)
        if self.failed:
            raise self.failed


def unplug(storm):
    net.ip("link", "set", storm.guest.network.taps[0], "nomaster")


def plug(storm):
    net.ip("link", "set", storm.guest.network.taps[0], "master", net.BRIDGE)


KINDS = {
    "server-killed": (lambda storm: storm.server.stop(), lambda storm: storm.server.start()),
    "packets-dropped": (unplug, plug),
}


@pytest.mark.parametrize("kind", KINDS)
def test_outages(kind, suite, flavour, request):
    debug = suite == "debug"
    ko = module.build(suite, flavour or "cloud-amd64" if not debug else "amd64").path
    outages = Outages(*KINDS[kind])
    # A sample a second: seconds more than it takes, so that all are within the storm.
    conditions = run.Conditions(suite=suite, flavour=flavour, calm=5, after=8,
                                length=run.ACT + OUTAGES * (AWAY + (8 if debug else 3)),
                                memory=DEBUG_MEMORY if debug else run.Conditions.memory)
    print(f"\n{run.HEADING}")
    try:
        result = run.run("ballast", "c", conditions, ko,
                         host.logs() / request.node.name,
                         lambda *second: print(run.line(*second), flush=True), outages)
    finally:
        outages.end()
    print(run.outcome(result), flush=True)
    print(f"{len(outages.took)} times {kind}; back after {statistics.median(outages.took):.1f} s, "
          f"{max(outages.took):.1f} s at most (seen once a second)")
    assert len(outages.took) == OUTAGES
    assert result["verdict"] in ("lived", "starved")    # how fast is a timing
    assert result["verify"] == "clean"
    assert not result["alarms"], "\n".join(result["alarms"])
    assert result["unloaded"]
    assert not result["leaks"], result["leaks"]
