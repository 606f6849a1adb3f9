# SPDX-License-Identifier: GPL-2.0
"""The headroom below which a reserve comes into use fits the machine, whatever the MTU."""

import time

import pytest

from rig import module, servers
from rig.disk import Disk
from rig.filter import number
from rig.wait import until

RING = 256      # virtio_net's
NEEDS = {1500: RING, 9000: RING * 4}    # pages
SECONDS = 20


def at_low(guest):
    """Headroom at the low watermarks of the zones that packets come from, in pages."""
    least, low = map(int, guest.run(
        "awk '/^Node/ {ours = $4 ~ /^(DMA|DMA32|Normal)$/} ours && /^ +min /{min += $2} "
        "ours && /^ +low /{low += $2} END {print min, low}' /proc/zoneinfo").output.split())
    return low - least * 3 / 8


@pytest.mark.parametrize("memory", [128, 256, 1024])
def test_marks_fit_the_machine(vm, memory):
    """Lending begins at what the ring can ask for; the filter not above the low watermarks."""
    guest = vm(memory=memory, mtu=max(NEEDS))
    module.load(guest)
    guest.run("sysctl -q vm.watermark_boost_factor=0")
    room = at_low(guest)
    with servers.Nbdkit("memory", "64M") as server, Disk(guest, server):
        for mtu, pages in NEEDS.items():
            guest.run(f"ip link set eth0 mtu {mtu}")
            lends = number(guest, "lend_below")
            print(f"{memory} MiB, MTU {mtu}: lends below {lends}, {room} at low")
            assert abs(lends - min(pages, room * 2 / 3)) <= 2
            assert lends * 3 / 2 <= room + 2
            if (memory, mtu) == (256, 1500):
                assert lends == 256


def test_jumbo_frames_and_swapping(vm):
    """At MTU 9000 swapping alone does not have the reserve lent and in use all the time."""
    guest = vm(memory=256, mtu=9000)
    module.load(guest)
    with servers.Nbdkit("memory", "1G") as server, Disk(guest, server) as disk:
        guest.run(f"mkswap {disk.path} && swapon {disk.path}")
        hog = guest.spawn("exec stress-ng --vm 2 --vm-bytes 435M --vm-keep --vm-method flip")
        swapped = "awk '/^pswpout / {print $2}' /proc/vmstat"
        until(lambda: int(guest.run(swapped).output) > 1000, 60, "the guest to swap")
        before = [number(guest, name) for name in ("in_use_ms", "lends")]
        pages = int(guest.run(swapped).output)
        time.sleep(SECONDS)     # that long it is measured
        used, lent = (number(guest, name) - was
                      for name, was in zip(("in_use_ms", "lends"), before))
        pages = int(guest.run(swapped).output) - pages
        hog.kill()
        hog.wait(60)
        guest.run(f"swapoff {disk.path}", timeout=300)
        print(f"in use for {used} ms of {SECONDS} s, {lent} blocks lent, "
              f"{pages} pages swapped out")
        assert pages > 1000
        assert lent < 200 * SECONDS
        # From 6.7 on a processor takes hundreds of pages at once for its own list. Free memory
        # then is below any mark now and again, and each time the reserve is in use for a second.
        if tuple(map(int, guest.image.release.split(".")[:2])) < (6, 7):
            assert used < SECONDS * 1000 / 2
