# SPDX-License-Identifier: GPL-2.0
"""A machine swaps over ballast, and nothing it swapped is lost."""

import re
import signal

from rig import module, servers
from rig.disk import Disk
from rig.wait import until


def swapped(guest):
    """MiB, in and out."""
    counts = dict(line.split() for line in guest.run("cat /proc/vmstat").output.splitlines())
    return (int(counts["pswpin"]) + int(counts["pswpout"])) * 4 // 1024


def test_swapping_keeps_every_page(vm):
    guest = vm(name="swap", memory=256)
    module.load(guest)
    with servers.NbdServer() as server, Disk(guest, server, export="swap") as disk:
        guest.run(f"mkswap {disk.path} && swapon {disk.path}")
        hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 440M --vm-keep --vm-method zero-one "
                           "--verify -t 0")
        until(lambda: swapped(guest) >= 512, 300, "512 MiB to be swapped in and out")
        print(f"{swapped(guest)} MiB swapped in and out")
        status = hogs.kill(signal.SIGINT, 300)
        # Newer ones end with "failed: 0".
        assert not re.search(r"fail:|failed: [1-9]", hogs.output) and status != 2, hogs.output
        assert guest.run(f"echo 1 > {disk.sys}/ballast/detach", check=False).status, \
            "detached while swapped on"
        guest.run("swapoff -a", timeout=300)
        assert disk.file("ballast/reconnects") == "0"
    guest.run("rmmod ballast")
