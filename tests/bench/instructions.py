#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions of the guest for a request: started by make bench-instructions.

A cost that does not depend on what else the machine does: in this guest, of one processor,
a nanosecond passes with each instruction, so what its clock says less what it was idle is
how many there were. fio's own are among them, the same for every disk; its start is
taken out by the difference of two runs.
"""

import statistics

import bench
from jobs import SIZE
from rig.vm import VM

# (name, fio's rw, block, depth, requests)
JOBS = (
    ("4k read, depth 1", "randread", "4k", 1, 16000),
    ("4k read, depth 32", "randread", "4k", 32, 40000),
    ("4k write, depth 32", "randwrite", "4k", 32, 40000),
    ("128k read, depth 16", "read", "128k", 16, 6000),
    ("128k write, depth 16", "write", "128k", 16, 6000),
)
FEW = 500
SWAP = "4k swap out"
# Pages of random data are swapped out, one a request, and dropped. MADV_PAGEOUT is 21.
SWAP_OUT = """
import mmap, os, sys, time
SIZE, data = 64 << 20, os.urandom(4096)

def uptime():
    return [float(word) for word in open("/proc/uptime").read().split()]

busy = 0
for _ in range(int(sys.argv[2])):
    memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, SIZE, 4096):
        memory[at:at + 4096] = data
    began = uptime()
    memory.madvise(21)
    while open(f"/sys/block/{sys.argv[1]}/inflight").read().split() != ["0", "0"]:
        time.sleep(0.01)
    ended = uptime()
    busy += ended[0] - began[0] - (ended[1] - began[1])
    memory.close()
print(busy * 1e9 / (SIZE // 4096) / int(sys.argv[2]))
"""


def busy(guest, disk, rw, block, depth, requests):
    """Seconds, by the guest's clock, that it was not idle during so many requests."""
    said = guest.run(f"""
        cat /proc/uptime
        fio --name=count --filename={disk} --rw={rw} --bs={block} --iodepth={depth} \
            --ioengine=libaio --direct=1 --size={SIZE} --io_size={SIZE * 1000} \
            --number_ios={requests} --norandommap --randrepeat=0 --output-format=terse > /run/fio ||
            exit
        cat /proc/uptime""", timeout=900).output
    (began, idle), (ended, idle_after) = (map(float, line.split())
                                          for line in said.splitlines()[-2:])
    return (ended - began) - (idle_after - idle)


def swap_out(guest, disk):
    """Instructions for a page that is swapped out in a request of its own."""
    name = disk.rpartition("/")[2]
    said = guest.run(f"""mkswap {disk} > /dev/null && swapon {disk} &&
        echo 2 > /sys/block/{name}/queue/nomerges &&
        python3 /run/swap-out {name} 8; status=$?
        echo 0 > /sys/block/{name}/queue/nomerges; swapoff {disk}; exit $status""", timeout=900)
    return float(said.output.split()[-1])


def main():
    options = bench.begin(__doc__, {"rounds": 3}, "nbd nvme")
    counts = {}
    with VM(memory=bench.MEMORY, cpus=1, icount=True, name="count", logs=options.out,
            boot_timeout=300) as guest:
        with bench.disks(guest, options.peers, bench.SERVERS[options.server]) as (there, _):
            about = bench.describe(guest, there, options.server,
                                   f"make bench-instructions ROUNDS={options.rounds}")
            guest.put("/run/swap-out", SWAP_OUT.encode())
            for number in range(options.rounds):
                for subject, path in there.items():
                    counts.setdefault(SWAP, {}).setdefault(subject, []).append(
                        swap_out(guest, path))
                show(number, SWAP, counts[SWAP])
                for name, *job, requests in JOBS:
                    for subject, path in there.items():
                        took = (busy(guest, path, *job, FEW + requests)
                                - busy(guest, path, *job, FEW))
                        counts.setdefault(name, {}).setdefault(subject, []).append(
                            took * 1e9 / requests)
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
