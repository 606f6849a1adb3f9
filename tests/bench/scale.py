#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What grows, and how: started by make bench-scale.

More connections, more disks, more requests at a time, and an export of 16 TiB; with what
memory each of them takes.
"""

import contextlib
import statistics
import time

import bench
from jobs import Job, fio
from rig import module
from rig.disk import Disk
from rig.servers import Nbdkit
from rig.vm import VM

MEMORY = 1024           # MiB, of the guest
CONNECTIONS = (1, 2, 4, 8, 16)
DISKS = (1, 4, 16, 64)
DEPTHS = (1, 8, 32, 128, 512, 1024)
TIB = 1 << 40


def read(depth):
    return Job("4k read", "randread", "4k", depth, "iops")


def iops(guest, disk, depth, seconds, more=""):
    return fio(guest, disk, read(depth), seconds, more)["read"]["iops"]


def free(guest):
    """KiB of free memory, caches emptied; pages on the processors' own lists included."""
    return int(guest.run("sync; echo 3 > /proc/sys/vm/drop_caches; sleep 0.2; "
                         "awk '/^MemFree/ { n += $2 } / count:/ { n += $2 * 4 } END { print n }' "
                         "/proc/meminfo /proc/zoneinfo").output)


def reserve(guest):
    """KiB that the interface's reserve holds."""
    return int(guest.run("cat /sys/class/net/eth0/ballast/size_pages 2>/dev/null || echo 0")
               .output) * 4


def memory(guest, server, **options):
    """KiB for a disk, its reserve left out; the median of five."""
    taken = []
    for _ in range(5):
        before = free(guest)
        with Disk(guest, server, **options):
            taken.append(before - free(guest) - reserve(guest))
    return statistics.median(taken)


def connections(guest, server, seconds, say):
    rows = []
    for number in CONNECTIONS:
        with Disk(guest, server, export="bench", connections=number) as disk:
            rate = iops(guest, disk.path, 32, seconds, "--numjobs=4 --group_reporting")
        rows.append({"connections": number, "IOPS of four jobs": round(rate),
                     "KiB": memory(guest, server, export="bench", connections=number)})
        say(rows[-1])
    return rows


def disks(guest, server, seconds, say):
    rows = []
    for number in DISKS:
        before = free(guest)
        with contextlib.ExitStack() as stack:
            began = time.monotonic()
            there = [stack.enter_context(Disk(guest, server, export="bench", index=index))
                     for index in range(number)]
            took = time.monotonic() - began
            kept = reserve(guest)
            held = (before - free(guest) - kept) / number
            rate = iops(guest, ":".join(disk.path for disk in there), 32, seconds)
        rows.append({"disks": number, "IOPS of all": round(rate),
                     "ms to attach each": round(took * 1000 / number),
                     "KiB each": round(held), "KiB of the reserve": kept})
        say(rows[-1])
    return rows


def depths(guest, server, seconds, say):
    rows = []
    for depth in DEPTHS:
        with Disk(guest, server, export="bench", queue_depth=depth) as disk:
            rate = iops(guest, disk.path, depth, seconds)
        rows.append({"depth": depth, "IOPS": round(rate),
                     "KiB": memory(guest, server, export="bench", queue_depth=depth)})
        say(rows[-1])
    return rows


def large(guest, say):
    """The last MiB of 16 TiB, written and read back."""
    with Nbdkit("memory", str(16 * TIB)) as server, Disk(guest, server) as disk:
        size = int(disk.file("size")) * 512
        guest.run(f"fio --name=end --filename={disk.path} --rw=write --bs=64k --direct=1 "
                  f"--offset={size - (1 << 20)} --size=1M --verify=crc32c --ioengine=libaio")
        row = {"export": f"{size / TIB:g} TiB", "last MiB": "written, read back, verified"}
    say(row)
    return [row]


def main():
    options = bench.begin(__doc__, {"seconds": 3})
    lines = []
    say = bench.printer(lines)

    with VM(memory=MEMORY, name="scale", logs=options.out) as guest:
        module.load(guest)
        with bench.SERVERS[options.server]() as server:
            about = bench.describe(guest, {}, options.server, "make bench-scale")
            with Disk(guest, server, export="bench"):
                pass    # what the first one takes and keeps
            results = {
                "connections": connections(guest, server, options.seconds, say),
                "disks": disks(guest, server, options.seconds, say),
                "depth": depths(guest, server, options.seconds, say),
                "size": large(guest, say),
            }
    bench.report(options.out, "scale", about, lines, results)


if __name__ == "__main__":
    main()
