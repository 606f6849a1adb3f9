# SPDX-License-Identifier: GPL-2.0
"""The server dies, or the line fails, again and again in the middle of storm (c).

BALLAST_ROUNDS multiplies how often, and the line fails for up to a minute then; 1 by
default, a fast form for make check.
"""

import os
import random
import statistics
import threading
import time
from contextlib import contextmanager

import pytest

import run
import samples
from rig import host, line, module
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
AWAY = 3            # seconds that a server is, at most
FAILING = 60 if ROUNDS > 1 else 3   # and the line
STOPPED = 30 if ROUNDS > 1 else 3   # a server that is stopped
RECOVERY = 60       # seconds until the machine swaps again, at most
PAUSE = 3           # seconds to swap in between
DEBUG_PAUSE = 8
DEBUG = {"memory": 512, "hogs": 400}    # MiB; half of memory are the kernel's own notes


@contextmanager
def killed(storm):
    storm.server.stop()
    yield
    storm.server.start()


@contextmanager
def one_lost(storm):
    """One of two, for good."""
    storm.server.stop()
    yield
    until(lambda: "Disk failure on ballast0" in storm.guest.console.text, 60, "md to notice")


@contextmanager
def moved(storm):
    """The server's machine crashes, and another takes its address."""
    storm.server.crash()
    yield
    storm.server.take_over()


KILLED = [(killed, AWAY)] * 4
LINE = [
    (lambda storm: line.dropped(storm.guest), FAILING),
    (lambda storm: line.link_down(storm.guest), FAILING),
    (lambda storm: storm.server.paused(), STOPPED),
    (lambda storm: line.other_card(storm.guest), FAILING),
    (lambda storm: line.loss(storm.guest, 5), FAILING),
    (lambda storm: line.netem(storm.guest, "delay 200ms"), FAILING),
    (lambda storm: line.netem(storm.guest, "delay 20ms reorder 25% 50%"), FAILING),
]
KINDS = {"server-killed": KILLED, "line-fails": LINE}


class Outages(threading.Thread):
    """Goes on beside the storm; servers live as long as the thread that starts them."""

    def __init__(self, kinds, pause):
        super().__init__()
        # What, for how many seconds.
        self.plan = [(kind, random.uniform(getattr(kind, "least", int(most > AWAY)), most))
                     for kind, most in kinds]
        self.pause = pause
        self.length = sum(seconds + pause for _, seconds in self.plan)
        self.took, self.failed = [], None
        self.storm, self.over = None, threading.Event()

    def __call__(self, storm):
        self.storm = storm
        self.start()

    def run(self):
        due = time.monotonic()
        try:
            for kind, seconds in self.plan:
                self._one(kind, seconds)
                # So that they fill the storm, and end before it does.
                due += seconds + self.pause
                self.over.wait(max(0, due - time.monotonic()))
        except Exception as error:      # pylint: disable=broad-except
            self.failed = error         # reported by the one that joins the thread
        self.over.wait()

    def _one(self, kind, seconds):
        with kind(self.storm):
            threading.Event().wait(seconds)
        began = time.monotonic()
        # It has gone on when a request was completed of late, later than that.
        until(lambda: self._going_since(began), RECOVERY, "the machine to swap again")
        self.took.append(time.monotonic() - began)

    def _going_since(self, began):
        last = self.storm.samples.last
        return (last.time > began and last.gap < 1000 * (last.time - began) and
                last.rate_in + last.rate_out > 0)

    def end(self):
        self.over.set()
        if self.storm:
            self.join(2 * FAILING + RECOVERY)
        if self.failed:
            raise self.failed


@pytest.fixture
def storm(suite, flavour, request):
    """storm(kinds): a storm with those outages, which the subject must live through."""
    debug = suite == "debug"
    ko = module.build(suite, flavour or "cloud-amd64" if not debug else "amd64").path

    def start(kinds, subject="ballast", **conditions):
        outages = Outages(kinds, DEBUG_PAUSE if debug else PAUSE)
        # The last may be late.
        conditions = run.Conditions(suite=suite, flavour=flavour, calm=5, after=8,
                                    length=run.ACT + outages.length + DEBUG_PAUSE,
                                    **conditions, **DEBUG if debug else {})
        print(f"\n{run.HEADING}")
        try:
            # A debug kernel has no time for more packets than some 2,500 a second.
            result = run.run(subject, "c10" if debug else "c", conditions, ko,
                             host.logs() / request.node.name,
                             lambda *second: print(run.line(*second), flush=True), outages)
        finally:
            outages.end()
        print(run.outcome(result), flush=True)
        print(f"{len(outages.took)} outages, {sum(seconds for _, seconds in outages.plan):.0f} s "
              f"in all; back after {statistics.median(outages.took):.1f} s, "
              f"{max(outages.took):.1f} s at most (seen once a second)")
        check(outages, result, debug)
    return start


def check(outages, result, debug):
    assert len(outages.took) == len(outages.plan)
    # Without a disk it says so all the same. How fast is a timing, as all is on a debug kernel.
    assert result["silence"] < samples.SILENT or debug
    assert result["rate"]["after"] > 0
    assert result["verify"] == "clean"
    assert not result["alarms"], "\n".join(result["alarms"])
    assert result["unloaded"]
    assert not result["leaks"], result["leaks"]


@pytest.mark.parametrize("kind", KINDS)
def test_outages(kind, storm):
    storm(KINDS[kind] * ROUNDS, two_cards=kind == "line-fails")


SLOW = pytest.mark.skipif(ROUNDS < 2, reason="takes a minute: BALLAST_ROUNDS=2 runs it")


@SLOW
def test_server_moves(storm):
    storm([(moved, AWAY + 3)] * 3 * ROUNDS, "moving")


@SLOW
def test_one_of_two_servers_is_lost(storm):
    """As swap under md RAID 1: it goes on without the one that is lost."""
    storm([(one_lost, AWAY)], "raid")
