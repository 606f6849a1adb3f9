# SPDX-License-Identifier: GPL-2.0
"""ballastctl in storm (c): it answers.

How fast is shown; on a machine with nothing else to do, within 2 s.
"""

import json
import time
from dataclasses import dataclass

import pytest

import run
import subjects
from rig import ctl, host, image, module
from rig.wait import until

CONDITIONS = run.Conditions(calm=5, length=14, after=8)
ANSWER = 10     # seconds: so long a machine that is short of processors may take
TIGHT = 5000    # pages of headroom: what swapping leaves is less, or a little more


@dataclass(frozen=True)
class Watched(subjects.Subject):
    """ballast's disk, and top beside it from the beginning."""

    jobs: tuple = ()

    def attach(self, guest, address):
        ctl.put(guest)
        server = super().attach(guest, address)
        top = guest.spawn("exec ballastctl top -d 0.5")
        top.wait_output("disk ballast0")
        self.jobs[0](top)
        return server


@pytest.fixture(scope="module")
def ko():
    image.get()
    return module.build().path


def test_answers_in_a_storm(ko, request):
    tops, took, gaps = [], [], []

    def ask(storm):
        top, = tops
        guest = storm.guest
        # Memory is tight at once, also on a host that is fast enough to keep it ample.
        guest.run(f"echo {TIGHT} > /sys/class/net/eth0/ballast/lend_below")
        until(lambda: " tight " in top.output or " critical " in top.output, ANSWER,
              "top to say that memory is short")
        end = time.monotonic() + CONDITIONS.length - run.ACT - 1
        while time.monotonic() < end:
            seen, began = top.output.count("memory free"), time.monotonic()
            until(lambda: top.output.count("memory free") > seen, 10, "top to go on")
            gaps.append(round(time.monotonic() - began, 2))
            began = time.monotonic()
            whole = json.loads(guest.run("exec ballastctl status --json").output)
            took.append(round(time.monotonic() - began, 2))
            assert whole["disks"][0]["swap"]["used_bytes"] > 0
            assert whole["reserves"][0]["name"] == "eth0"

    watched = Watched("ballast", "ballast0", "ballast", ballast=True, jobs=(tops.append,))
    print(f"\n{run.HEADING}")
    result = run.run(watched, "c", CONDITIONS, ko, host.logs() / request.node.name,
                     lambda *second: print(run.line(*second), flush=True), ask)
    print(f"{run.outcome(result)}\nasked {len(took)} times: status answered after {max(took)} s "
          f"at most, top after {max(gaps)} s", flush=True)
    assert result["verdict"] in ("lived", "starved")    # how fast is a timing
    # top had its files open all the time, and blocked nothing.
    assert result["unloaded"]
    assert not result["alarms"], "\n".join(result["alarms"])
    assert len(took) > 2 and max(took) < ANSWER and max(gaps) < ANSWER
    assert " disk ballast0 live " in tops[0].output
