# SPDX-License-Identifier: GPL-2.0
"""Instructions of a request, counted by the clock of a guest in which each takes a nanosecond."""

import re

from jobs import SIZE

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
# For programs in the guest: nanoseconds, and hence instructions, that it was not idle.
BUSY_FOR = r"""
import re, sys, time

def busy_for():
    timers = open("/proc/timer_list").read()
    return (int(re.search(r"now at (\d+)", timers)[1])
            - int(re.search(r"idle_sleeptime +: (\d+)", timers)[1]))
"""
# Pages of random data are swapped out, one a request, and dropped. MADV_PAGEOUT is 21.
SWAP_OUT = BUSY_FOR + """
import mmap, os
SIZE, data = 64 << 20, os.urandom(4096)
busy = 0
for _ in range(int(sys.argv[2])):
    memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, SIZE, 4096):
        memory[at:at + 4096] = data
    began = busy_for()
    memory.madvise(21)
    while open(f"/sys/block/{sys.argv[1]}/inflight").read().split() != ["0", "0"]:
        time.sleep(0.01)
    busy += busy_for() - began
    memory.close()
print(busy / (SIZE // 4096) / int(sys.argv[2]))
"""


def busy(guest, disk, rw, block, depth, requests):
    """Nanoseconds, by the guest's clock, that it was not idle during so many requests."""
    said = guest.run(f"""
        read_clock() {{ grep -m 2 -E "^now at|idle_sleeptime" /proc/timer_list; }}
        read_clock
        fio --name=count --filename={disk} --rw={rw} --bs={block} --iodepth={depth} \
            --ioengine=libaio --direct=1 --size={SIZE} --io_size={SIZE * 1000} \
            --number_ios={requests} --norandommap --randrepeat=0 --output-format=terse > /run/fio ||
            exit
        read_clock""", timeout=900).output
    # /proc/uptime says the same in hundredths of a second.
    began, idle, ended, idle_after = map(int, re.findall(r"(\d+) nsecs", said))
    return (ended - began) - (idle_after - idle)


def swap_out(guest, disk):
    """Instructions for a page that is swapped out in a request of its own."""
    name = disk.rpartition("/")[2]
    said = guest.run(f"""mkswap {disk} > /dev/null && swapon {disk} &&
        echo 2 > /sys/block/{name}/queue/nomerges &&
        python3 /run/swap-out {name} 8; status=$?
        echo 0 > /sys/block/{name}/queue/nomerges; swapoff {disk}; exit $status""", timeout=900)
    return float(said.output.split()[-1])


def prepare(guest):
    """Once, before count()."""
    guest.put("/run/swap-out", SWAP_OUT.encode())


def count(guest, disk, name):
    """Instructions of a request of that job."""
    if name == SWAP:
        return swap_out(guest, disk)
    *job, requests = next(job for called, *job in JOBS if called == name)
    return (busy(guest, disk, *job, FEW + requests) - busy(guest, disk, *job, FEW)) / requests
