# SPDX-License-Identifier: GPL-2.0
"""While the reserve is in use packets have few fragments, so that no driver need linearize them."""

import pytest

from rig import host, module, servers
from rig.disk import Disk
from rig.wait import until

RESERVE = "/sys/class/net/eth0/ballast"
COUNTS = "/sys/module/fragments/parameters"
MOST_FRAGMENTS, MOST_BYTES = 15, 28 << 10   # see SEND_FEW_* in send.c
HEADERS = 14 + 40 + 12


@pytest.fixture(scope="module")
def guest(shared_vm):
    module.load(shared_vm, source=host.REPO / "tests" / "vm" / "fragments", name="fragments")
    return shared_vm


def write(guest, disk, size, depth=32, count=2000):
    """The most fragments and bytes of packets that carry writes of that size."""
    guest.run(f"echo 0 > {COUNTS}/most_fragments; echo 0 > {COUNTS}/most_bytes")
    guest.run(f"fio --name=w --filename={disk.path} --direct=1 --ioengine=libaio --rw=randwrite "
              f"--bs={size} --iodepth={depth} --iodepth_batch={depth} --number_ios={count} "
              f"--size=60M --output=/dev/null", timeout=120)
    return tuple(map(int, guest.run(f"cd {COUNTS} && cat most_fragments most_bytes")
                     .output.split()))


@pytest.mark.parametrize("size", ["512", "4k", "6k", "20k", "128k"])
def test_few_fragments_while_in_use(guest, size):
    with servers.Nbdkit("memory", "64M") as server, Disk(guest, server) as disk:
        free = write(guest, disk, size)
        guest.run(f"awk '/MemTotal/ {{print int($2 / 4)}}' /proc/meminfo > {RESERVE}/lend_below")
        # In use only while requests are in flight, and so little longer that no test can see it.
        reads = guest.spawn(f"exec fio --thread --name=r --filename={disk.path} --direct=1 "
                            "--rw=randread --bs=512 --size=1M --time_based --runtime=120 "
                            "--output=/dev/null")
        until(lambda: guest.run(f"cat {RESERVE}/in_use").output == "1\n", 10, "it to be in use")
        used = write(guest, disk, size)
        reads.kill()
        print(f"{size}: {free} fragments and bytes at most, in use {used}")
        assert used[0] <= MOST_FRAGMENTS and used[1] <= MOST_BYTES + HEADERS
        # And as many as TCP likes when it is over.
        guest.run(f"echo auto > {RESERVE}/lend_below")
        until(lambda: guest.run(f"cat {RESERVE}/in_use").output == "0\n", 10, "it to be over")
        write(guest, disk, "512", 1, 10)
        again = write(guest, disk, size)
        assert again[0] > MOST_FRAGMENTS or again[1] > MOST_BYTES + HEADERS or \
            max(free) <= MOST_BYTES, (free, again)
