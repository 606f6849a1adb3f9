#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Which parts of the kernel a request's instructions are in: started by make bench-stacks.

perf samples call chains by the clock of a guest in which each instruction takes a
nanosecond. A sample belongs to the part whose function is the innermost in its chain.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import bench
import icount
from jobs import SIZE

# What is in none of them, and under no system call, is the rest: idle loop, timers, RCU.
PARTS = {
    "fio, system call, block layer": ("do_syscall_64", "syscall", "[fio]"),
    "ballast": ("[ballast]",),
    "TCP, IP and driver, out": ("tcp_sendmsg_locked", "tcp_sendpage_locked", "__tcp_send_ack",
                                "tcp_tsq_handler", "virtnet_poll_tx"),
    "driver, in": ("virtnet_poll",),
    "pages for packets": ("skb_page_frag_refill",),
    "IP and TCP, in": ("napi_gro_receive", "netif_receive_skb_list_internal"),
    "TCP's receive queue": ("tcp_read_sock", "__tcp_read_sock"),
    "data into the request": ("skb_copy_datagram_iter",),
    "end of request": ("blk_mq_end_request",),
}
REST = "the rest"
SECONDS = 4
EVERY = 60000           # instructions, for a sample

# In the guest: the samples are too many for its serial line.
COUNT = r"""
import collections, json, re, sys
parts = {function: part for part, functions in json.load(open("/run/parts")).items()
         for function in functions}
own = {line.split()[2] for line in open("/proc/kallsyms") if line.endswith("[ballast]\n")}
found = collections.Counter()
for sample in sys.stdin.read().split("\n\n"):
    head, *chain = sample.strip("\n").split("\n")
    frames = [re.sub(r"[.+].*", "", line.split()[1]) for line in chain if len(line.split()) > 1]
    if not frames or frames[0] == "native_safe_halt":
        continue
    if head.split()[0] == "fio":
        frames.append("[fio]")
    known = (parts.get("[ballast]" if name in own else name) for name in frames)
    found[next(filter(None, known), "the rest")] += 1
print(json.dumps(found))
"""

SAMPLE = """
    fio --name=stacks --filename={disk} --rw={rw} --bs={block} --iodepth={depth} --direct=1 \
        --ioengine=libaio --size={size} --time_based --runtime={fio_runs} --norandommap \
        --randrepeat=0 --output-format=terse > /run/fio &
    sleep 3
    export LD_LIBRARY_PATH=/run/perf/lib
    /run/perf/perf record -o /run/perf.data -a -g -e cpu-clock -c {every} -- sleep {seconds} > \
        /run/perf.log 2>&1 || {{ cat /run/perf.log; exit 1; }}
    wait
    /run/perf/perf script -i /run/perf.data -F comm,ip,sym 2>/dev/null |
        python3 /run/count
"""


def perf_disk(where):
    """A file system with this machine's perf and its libraries."""
    program = shutil.which("perf")
    root = Path(where, "root")
    (root / "lib").mkdir(parents=True)
    shutil.copy(program, root / "perf")
    needs = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    for word in needs.split():
        if word.startswith("/"):
            shutil.copy(word, root / "lib")
    disk = Path(where, "perf.img")
    subprocess.run(["mkfs.ext4", "-q", "-d", root, disk, "128M"], check=True,
                   stdout=subprocess.DEVNULL)
    return disk


def sample(guest, disk, rw, block, depth):
    """{part: its share of what the guest did}"""
    said = guest.run(SAMPLE.format(
        disk=disk, rw=rw, block=block, depth=depth, size=SIZE, every=EVERY, seconds=SECONDS,
        # perf's own start takes some of it.
        fio_runs=3 + 3 * SECONDS), timeout=900).output
    found = json.loads(said.splitlines()[-1])
    return {part: count / sum(found.values()) for part, count in found.items()}


def main():
    options = bench.begin(__doc__, {}, only=[name for name, *_ in icount.JOBS])
    instructions, shares = {}, {}
    with tempfile.TemporaryDirectory() as scratch, \
            bench.counting(options.out, disks=(perf_disk(scratch),)) as guest, \
            bench.disks(guest, (), bench.SERVERS[options.server]) as (there, _):
        about = bench.describe(guest, there, options.server, "make bench-stacks")
        guest.run("mkdir /run/perf && mount -t ext4 -o ro /dev/vdb /run/perf")
        guest.put("/run/count", COUNT.encode())
        guest.put("/run/parts", json.dumps(PARTS).encode())
        for name, *job, _ in icount.JOBS:
            if name in options.only:
                shares[name] = sample(guest, there["ballast"], *job)
                instructions[name] = icount.count(guest, there["ballast"], name)
                print(f"{name}: {instructions[name]:.0f} instructions", flush=True)
    text = table(about, instructions, shares)
    print(f"\n{text}")
    bench.write(options.out, "stacks", text,
                {"about": about, "instructions": instructions, "shares": shares})


def table(about, instructions, shares):
    """Instructions of each part, a column for each job."""
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"{'instructions a request':30}" + "".join(f"{name:>22}" for name in shares)]
    for part in (*PARTS, REST):
        lines.append(f"{part:30}" + "".join(
            f"{shares[name].get(part, 0) * instructions[name]:22.0f}" for name in shares))
    lines.append(f"{'sum':30}" + "".join(f"{instructions[name]:22.0f}" for name in shares))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
