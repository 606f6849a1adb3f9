#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many clients of one server, and what saturates: started by make bench-fleet.

A client is a disk with an export of its own, and reads and writes as a machine that
swaps does: 4 KiB at random, four requests at a time. All disks are in one guest, so what
its processors take is that of all clients together. There are two servers, which take
turns: nbd-server with an export for each, and one that is limited to 100 Mbit/s for all
together in each direction.
"""

import contextlib
import json
import os
import statistics
import time

import bench
import pictures
from cost import spent
from rig import module
from rig.disk import Disk
from rig.servers import Nbdkit, NbdServer, family
from rig.vm import VM

CLIENTS = (1, 2, 5, 10, 25, 50)
MEMORY = 1536           # MiB, of the guest
SIZE = 64 << 20
PAUSE = 1               # seconds that don't count
TITLES = {"nbd-server": "nbd-server, a file each", "100 Mbit/s": "nbdkit, 100 Mbit/s each way"}


def exports():
    return {f"thin{number}": SIZE for number in range(max(CLIENTS))}


# A server, and the export of a client.
SERVERS = {
    "nbd-server": (lambda: NbdServer(exports()), lambda number: f"thin{number}"),
    "100 Mbit/s": (lambda: Nbdkit("memory", str(SIZE), "rate=100M", filters=["rate"]),
                   lambda number: ""),
}


def processor(server):
    """Seconds that a server's processes have taken; those that have ended do not count."""
    ticks = 0
    for process in family(server.process.pid):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{process}/stat") as stat:
            ticks += sum(map(int, stat.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def load(guest, paths, seconds):
    """fio's jobs, one for each disk."""
    jobs = " ".join(f"--name={path[5:]} --filename={path}" for path in paths)
    said = guest.run("fio --rw=randrw --bs=4k --iodepth=4 --ioengine=libaio --direct=1 --thread "
                     f"--time_based --runtime={seconds} --ramp_time={PAUSE} --norandommap "
                     f"--randrepeat=0 --output-format=json {jobs}",
                     timeout=180 + 10 * seconds).output
    return json.loads(said[said.index("{"):])["jobs"]


def measure(guest, server, export, number, seconds):
    """A row of the table for so many clients."""
    with contextlib.ExitStack() as stack:
        disks = [stack.enter_context(Disk(guest, server, index=index, export=export(index)))
                 for index in range(number)]
        pages = int(guest.run("cat /sys/class/net/eth0/ballast/size_pages").output)
        guest_before, server_before, began = spent(guest), processor(server), time.monotonic()
        jobs = load(guest, [disk.path for disk in disks], seconds)
        took = time.monotonic() - began     # fio's start is in it, in both
        guest_took, server_took = spent(guest) - guest_before, processor(server) - server_before
        for disk in disks:
            if disk.file("ballast/reconnects") != "0":
                raise RuntimeError(f"{disk.name}: the connection broke: these figures are none")
    rates = [job["read"]["iops"] + job["write"]["iops"] for job in jobs]
    return {"clients": number, "MiB/s": round(sum(rates) / 256, 2),
            "requests/s of the slowest": round(min(rates)),
            "requests/s of the fastest": round(max(rates)),
            "ms, median": round(statistics.median(
                job["read"]["clat_ns"]["percentile"]["50.000000"] for job in jobs) / 1e6, 1),
            "ms, 99 %": round(max(
                job["read"]["clat_ns"]["percentile"]["99.000000"] for job in jobs) / 1e6, 1),
            "processors of the guest": round(guest_took.seconds / took, 2),
            "processors of the server": round(server_took / took, 2),
            "pages of the reserve": pages}


def main():
    options = bench.begin(__doc__, {"seconds": 5})
    results, lines = {}, []
    with VM(memory=MEMORY, name="fleet", logs=options.out) as guest:
        module.load(guest)
        about = bench.describe(guest, {}, "", f"make bench-fleet RUNTIME={options.seconds}")
        about["server"] = "; ".join(TITLES.values())
        with contextlib.ExitStack() as stack:
            servers = {name: (stack.enter_context(start()), export)
                       for name, (start, export) in SERVERS.items()}
            for number in CLIENTS:
                for name, (server, export) in servers.items():
                    row = measure(guest, server, export, number, options.seconds)
                    results.setdefault(name, []).append(row)
                    lines.append(f"{name:12}" + "   ".join(
                        f"{key} {value}" for key, value in row.items()))
                    print(lines[-1], flush=True)
    bench.report(options.out, "fleet", about, lines, results)
    pictures.fleet(results, TITLES, about, options.out / "fleet.svg")


if __name__ == "__main__":
    main()
