# SPDX-License-Identifier: GPL-2.0
"""ballastctl in guests: built static, for whatever release they run."""

import fcntl
import hashlib
import subprocess

from rig import host, module

PATH = "/usr/sbin/ballastctl"


def build():
    """The binary's bytes."""
    # What make finds there is of this checkout.
    out = host.cache() / f"ctl-{hashlib.sha256(str(host.REPO).encode()).hexdigest()[:8]}"
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


def install(guest):
    """ballastctl, and the module where modprobe finds it."""
    module.install(guest)
    put(guest)
    guest.run("modprobe ballast")


def run(guest, arguments, status=0, timeout=60):
    """What it says, standard error included."""
    result = guest.run(f"exec ballastctl {arguments}", timeout=timeout, check=False)
    assert result.status == status, result.output
    return result.output


def uri(server, export="swap", host=None):
    host = host or server.address
    return f"nbd://{f'[{host}]' if ':' in host else host}:{server.port}/{export}"
