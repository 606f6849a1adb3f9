# SPDX-License-Identifier: GPL-2.0
"""ballast_headroom() against what GFP_ATOMIC allocations really get until they fail."""

import shutil
from pathlib import Path

import pytest

from rig import host, module

# What the module under exhaust/ is built with: the code that is tested.
TESTED = ("compat.h", "compat.mk", "reserve/headroom.c", "reserve/headroom.h")
FOUND = ("headroom", "got", "taken", "boost", "reserved", "highatomic")
# The last batch that a processor takes for its own list may go below the mark: 15 pages of order 0
# in a zone of 320 MiB, or 30 from 6.7 on, and 3 blocks of order 2. A zone's counter of free pages
# lags behind by up to 8.
SLACK = 38

CONDITIONS = {
    "plain": "",
    "boosted": "fall_back=1",
    "highatomic": "reserve=1",
    "boosted-highatomic": "fall_back=1 reserve=1",
    "fragmented": "fragment=1",
}

# vm.watermark_boost_factor: 15000 is the default. Allocations of larger orders would then raise the
# boost while they are counted, which no count foresees, so for those it is limited to what one
# fallback adds: a block of 512 pages.
BOOST, BOOST_ONE_BLOCK = 15000, 100


@pytest.fixture
def exhaust(vm, tmp_path):
    """exhaust(parameters) loads the module in a guest of its own: what it found."""
    # One processor, so that kswapd frees nothing while the module counts.
    guest = vm(cpus=1, memory=320)
    for path in (host.REPO / "tests" / "vm" / "exhaust").iterdir():
        shutil.copy(path, tmp_path)
    for path in TESTED:
        shutil.copy(host.REPO / "src" / "kernel" / path, tmp_path / Path(path).name)
    built = module.build(guest.image.suite, guest.image.flavour, source=tmp_path, name="exhaust")
    guest.put("/root/exhaust.ko", module.stripped(built.path))

    def load(parameters, boost_factor):
        guest.run(f"sysctl -q vm.watermark_boost_factor={boost_factor}\n"
                  "echo 3 > /proc/sys/vm/drop_caches; echo 1 > /proc/sys/vm/compact_memory\n"
                  # It fails if there is no boost, or no highatomic block, where there should be.
                  f"for try in 1 2 3 4 5; do insmod /root/exhaust.ko {parameters} && break; done")
        found = guest.run("cd /sys/module/exhaust/parameters && cat " + " ".join(FOUND)).output
        return dict(zip(FOUND, map(int, found.split())))
    return load


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("order", [0, 2])
def test_headroom(exhaust, order, condition):
    """Headroom is what can be allocated, within 5 % and a batch of the processor's own list."""
    boost_factor = 0
    if "boosted" in condition:
        boost_factor = BOOST_ONE_BLOCK if order or "highatomic" in condition else BOOST
    found = exhaust(f"order={order} {CONDITIONS[condition]}", boost_factor)
    print(f"order {order}, {condition}: {found}")
    assert ("boosted" in condition) == (found["boost"] > 0)
    assert ("highatomic" in condition) == (found["highatomic"] > 0)
    assert abs(found["taken"] - found["headroom"]) <= max(0.05 * found["taken"], SLACK)
