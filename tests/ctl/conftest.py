# SPDX-License-Identifier: GPL-2.0
"""ballastctl over a made-up tree of /proc and /sys; run by make -C src/ctl check."""

import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))  # for rig.limits

CTL = os.environ.get("BALLASTCTL")

# A shell without job control starts background jobs with these ignored.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

Said = namedtuple("Said", "status out err")

ZONEINFO = """\
Node 0, zone      DMA
  pages free     3000
        boost    0
        min      100
        low      125
        high     150
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 219, 219, 219, 219)
      nr_free_pages 3000
  pagesets
    cpu: 0
              count: 0
              high:  0
              batch: 1
Node 0, zone    DMA32
  pages free     2000
        boost    0
        min      900
        low      1125
        high     1350
        spanned  61440
        present  61404
        managed  56000
        cma      0
        protection: (0, 0, 0, 0, 0)
      nr_free_pages 2000
Node 0, zone   Normal
  pages free     0
        boost    0
        min      0
        low      0
        high     0
        spanned  0
        present  0
        managed  0
"""

SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"

RESERVE = {
    "size_pages": 561, "available_pages": 500, "lent_pages": 61, "packet_limit": 768,
    "lend_below": 256, "in_use": 1, "grade": "tight", "activations": 3, "in_use_ms": 12345,
    "critical_ms": 2345, "rx_kept": 1000, "rx_allowed": 7, "rx_unrelated": 90,
    "rx_pfmemalloc": 40, "rx_dropped": 155, "rx_dropped_bytes": 15000,
    "rx_dropped_other_socket": 100, "rx_dropped_protocol": 30, "rx_dropped_fragment": 10,
    "rx_dropped_budget": 8, "rx_dropped_limit": 5, "rx_dropped_malformed": 2, "lends": 70,
    "refills": 9, "rescues": 0,
}


class Tree:
    """A made-up root: ballast is loaded and has nothing."""

    def __init__(self, root):
        self.root = Path(root)
        self.write("proc/zoneinfo", ZONEINFO)
        self.write("proc/swaps", SWAPS)
        self.write("proc/self/mounts", "/dev/vda / ext4 rw 0 0\n")
        self.write("sys/class/ballast/attach", "")
        self.write("sys/class/ballast/guard", "")
        self.write("sys/block/vda/size", "2048\n")
        self.write("sys/class/net/lo/mtu", "65536\n")
        self.write("dev/kmsg", "")

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def read(self, path):
        return (self.root / path).read_text()

    def disk(self, name="ballast0", **files):
        values = {"server": "192.0.2.1:10809", "export": "swap", "state": "live", "reason": "",
                  "connections": 2, "inflight": 3, "reconnects": 1, "interface": "eth0",
                  "allow": "", "verify": "on", "verified": 32, "verify_errors": 0,
                  "fences": 1, "fences_held": 5, "fences_expired": 2, "move": "", "detach": "",
                  **files}
        for file, value in values.items():
            if isinstance(value, bytes):
                self.write(f"sys/block/{name}/ballast/{file}", value + b"\n")
            else:
                self.write(f"sys/block/{name}/ballast/{file}", f"{value}\n" if value != "" else "")
        self.write(f"sys/block/{name}/size", "2097152\n")
        self.write(f"sys/block/{name}/ro", "0\n")
        self.write(f"sys/block/{name}/stat",
                   "100 5 800 250 200 9 4000 1000 3 900 1250 0 0 0 0 4 20\n")

    def swap(self, device="ballast0", used=1024):
        self.write("proc/swaps", f"{SWAPS}/dev/{device} partition 1048572 {used} -2\n")

    def reserve(self, name="eth0", **files):
        for file, value in {**RESERVE, **files}.items():
            self.write(f"sys/class/net/{name}/ballast/{file}", f"{value}\n")

    def all(self):
        """Every file's content, to see that nothing was changed."""
        return {str(path.relative_to(self.root)): path.read_bytes()
                for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def ctl(tree):
    """ctl("status", "--json"): what it said of the tree; prefix: what runs it."""
    if not CTL:
        pytest.skip("BALLASTCTL names no ballastctl to test")

    def run(*arguments, prefix=(), timeout=20, **environment):
        done = subprocess.run([*prefix, os.path.abspath(CTL), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=timeout,
                              env={**os.environ, "BALLAST_ROOT": str(tree.root), **environment})
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())
    return run


@pytest.fixture
def systemctl(tree):
    """A PATH with one that tells what it was asked, and whether a unit is active."""
    (tree.root / "run/systemd/system").mkdir(parents=True)
    tree.write("bin/systemctl", f"#!/bin/sh\necho \"$@\" >> {tree.root}/said\n"
               f"! grep -q is-active {tree.root}/said || exit $(cat {tree.root}/status)\n")
    (tree.root / "bin/systemctl").chmod(0o755)
    tree.write("status", "0")
    return f"{tree.root}/bin:{os.environ['PATH']}"
