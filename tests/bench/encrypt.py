#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What encryption costs. Started by make bench-encrypt.

One guest has three disks: one in the clear, one as ballastctl attach --encrypt makes it,
and one with the same cipher, but through dm-crypt's work queues. They take turns. Prints
the median of the ratios, round by round, to the one in the clear.
"""

import statistics

import bench
from jobs import MIB, SIZE, Job
from rig import ctl
from rig.vm import VM

JOBS = [Job(f"{rw} 4k qd32", rw, "4k", 32, "iops", "request") for rw in ("randread", "randwrite")]
QUEUES = """cryptsetup open --batch-mode --type=plain --cipher=aes-xts-plain64 --key-size=512
    --key-file=/dev/random --sector-size=4096 --offset=2048 /dev/ballast2 queues"""


def prepare(guest, server):
    """{subject: its device}"""
    uri = ctl.uri(server, "bench")
    ctl.run(guest, f"attach {uri} index=1 --swap --encrypt")
    encrypted = guest.run("awk 'END { print $1 }' /proc/swaps && swapoff -a").output.strip()
    # All three are of one export, and what is in it does not matter to fio.
    ctl.run(guest, f"attach {uri} index=0")
    ctl.run(guest, f"attach {uri} index=2")
    guest.run(" ".join(QUEUES.split()))
    # A hole is read more quickly than data.
    guest.run(f"dd if=/dev/urandom of=/dev/ballast0 bs=1M count={SIZE // MIB} oflag=direct",
              timeout=300)
    return {"clear": "/dev/ballast0", "encrypted": encrypted, "queues": "/dev/mapper/queues"}


def measure(devices, guest, options, say):
    """{figure: {subject: a value of each round}}"""
    found = {}
    for number in range(options.rounds):
        for job in JOBS:
            order = list(devices)
            for subject in order if number % 2 == 0 else reversed(order):
                figures, _ = job.run(guest, devices[subject], options.seconds)
                for name in (job.name, job.cost_of("processor")):
                    key = name if name == job.name else f"{job.name}, processor"
                    found.setdefault(key, {}).setdefault(subject, []).append(figures[name])
        say(f"round {number + 1} of {options.rounds}")
    return found


def main():
    options = bench.begin(__doc__, {"rounds": 5, "seconds": 4})
    with VM(memory=512, name="encrypt", logs=options.out) as guest:
        ctl.install(guest)
        with bench.SERVERS[options.server]() as server:
            about = bench.describe(guest, {}, options.server, "make bench-encrypt")
            found = measure(prepare(guest, server), guest, options, lambda text: print(
                text, flush=True))
    lines = []
    for name, values in found.items():
        for subject in ("encrypted", "queues"):
            ratios = [with_it / without
                      for with_it, without in zip(values[subject], values["clear"])]
            lines.append(f"{name:30}{subject:10} median ratio {statistics.median(ratios):.2f} "
                         f"({min(ratios):.2f} to {max(ratios):.2f}) "
                         f"of {statistics.median(values['clear']):.0f}")
    print(bench.report(options.out, "encrypt", about, lines, found))


if __name__ == "__main__":
    main()
