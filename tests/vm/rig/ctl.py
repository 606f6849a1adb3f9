# SPDX-License-Identifier: GPL-2.0
"""ballastctl in guests: built static, for whatever release they run."""

import fcntl
import subprocess

from rig import host

PATH = "/usr/sbin/ballastctl"


def build():
    """The binary's bytes."""
    out = host.cache() / "ctl"
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-C", str(host.REPO / "src/ctl"), f"OUT={out}", "STATIC=1",
                               "CFLAGS=-O2"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise RuntimeError(f"ballastctl does not build\n{done.stdout}")
        stripped = out / "stripped"
        subprocess.run(["strip", "-o", str(stripped), str(out / "ballastctl")], check=True)
        return stripped.read_bytes()


def put(guest):
    """Where a package would install it."""
    guest.put(PATH, build(), 0o755)
