#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many processors: started by make bench-processors.

Where locks are waited for, and how often, with one connection and with one for each processor,
beside in-tree nbd. QEMU runs the processors of that guest at once.
"""

import os
import re
from collections import Counter
from contextlib import contextmanager

import bench
from jobs import Job, fio
from rig import module
from rig.disk import Disk
from rig.vm import VM

BUSY = 4                    # processors of the guest
WAITS = (Job("4k read", "randread", "4k", 8, "iops"),
         Job("4k write", "randwrite", "4k", 8, "iops"),
         Job("128k read", "read", "128k", 4, "iops"))
SITES = 6                   # of each disk, that are shown
TRACING = "/sys/kernel/tracing"
# Spinlocks, also those that only one processor waits for, which have no event; processes that
# wait for a socket; and the locks that a process sleeps for.
EVENTS = {
    "kprobes/spins": "hist:keys=stacktrace",
    "kprobes/waits_for_socket": "hist:keys=stacktrace",
    "lock/contention_begin": "hist:keys=stacktrace if !(flags & 1)",
}
LOCKS = re.compile(r"_raw_|.*queued_spin|.*_slowpath|__lock_sock|lock_sock_nested|.*mutex_lock|"
                   r"rwsem_|down_|.*contention_begin|kprobe|ftrace_|0x|\[unknown")


@contextmanager
def nbd(guest, address, port, connections):
    guest.run(f"modprobe nbd && nbd-client {address} {port} /dev/nbd0 -N bench -C {connections}")
    try:
        yield "/dev/nbd0"
    finally:
        guest.run("nbd-client -d /dev/nbd0")


def site(stack):
    """Who takes the lock."""
    frames = [re.sub(r"[+.].*", "", line.strip()) for line in stack.strip().splitlines()]
    return next((frame for frame in frames if frame and not LOCKS.match(frame)), "?")


def waits(guest, path, job, seconds):
    """(how often a lock was waited for, in 1,000 requests; {call site: the same})"""
    def done():
        reads, writes = guest.run(f"awk '{{ print $1, $5 }}' /sys/block/{path[5:]}/stat"
                                  ).output.split()
        return int(reads) + int(writes)

    for event, trigger in EVENTS.items():
        guest.run(f"echo '{trigger}' > {TRACING}/events/{event}/trigger")
    before = done()
    fio(guest, path, job, seconds, f"--numjobs={BUSY} --group_reporting "
        f"--cpus_allowed=0-{BUSY - 1} --cpus_allowed_policy=split")
    requests, found = done() - before, Counter()
    for event, trigger in EVENTS.items():
        said = guest.run(f"cat {TRACING}/events/{event}/hist; "
                         f"echo '!{trigger}' > {TRACING}/events/{event}/trigger").output
        for stack, hits in re.findall(r"\{ stacktrace:\n(.*?)\} hitcount: +(\d+)", said, re.S):
            found[site(stack)] += int(hits)
    return 1000 * sum(found.values()) / requests, {
        name: 1000 * hits / requests for name, hits in found.most_common(SITES)}


def contend(server, seconds, out, say):
    rows = []
    with VM(memory=bench.MEMORY, cpus=BUSY, queues=BUSY, name="locks", logs=out) as guest, \
            bench.SERVERS[server]() as there:
        about = bench.describe(guest, {}, server, "make bench-processors")
        module.load(guest)
        guest.run(f"echo 'p:spins native_queued_spin_lock_slowpath' > {TRACING}/kprobe_events; "
                  f"echo 'p:waits_for_socket __lock_sock' >> {TRACING}/kprobe_events")
        for connections in (1, BUSY):
            with Disk(guest, there, export="bench", connections=connections) as disk, \
                    nbd(guest, there.address, there.port, connections) as path:
                for job in WAITS:
                    for subject, its in (("ballast", disk.path), ("nbd", path)):
                        number, sites = waits(guest, its, job, seconds)
                        rows.append({"job": job.name, "connections": connections,
                                     "disk": subject, "waits in 1,000 requests": round(number),
                                     "at": ", ".join(f"{name} {hits:.1f}"
                                                     for name, hits in sites.items())})
                        say(rows[-1])
    return about, rows


def main():
    options = bench.begin(__doc__, {"seconds": 3})
    lines = []
    say = bench.printer(lines)

    about, results = contend(options.server, options.seconds, options.out, say)
    about["load of the host"] = " ".join(f"{load:.1f}" for load in os.getloadavg())
    bench.report(options.out, "processors", about, lines, results)


if __name__ == "__main__":
    main()
