#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What each part of ballast is worth: runs with it and without it, and Fisher's exact test.

Started by make storm-proof. The two arms of a trial take turns, each run in a
fresh guest. Every run is kept in results.json as it ends, and the next call
goes on where this one was stopped; runs of another module do not count.
"""

import argparse
import datetime
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import run  # noqa: E402
import variables  # noqa: E402
from rig import host, image, module  # noqa: E402
from rig.agent import GuestGone  # noqa: E402
from rig.vm import CommandFailed  # noqa: E402

# PART: STORM VARIABLE=VALUE..., or SUBJECT/SUBJECT in the place of PART. In each, one part is to
# decide: lending where the others can't act, as a capture gets packets before the filter does, and
# NAPI in a thread can't use the reserves for softirqs; once beside ballast without the reserve, and
# once beside the same memory as min_free_kbytes. Those are compared without the other two.
SHORT = "CALM=3 LENGTH=12 AFTER=8"
TRIALS = f"""
    filter: u UDP_MEM=60000 RATE=100M {SHORT};
    reserve: u RESERVE=5500 CAPTURE=22528 THREADED=on RATE=60M {SHORT};
    ballast/min-free: u RESERVE=5500 CAPTURE=22528 THREADED=on RATE=60M {SHORT};
    no-filter+no-reserve/no-filter+no-reserve+no-softirq: u NICS=2 UDP_MEM=30000 RATE=100M {SHORT};
    tcpmem: b TCP_MEM=1000 RATE=100M {SHORT}
"""
LEVEL = 0.01
FAILURES = 3    # runs in a row that could not be made, or said nothing
VERDICTS = ("lived", "starved", "deadlocked")
# What is kept of a result.
FIGURES = ("verdict", "verify", "rate", "gap", "silence", "lent", "lends", "in_use_ms", "dropped",
           "kept", "dropped2", "rescues", "packets", "packets2", "udp_mem", "lost", "load",
           "allocation_failures", "alarms", "probe", "logs")


@dataclass(frozen=True)
class Trial:
    """Two subjects in one storm."""

    text: str           # as it was asked for
    arms: tuple         # names of subjects: whole, without
    storm: str
    conditions: run.Conditions


def trial(text):
    """The trial of one entry of TRIALS; ValueError says what is wrong with it."""
    part, colon, line = (word.strip() for word in text.partition(":"))
    if not colon:
        raise ValueError(f"{text!r} is not PART: STORM VARIABLE=VALUE...")
    whole, slash, other = part.partition("/")
    arms = (whole, other) if slash else ("ballast", f"no-{part}")
    storm, conditions = variables.of_line(line)
    for arm in arms:
        run.prepared(arm, storm, conditions)
    return Trial(f"{part}: {' '.join(line.split())}", arms, storm, conditions)


def trials(text):
    return [trial(entry) for entry in text.split(";") if entry.strip()]


def fisher(lived, runs, other_lived, other_runs):
    """Fisher's exact test, two-sided: how likely such a difference is by chance.

    Four lines, where scipy would be 100 MB to install.
    """
    total = lived + other_lived

    def ways(count):
        return math.comb(runs, count) * math.comb(other_runs, total - count)
    possible = range(max(0, total - other_runs), min(runs, total) + 1)
    return sum(ways(count) for count in possible if ways(count) <= ways(lived)) / math.comb(
        runs + other_runs, total)


class Book:
    """All runs, in a file."""

    def __init__(self, path):
        self.path = path
        self.runs = json.loads(path.read_text())["runs"] if path.exists() else []

    def add(self, trial_, arm, ko, result):
        self.runs.append({"trial": trial_.text, "arm": arm, "module": ko,
                          "when": datetime.datetime.now().isoformat(timespec="seconds"),
                          **{name: result.get(name) for name in FIGURES}})
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps({"runs": self.runs}, indent=1) + "\n")
        part.replace(self.path)

    def counts(self, trial_, arm, ko):
        """How many runs of that module had each verdict; a void one says nothing."""
        verdicts = [one["verdict"] for one in self.runs if
                    (one["trial"], one["arm"], one["module"]) == (trial_.text, arm, ko)]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}


def judged(counts, others):
    """The p-values of what both arms did, and whether it proves anything."""
    runs, other_runs = sum(counts.values()), sum(others.values())
    lived = fisher(counts["lived"], runs, others["lived"], other_runs)
    return {"lived": lived, "deadlocked": fisher(counts["deadlocked"], runs,
                                                 others["deadlocked"], other_runs),
            "proved": lived < LEVEL and counts["lived"] == runs}


def cells(counts):
    return "/".join(str(counts[verdict]) for verdict in VERDICTS)


def table(trials_, book, ko_of):
    """Each trial a line."""
    width = max(len(one.text) for one in trials_)
    lines = [f"{'trial':{width}} {'whole':>12} {'without':>12} {'p lived':>10} {'p dead':>10} "
             "proved"]
    for one in trials_:
        counts, others = (book.counts(one, arm, ko_of(one)) for arm in one.arms)
        found = judged(counts, others)
        lines.append(f"{one.text:{width}} {cells(counts):>12} {cells(others):>12} "
                     f"{found['lived']:10.2g} {found['deadlocked']:10.2g} "
                     f"{'yes' if found['proved'] else 'no':>6}")
    return "\n".join([*lines, "", LEGEND])


LEGEND = f"""\
whole, without: runs that lived/starved/deadlocked, of ballast and of ballast without the part, or
of the two subjects that are named. p lived, p dead: Fisher's exact test, two-sided, of living and
of the deadlock. proved: each run of the whole lived, and p lived is under {LEVEL}.
"""


def next_run(trials_, book, ko_of, runs):
    """The arm whose turn it is: (trial, arm), or None when all runs are made.

    Round by round, and in every second round the other arm first.
    """
    for number in range(runs):
        for one in trials_:
            for arm in one.arms[::-1] if number % 2 else one.arms:
                if sum(book.counts(one, arm, ko_of(one)).values()) <= number:
                    return one, arm
    return None


def go_on(trials_, book, kos, options):
    """Make the runs that are missing; returns whether all of them are there."""
    def ko_of(one):
        return Path(kos[key(one.conditions)]).parent.name

    failures, began, made = 0, time.monotonic(), 0
    missing = sum(max(0, options.runs - sum(book.counts(one, arm, ko_of(one)).values()))
                  for one in trials_ for arm in one.arms)
    while (turn := next_run(trials_, book, ko_of, options.runs)) and failures < FAILURES:
        one, arm = turn
        left = (time.monotonic() - began) / made * (missing - made) / 60 if made else 0
        print(f"\n== {made + 1} of {missing}{f', {left:.0f} min left' if left else ''}: {arm} in "
              f"{one.text}; load {os.getloadavg()[0]:.1f}", flush=True)
        logs = Path(options.out) / "logs" / f"{len(book.runs)}-{arm}"
        try:
            result = run.run(arm, one.storm, one.conditions, Path(kos[key(one.conditions)]), logs)
        except (CommandFailed, GuestGone, RuntimeError, TimeoutError, OSError) as error:
            print(f"no run: {error}", flush=True)
            failures += 1
            continue
        book.add(one, arm, ko_of(one), result)
        failures = 0 if result["verdict"] in VERDICTS else failures + 1
        made += result["verdict"] in VERDICTS
        text = table(trials_, book, ko_of)
        (Path(options.out) / "table.txt").write_text(text)
        print(f"{run.outcome(result)}\n\n{text}", flush=True)
    if not made:
        print(table(trials_, book, ko_of))
    return not turn


def key(conditions):
    """What a module is built for, as text."""
    flavour = variables.flavour(conditions)
    return f"{conditions.suite} {flavour}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proofs", default=" ".join(TRIALS.split()))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--out", default="build/storm-proof")
    options = variables.parse(parser, sys.argv[1:])
    try:
        wanted = trials(options.proofs)
    except ValueError as error:
        parser.error(str(error))
    if not host.inside():
        kos = {}
        for name in {key(one.conditions) for one in wanted}:
            host.say(f"guest image: {image.get(*name.split()).release}")
            kos[name] = str(module.build(*name.split()).path)
        host.enter(json.dumps(kos))
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    return not go_on(wanted, Book(out / "results.json"), json.loads(host.inside()), options)


if __name__ == "__main__":
    sys.exit(main())
