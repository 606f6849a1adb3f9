"""What is measured: fio's jobs, swapping, and the limits that the network sets."""

import hashlib
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from rig import host, net
from rig.servers import free_port
from rig.wait import until

SIZE = 256 << 20        # of what is read and written of each disk
HERE = Path(__file__).resolve().parent
PAUSE = 1               # seconds of each measurement that don't count
HOGS = 1.2              # the memory that swapping wants, in those of the guest


@dataclass(frozen=True)
class Job:
    """One measurement; run(guest, disk, seconds) returns its figures by name."""

    name: str
    rw: str
    block: str
    depth: int
    value: str      # which figure counts: iops or bw_bytes
    cost: str = ""  # the name of a second figure: processor time of a request

    @property
    def unit(self):
        return {"iops": "IOPS", "bw_bytes": "MB/s"}[self.value]

    def run(self, guest, disk, seconds):
        before, began = processor(guest), time.monotonic()
        said = guest.run(f"fio --name=bench --filename={disk} --rw={self.rw} --bs={self.block} "
                         f"--iodepth={self.depth} --ioengine=libaio --direct=1 --time_based "
                         f"--size={SIZE} --runtime={seconds} --ramp_time={PAUSE} --norandommap --randrepeat=0 "
                         "--output-format=json", timeout=120 + 10 * seconds).output
        used, took = processor(guest) - before, time.monotonic() - began
        job = json.loads(said[said.index("{"):])["jobs"][0]
        if job["error"]:
            raise RuntimeError(f"fio: error {job['error']} of {disk}")
        halves = [job[half] for half in ("read", "write")]
        figures = {self.name: sum(half[self.value] for half in halves)
                   / (1e6 if self.value == "bw_bytes" else 1)}
        if self.cost:
            # fio's start and its ramp are in it, for all alike.
            requests = sum(half["iops"] for half in halves) * took
            figures[self.cost] = used * 1e6 / requests
        return figures


class Swap:
    """Pages that a machine swaps in and out in a second while it wants more than it has."""

    name, unit, cost = "swap", "pages/s", ""

    def run(self, guest, disk, seconds):
        wanted = int(guest.memory * HOGS)
        guest.run(f"mkswap {disk} && swapon {disk}")
        try:
            hogs = guest.spawn(f"exec stress-ng --vm 2 --vm-bytes {wanted}M --vm-keep --vm-method "
                               f"rand-set -q -t {seconds + 60}")
            until(lambda: swapped(guest) > 1000, 60, "the hogs to swap")
            before, began = swapped(guest), time.monotonic()
            time.sleep(seconds)
            rate = (swapped(guest) - before) / (time.monotonic() - began)
            hogs.kill()
        finally:
            guest.run(f"swapoff {disk}", timeout=120)
        return {self.name: rate}


JOBS = (
    Job("randread 4k qd1", "randread", "4k", 1, "iops"),
    Job("randread 4k qd32", "randread", "4k", 32, "iops", "time of a 4k read"),
    Job("randwrite 4k qd32", "randwrite", "4k", 32, "iops", "time of a 4k write"),
    Job("mixed 4k qd32", "randrw --rwmixread=70", "4k", 32, "iops"),
    Job("read 128k qd16", "read", "128k", 16, "bw_bytes"),
    Job("write 128k qd16", "write", "128k", 16, "bw_bytes"),
    Job("read 1M qd8", "read", "1M", 8, "bw_bytes"),
    Swap(),
)


def units():
    """{figure: its unit}, in the order that tables have."""
    names = {}
    for job in JOBS:
        names[job.name] = job.unit
        if job.cost:
            names[job.cost] = "us"
    return names


def processor(guest):
    """Seconds that the guest's processors have worked, its interrupts included."""
    user, nice, system, _, _, irq, softirq = map(int, guest.run(
        "head -1 /proc/stat").output.split()[1:8])
    return (user + nice + system + irq + softirq) / 100


def swapped(guest):
    return sum(int(line.split()[1]) for line in guest.run("grep ^pswp /proc/vmstat").output.splitlines())


class Limits:
    """What no disk on this network can be better than; a server of each on the host's end."""

    def __init__(self, guest):
        self.guest = guest
        tool = host.cache() / ("pingpong-" + hashlib.sha256(
            (HERE / "pingpong.c").read_bytes()).hexdigest()[:12])
        if not tool.exists():
            subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", "-o", f"{tool}.part",
                            HERE / "pingpong.c"], check=True)
            os.rename(f"{tool}.part", tool)
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
        return {"randread 4k qd1": float(trips), "read 128k qd16": self._iperf(seconds, "-R"),
                "write 128k qd16": self._iperf(seconds, "")}

    def _iperf(self, seconds, way):
        """MB/s, to the guest with -R."""
        said = self.guest.run(f"iperf3 -c {net.HOST4} -p {self.iperf} -t {seconds} {way} -J",
                              timeout=60 + seconds).output
        return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 8e6
