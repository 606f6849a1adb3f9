#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions of the guest for a request: started by make bench-instructions.

A cost that does not depend on what else the machine does: in this guest, of one processor,
a nanosecond passes with each instruction, so what its clock says less what it was idle is
how many there were. fio's own are among them, the same for every disk; its start is
taken out by the difference of two runs. Some of them by name: --only.
"""

import statistics

import bench
import icount


def main():
    options = bench.begin(__doc__, {"rounds": 3}, "nbd nvme",
                          [icount.SWAP, *(name for name, *_ in icount.JOBS)])
    counts = {}
    with bench.counting(options.out) as guest:
        with bench.disks(guest, options.peers, bench.SERVERS[options.server]) as (there, _):
            about = bench.describe(guest, there, options.server,
                                   f"make bench-instructions ROUNDS={options.rounds}")
            icount.prepare(guest)
            for number in range(options.rounds):
                for name in options.only:
                    for subject, path in there.items():
                        counts.setdefault(name, {}).setdefault(subject, []).append(
                            icount.count(guest, path, name))
                    show(number, name, counts[name])
    text = table(counts, about)
    print(f"\n{text}")
    bench.write(options.out, "instructions", text, {"about": about, "counts": counts})


def show(number, name, counts):
    print(f"round {number + 1}  {name:22}" + "".join(
        f"{subject} {values[-1]:9.0f}   " for subject, values in counts.items()), flush=True)


def table(counts, about):
    subjects = list(next(iter(counts.values())))
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"{'instructions a request':24}"
              + "".join(f"{bench.TITLES[subject]:>22}" for subject in subjects)
              + "".join(f"{'/ ' + bench.TITLES[subject]:>16}" for subject in subjects
                        if subject != "ballast")]
    for name, values in counts.items():
        medians = {subject: statistics.median(values[subject]) for subject in subjects}
        spreads = {subject: (max(values[subject]) - min(values[subject])) / 2 / medians[subject]
                   for subject in subjects}
        lines.append(f"{name:24}" + "".join(
            f"{medians[subject]:14.0f} +-{spreads[subject]:4.0%}"
            for subject in subjects) + "".join(
            f"{medians['ballast'] / medians[subject]:16.2f}" for subject in subjects
            if subject != "ballast"))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
