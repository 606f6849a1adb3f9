"""A machine swaps over ballast, and nothing it swapped is lost."""

import re

from rig import module, servers
from rig.disk import Disk


def test_swapping_keeps_every_page(vm):
    guest = vm(name="swap", memory=256)
    module.load(guest)
    with servers.NbdServer() as server, Disk(guest, server, export="swap") as disk:
        guest.run(f"mkswap {disk.path} && swapon {disk.path}")
        hogs = guest.run("LC_ALL=C stress-ng --vm 2 --vm-bytes 220M --vm-keep --vm-method zero-one "
                         "--verify -t 60", timeout=300)
        # Newer ones end with "failed: 0".
        assert not re.search(r"fail:|failed: [1-9]", hogs.output), hogs.output
        counts = dict(line.split() for line in guest.run("cat /proc/vmstat").output.splitlines())
        swapped = (int(counts["pswpin"]) + int(counts["pswpout"])) * 4 // 1024
        print(f"{swapped} MiB swapped in and out")
        assert swapped >= 512
        assert guest.run(f"echo 1 > {disk.sys}/ballast/detach", check=False).status, \
            "detached while swapped on"
        guest.run("swapoff -a", timeout=120)
        assert disk.file("ballast/reconnects") == "0"
    guest.run("rmmod ballast")
