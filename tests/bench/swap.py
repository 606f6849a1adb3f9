#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Swapping in detail: started by make bench-swap.

How long a page takes to come back, with and without the kernel's readahead
(vm.page-cluster), alone and in order; how many pages a second leave while memory is short;
and what becomes of huge pages.
"""

import os
import statistics

import bench
from jobs import FAULT, HERE, swapping
from rig import programs
from rig.vm import VM

MIB = 64            # that are swapped out
TOUCHES = 1000      # of their pages that are read
HUGE = "/sys/kernel/mm/transparent_hugepage/enabled"
HUGE_OUT = {"thp_swpout": "huge pages out, whole", "thp_swpout_fallback": "huge pages out, split"}
CLUSTERS = (0, 3)   # readahead of 1 and 8 pages; 3 is the default


def vmstat(guest, name):
    return int(guest.run(f"awk '$1 == \"{name}\" {{ n = $2 }} END {{ print n + 0 }}' /proc/vmstat")
               .output)


def fault(guest, cluster, order):
    """What fault.c finds with that readahead: microseconds, and pages a second."""
    said = guest.run(f"""
        echo {cluster} > /proc/sys/vm/page-cluster
        {FAULT % (MIB, TOUCHES, order)} 2> /run/said || {{ cat /run/said; exit 1; }}
        echo 3 > /proc/sys/vm/page-cluster""", timeout=300).output.split()
    return {name: float(value) for name, value in zip(("median", "99 %", "reads", "a page", "out"),
                                                      said)}


def measure(guest, disk, seconds):
    found = {}
    guest.run(f"mkswap {disk} && swapon {disk} && echo never > {HUGE}")
    try:
        for cluster in CLUSTERS:
            alone, inorder = fault(guest, cluster, ""), fault(guest, cluster, "inorder")
            found[f"readahead of {1 << cluster}: a fault, us"] = alone["median"]
            found[f"readahead of {1 << cluster}: a fault, 99 %, us"] = alone["99 %"]
            found[f"readahead of {1 << cluster}: a page in order, us"] = inorder["a page"]
        found["pages out a second, memory short"] = swapping(
            guest, seconds, lambda guest: vmstat(guest, "pswpout"))
        found["pages out a second, reclaimed at once"] = inorder["out"]
        guest.run(f"echo always > {HUGE}")
        before = {name: vmstat(guest, name) for name in HUGE_OUT}
        found["the same of huge pages"] = fault(guest, CLUSTERS[-1], "")["out"]
        for name, what in HUGE_OUT.items():
            found[what] = vmstat(guest, name) - before[name]
    finally:
        guest.run(f"swapoff {disk}", timeout=120)
    return found


def ratios(values, other):
    """Of ballast's figure to another's, round by round; nothing where one of them is 0."""
    return [ours / theirs for ours, theirs in zip(values["ballast"], values[other]) if theirs]


def table(results, subjects):
    """Medians, then the ratios: their median, the least and the most."""
    others = [one for one in subjects if one != "ballast"]
    lines = [f"{'medians':44}" + "".join(f"{bench.TITLES[one]:>13}" for one in subjects)
             + "".join(f"{'/ ' + bench.TITLES[one]:>24}" for one in others)]
    for name, values in results.items():
        line = f"{name:44}" + "".join(f"{statistics.median(values[one]):13.0f}"
                                      for one in subjects)
        for other in others:
            found = ratios(values, other)
            line += (f"{statistics.median(found):10.2f} ({min(found):.2f} to {max(found):.2f})"
                     if found else f"{'-':>24}")
        lines.append(line)
    return "\n".join(lines)


def main():
    options = bench.begin(__doc__, {"rounds": 3, "seconds": 10}, "nbd nvme")
    results, loads = {}, []
    with VM(memory=bench.MEMORY, name="swap", logs=options.out) as guest:
        guest.put("/run/fault", programs.build(HERE / "fault.c").read_bytes(), 0o755)
        with bench.disks(guest, options.peers, bench.SERVERS[options.server]) as (there, _):
            about = bench.describe(guest, there, options.server, "make bench-swap "
                                   f"ROUNDS={options.rounds} RUNTIME={options.seconds}")
            for number in range(options.rounds):
                for subject in list(there)[::-1 if number % 2 else 1]:
                    found = measure(guest, there[subject], options.seconds)
                    for name, value in found.items():
                        results.setdefault(name, {}).setdefault(subject, []).append(value)
                    loads.append(os.getloadavg()[0])
                    print(f"round {number + 1}  {bench.TITLES[subject]}  load {loads[-1]:.1f}  "
                          + "  ".join(f"{value:.0f}" for value in found.values()), flush=True)
                # After each round: in-tree nbd may lock up in the next one.
                about["load of the host"] = f"{min(loads):.1f} to {max(loads):.1f}"
                text = bench.report(options.out, "swap", about, [table(results, list(there))],
                                    results)
    print(text)


if __name__ == "__main__":
    main()
