# SPDX-License-Identifier: GPL-2.0
"""The table of what ballast must reach; no guest is needed."""

import sys

import pytest

import bench
import figures


def measured(**changed):
    """Figures of one round in which every goal is reached, but for those that are changed."""
    names = {name: {"ballast": [100], "nbd": [], "nvme": [], "limit": []}
             for name in figures.units()}
    for ratios in (figures.LEAST, figures.MOST):
        for (name, other), goal in ratios.items():
            names[name][other] = [100 / goal]
    for name, value in changed.items():
        names[name.replace("_", " ")]["ballast"] = [value]
    return figures.evaluate(names)


def test_jobs_that_were_left_out():
    """Their figures and goals are not in the tables."""
    names = {name: {"ballast": [], "nbd": []} for name in figures.units()}
    names["swap"] = {"ballast": [200], "nbd": [100]}
    results = figures.evaluate(names)
    assert [result["figure"] for result in results] == ["swap"]
    assert verdicts(results, {}) == {"all other cells that have a goal": "pass"}


def verdicts(results, counts):
    lines = figures.goals(results, counts).splitlines()[1:]
    return {line[:44].strip(): line.split()[-1] for line in lines}


def test_all_is_reached():
    found = verdicts(measured(), figures.INSTRUCTIONS)
    assert len(found) == len(figures.GOALS) + len(figures.INSTRUCTIONS) + 1
    assert set(found.values()) == {"pass"}


def test_what_is_short():
    dear = {name: goal + 1 for name, goal in figures.INSTRUCTIONS.items()}
    found = verdicts(measured(swap=50, mixed_4k_qd32=1), dear)
    assert {name for name, verdict in found.items() if verdict == "short"} == {
        "swap pages/s against NVMe/TCP", "all other cells that have a goal",
        *(f"instructions: {name}" for name in dear)}


@pytest.mark.parametrize("word, named", [
    ("--rate=-1", "--rate: -1"), ("--loss=100", "--loss: 100"), ("--delay=x", "--delay"),
    ("--suite=potato", "--suite"), ("--peers=nbd tape", "--peers: 'tape'"),
    ("--only=tape", "--only: 'tape'"),
])
def test_bad_options_are_named(word, named, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench.py", word])
    with pytest.raises(SystemExit):
        bench.arguments()
    assert named in capsys.readouterr().err


def test_the_command_says_what_was_asked(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench.py", "--rounds=", "--rate=100", "--delay=20",
                                      "--suite=trixie-backports", "--peers=nbd zram",
                                      "--only=swap 4k-read-beside-writes"])
    assert bench.command(bench.arguments()) == (
        "make bench ROUNDS=5 RUNTIME=5 PEERS='nbd zram' SUITE=trixie-backports RATE=100 DELAY=20 "
        "ONLY='swap 4k-read-beside-writes'")
