#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions of a request, the same in every run: started by make bench-count.

In a guest that is its own server (alone.py), so the server and both ends of the line are in
the figure, and what else the machine does is not. tests/bench/test_count.py compares it with
the record, instructions.json; --record=yes writes that. --peers=verify-off says what verify=on
costs.
"""

import json
import statistics
from pathlib import Path

import bench
from alone import Alone
from rig import emulator

RECORD = Path(__file__).resolve().parent / "instructions.json"
LIMIT = 0.03    # more than recorded, of what is not the server's
# (name, what alone.py takes)
JOBS = {
    "4k read, depth 1": ("read", 4096, 1, 4000, "random"),
    "4k read, depth 32": ("read", 4096, 32, 8000, "random"),
    "4k write, depth 32": ("write", 4096, 32, 8000, "random"),
    "128k read, depth 16": ("read", 131072, 16, 2000),
    "128k write, depth 16": ("write", 131072, 16, 2000),
}


def count(guest, names, rounds, **attach):
    """{name: {"all": instructions of a request, "server": of them the server's}}, medians."""
    taken = {name: [] for name in names}
    with guest.disk(**attach) as disk:
        for number in range(rounds + 1):
            for name in names:
                counted = guest.requests(disk, *JOBS[name])
                if number:  # the first round of a connection differs by some percent
                    taken[name].append(counted)
    return {name: {"all": round(statistics.median(one for one, _ in values)),
                   "server": round(statistics.median(two for _, two in values)),
                   "each": [round(one) for one, _ in values]}
            for name, values in taken.items()}


def recorded():
    return json.loads(RECORD.read_text())


def qemu():
    """Versions count string instructions differently."""
    return "%d.%d" % emulator.version()


def change(counted, before):
    """What a request costs more than recorded, as a part of what is not the server's."""
    return (counted["all"] - before["all"]) / (before["all"] - before["server"])


def over(counts, before):
    """The jobs that cost too much."""
    return [name for name, counted in counts.items()
            if name in before and change(counted, before[name]) > LIMIT]


def table(counts, before):
    lines = [f"{'instructions a request':24}{'all':>10}{'server':>10}{'recorded':>10}{'change':>9}"]
    for name, counted in counts.items():
        line = f"{name:24}{counted['all']:10}{counted['server']:10}"
        if name in before:
            line += f"{before[name]['all']:10}{change(counted, before[name]):+9.1%}"
        lines.append(f"{line}   {counted['each']}")
    return "\n".join(lines)


def main():
    options = bench.begin(__doc__, {"rounds": 3}, "", only=JOBS, flags=["record"], server=False)
    with Alone(name="count", logs=options.out) as guest:
        counts = count(guest, options.only, options.rounds)
        without = (count(guest, options.only, options.rounds, verify="off")
                   if "verify-off" in options.peers else {})
        release = guest.image.release
    old = recorded()
    text = (f"kernel {release}, QEMU {qemu()}, recorded on {old['kernel']}, QEMU {old['qemu']}\n"
            f"{table(counts, old['jobs'])}")
    if without:
        text += f"\ncompared with verify=off\n{table(counts, without)}"
    print(text)
    bench.write(options.out, "count", text, counts)
    if options.record:
        for name in counts:
            old["jobs"][name] = {key: counts[name][key] for key in ("all", "server")}
        RECORD.write_text(json.dumps({"kernel": release, "qemu": qemu(), "jobs": old["jobs"]},
                                     indent=1) + "\n")


if __name__ == "__main__":
    main()
