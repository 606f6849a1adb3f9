# SPDX-License-Identifier: GPL-2.0
"""What is measured: fio's jobs, swapping, and the limits that the network sets."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cost import spent
from rig import host, net, programs
from rig.servers import free_port
from rig.wait import until

SIZE = 256 << 20        # of what is read and written of each disk
HERE = Path(__file__).resolve().parent
MIB = 1 << 20
PAUSE = 1               # seconds of each measurement that don't count
HOGS = 1.2              # the memory that swapping wants, in those of the guest
BEGUN = 20000           # pages swapped: by then the hogs have all that they want
SWAPPING = 10           # seconds at least: they write and verify in turn
FAULTS = 10000          # pages that are touched, of as much memory
LATENCY = "latency of a 4k read"
# fault.c in a control group, where all that it has can be swapped out at once.
GROUP = "/sys/fs/cgroup/fault"
FAULT = f"""(
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
    echo +memory > /sys/fs/cgroup/cgroup.subtree_control
    mkdir -p {GROUP}
    echo 0 > {GROUP}/cgroup.procs
    exec /run/fault %d %d {GROUP}/memory.reclaim %s
)"""
COSTS = {"processor": "us", "switches": "", "interrupts": ""}


@dataclass(frozen=True)
class Job:
    """One measurement; run(guest, disk, seconds) returns its figures by name, and latencies.

    Latencies, of one at a time, are fio's percentiles: {percent: us}.
    """

    name: str
    rw: str
    block: str
    depth: int
    value: str          # which figure counts: iops or bw_bytes
    cost: str = ""      # of what: a request or a MiB; its figures are of that

    def units(self):
        units = {self.name: {"iops": "IOPS", "bw_bytes": "MB/s"}[self.value]}
        if self.depth == 1:
            units[LATENCY] = "us"
        if self.cost:
            units.update({self.cost_of(kind): unit for kind, unit in COSTS.items()})
        return units

    def cost_of(self, kind):
        return f"{self.cost}: {kind}"

    def run(self, guest, disk, seconds):
        before, began = spent(guest), time.monotonic()
        job = fio(guest, disk, self, seconds)
        cost, took = spent(guest) - before, time.monotonic() - began
        halves = [job[half] for half in ("read", "write")]
        figures = {self.name: sum(half[self.value] for half in halves)
                   / (1e6 if self.value == "bw_bytes" else 1)}
        if self.cost:
            # fio's start and its ramp are in it, for all alike.
            done = took * sum(half["bw_bytes"] / MIB if self.value == "bw_bytes" else half["iops"]
                              for half in halves)
            for kind, value in (("processor", cost.seconds * 1e6), ("switches", cost.switches),
                                ("interrupts", cost.interrupts)):
                figures[self.cost_of(kind)] = value / done
        if self.depth > 1:
            return figures, None
        figures[LATENCY] = job["read"]["lat_ns"]["mean"] / 1e3
        percentiles = job["read"]["clat_ns"]["percentile"]
        return figures, {float(percent): ns / 1e3 for percent, ns in percentiles.items()}


def fio(guest, disk, job, seconds, more=""):
    """What fio says of a job on a disk."""
    return fio_jobs(guest, disk, seconds, f"--name=bench --rw={job.rw} --bs={job.block} "
                                          f"--iodepth={job.depth} {more}")[0]


def fio_jobs(guest, disk, seconds, jobs):
    """What fio says of jobs that run at a time."""
    said = guest.run(f"fio --filename={disk} --ioengine=libaio --direct=1 --time_based "
                     f"--size={SIZE} --runtime={seconds} --ramp_time={PAUSE} --norandommap "
                     f"--randrepeat=0 --output-format=json {jobs}",
                     timeout=120 + 10 * seconds).output
    results = json.loads(said[said.index("{"):])["jobs"]
    for result in results:
        if result["error"]:
            raise RuntimeError(f"fio: error {result['error']} of {disk}")
    return results


class Swap:
    """Swapping: how much of it, while more is wanted than there is; and how soon a page comes."""

    name = "swap"

    def units(self):
        return {"swap": "pages/s", "time of a fault": "us"}

    def run(self, guest, disks, seconds):
        """disks: the first is used until it is full, then the next."""
        guest.put("/run/fault", programs.build(HERE / "fault.c").read_bytes(), 0o755)
        for number, disk in enumerate(disks):
            guest.run(f"mkswap {disk} && swapon -p {len(disks) - number} {disk}")
        try:
            rate = swapping(guest, max(seconds, SWAPPING), swapped)
            median = guest.run(f"/run/fault {wanted(guest)} {FAULTS} 2> /dev/null",
                               timeout=300).output.split()[0]
        finally:
            guest.run(f"swapoff {' '.join(disks)}", timeout=120)
        return {"swap": rate, "time of a fault": float(median)}, None


class Behind:
    """How long a read takes, as a fault's, beside all the writes of a machine that swaps out."""

    name = "4k read beside writes"

    def units(self):
        return {self.name: "us"}

    def run(self, guest, disk, seconds):
        _, reads = fio_jobs(guest, disk, seconds,
                            "--name=writes --rw=randwrite --bs=64k --iodepth=64 "
                            "--name=reads --rw=randread --bs=4k --iodepth=1")
        return {self.name: reads["read"]["lat_ns"]["mean"] / 1e3}, None


JOBS = (
    Job("randread 4k qd1", "randread", "4k", 1, "iops"),
    Job("randread 4k qd8", "randread", "4k", 8, "iops"),
    Job("randread 4k qd32", "randread", "4k", 32, "iops", "4k read"),
    Job("randread 4k qd128", "randread", "4k", 128, "iops"),
    Job("randwrite 4k qd32", "randwrite", "4k", 32, "iops", "4k write"),
    Job("mixed 4k qd32", "randrw --rwmixread=70", "4k", 32, "iops"),
    Job("read 128k qd16", "read", "128k", 16, "bw_bytes", "MiB read"),
    Job("write 128k qd16", "write", "128k", 16, "bw_bytes", "MiB written"),
    Job("read 1M qd8", "read", "1M", 8, "bw_bytes"),
    Job("write 1M qd8", "write", "1M", 8, "bw_bytes"),
    Behind(),
    Swap(),
)


def units():
    """{figure: its unit}, in the order that tables have."""
    return {name: unit for job in JOBS for name, unit in job.units().items()}


def swapped(guest):
    return sum(int(line.split()[1])
               for line in guest.run("grep ^pswp /proc/vmstat").output.splitlines())


def wanted(guest):
    """MiB: more than there is."""
    return int(guest.memory * HOGS)


def swapping(guest, seconds, count):
    """By how much count(guest) grows in a second, while hogs want more than there is."""
    hogs = guest.spawn(f"exec stress-ng --vm 2 --vm-bytes {wanted(guest)}M --vm-keep --vm-method "
                       f"rand-set -q -t {seconds + 60}")
    before = swapped(guest)
    until(lambda: swapped(guest) > before + BEGUN, 60, "the hogs to swap")
    before, began = count(guest), time.monotonic()
    time.sleep(seconds)
    rate = (count(guest) - before) / (time.monotonic() - began)
    hogs.kill()
    return rate


class Limits:
    """What no disk on this network can be better than; a server of each on the host's end."""

    def __init__(self, guest):
        self.guest = guest
        tool = programs.build(HERE / "pingpong.c")
        guest.put("/run/pingpong", tool.read_bytes(), 0o755)
        self.port, self.iperf = free_port(), free_port()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.servers = [host.start([tool, "serve", net.HOST4, str(self.port)], **quiet),
                        host.start(["iperf3", "-s", "-p", str(self.iperf)], **quiet)]

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for server in self.servers:
            server.kill()
            server.wait()

    def run(self, seconds):
        trips = self.guest.run(f"/run/pingpong ask {net.HOST4} {self.port} {seconds}",
                               timeout=60 + seconds).output
        return {LATENCY: 1e6 / float(trips), "read 128k qd16": self._iperf(seconds, "-R"),
                "write 128k qd16": self._iperf(seconds, "")}

    def _iperf(self, seconds, way):
        """MB/s, to the guest with -R."""
        said = self.guest.run(f"iperf3 -c {net.HOST4} -p {self.iperf} -t {seconds} {way} -J",
                              timeout=60 + seconds).output
        return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 8e6
