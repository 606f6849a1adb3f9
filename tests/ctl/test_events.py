# SPDX-License-Identifier: GPL-2.0
"""events: a line for each change of the files, until as many were printed."""

import json
import os
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import CTL


@contextmanager
def events(tree, *arguments):
    """The lines that are printed, one after the other; each is waited for."""
    if not CTL:
        pytest.skip("BALLASTCTL names no ballastctl to test")
    process = subprocess.Popen([os.path.abspath(CTL), "events", *arguments], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "BALLAST_ROOT": str(tree.root)})
    try:
        yield process, lambda: process.stdout.readline().rstrip("\n")
    finally:
        process.kill()
        process.communicate()


def untimed(line):
    when, rest = line.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    return rest


def wait_started(process):
    """It sleeps, with files open: it has looked once."""
    end = time.monotonic() + 20
    while True:
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]
        if state == "S" and os.path.exists(f"/proc/{process.pid}/fd/4"):
            return
        assert process.poll() is None and time.monotonic() < end


def test_lines(tree):
    tree.disk()
    tree.reserve(grade="calm")
    with events(tree, "-n", "7") as (process, line):
        wait_started(process)
        tree.disk("ballast9")
        assert {untimed(line()), untimed(line())} == {"ballast9 state - live",
                                                      "ballast9 verify - on"}
        tree.write("sys/block/ballast0/ballast/reason", "connection 0: it \x1b broke\n")
        tree.write("sys/block/ballast0/ballast/state", "reconnecting\n")
        assert untimed(line()) == \
            "ballast0 state live reconnecting connection 0: it \\x1b broke"
        tree.write("sys/block/ballast0/ballast/reconnects", "3\n")
        tree.write("sys/block/ballast0/ballast/state", "live\n")
        assert untimed(line()).startswith("ballast0 state reconnecting live")
        tree.write("sys/class/net/eth0/ballast/grade", "critical\n")
        assert untimed(line()) == "eth0 grade calm critical 61 of 561 pages lent"
        # Files of a disk that is gone can't be read.
        for file in "state", "verify":
            tree.write(f"sys/block/ballast9/ballast/{file}", "")
        assert {untimed(line()), untimed(line())} == {"ballast9 state live -",
                                                      "ballast9 verify on -"}
        assert process.wait(20) == 0


def test_an_outage_between_two_looks(tree):
    tree.disk(reason="connection 1: the connection was closed")
    with events(tree, "ballast0", "-n", "2", "--json") as (process, line):
        wait_started(process)
        tree.disk("ballast1")
        tree.write("sys/block/ballast0/ballast/reconnects", "4\n")
        first, second = json.loads(line()), json.loads(line())
        assert process.wait(20) == 0
    assert first.pop("time") <= second.pop("time")
    assert first == {"name": "ballast0", "what": "state", "from": "live", "to": "reconnecting",
                     "why": "connection 1: the connection was closed"}
    assert second == {"name": "ballast0", "what": "state", "from": "reconnecting", "to": "live",
                      "why": "3 connections restored"}


@pytest.mark.parametrize("arguments, why", [
    (["ballast7"], "ballast7: neither a disk of ballast nor"),
    (["-n", "0"], "-n: 0 is not a number"),
    (["-n+5"], "-n: +5 is not a number"), (["-n"], "-n: the number is missing"),
    (["--all"], "--all: no such option"), (["ballast0", "x"], "x: only one disk or interface"),
])
def test_bad_arguments(ctl, tree, arguments, why):
    tree.disk()
    said = ctl("events", *arguments)
    assert (said.status, said.out) == (2, "") and why in said.err
