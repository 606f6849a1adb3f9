# SPDX-License-Identifier: GPL-2.0
"""A long way through attach, I/O, outages and detach, for a kernel that looks closely.

On the debug kernel a report of KASAN, lockdep, UBSAN or the like fails it as any test,
and what kmemleak finds after the module is unloaded does too. Elsewhere it is short.
"""

import re

import pytest

from rig import kmemleak, line, module, net, servers
from rig.disk import Disk
from rig.wait import until

RESERVE = "/sys/class/net/eth0/ballast"


@pytest.fixture
def guest(vm):
    guest = vm(name="debug", append=kmemleak.APPEND)
    kmemleak.begin(guest)
    module.load(guest)
    return guest


def test_a_long_way(guest):
    with servers.NbdServer({"swap": 128 << 20}) as server, \
            servers.NbdServer({"swap": 128 << 20}, address=net.HOST6) as server6:
        for host, connections in ((server, 1), (server6, 4)):
            with Disk(guest, host, host=host.address, export="swap",
                      connections=connections) as disk:
                guest.run(f"fio --name=v --filename={disk.path} --direct=1 --ioengine=libaio "
                          "--iodepth=16 --rw=randrw --bsrange=4k-256k --size=48M --verify=crc32c "
                          "--verify_fatal=1 --output=/dev/null", timeout=300)
                guest.run(f"blkdiscard -f {disk.path}; blkdiscard -z -f {disk.path} -l 1M")
                # In use, blocks lent and taken back, packets dropped, sizes changed.
                guest.run(f"awk '/MemTotal/ {{print int($2 / 4)}}' /proc/meminfo "
                          f"> {RESERVE}/lend_below; "
                          f"dd if={disk.path} of=/dev/null bs=64k count=300 iflag=direct "
                          f"status=none; echo 100 > {RESERVE}/size_pages; "
                          f"ping -c 3 -i 0.2 -q {net.HOST4} > /dev/null; "
                          f"echo auto > {RESERVE}/lend_below; echo auto > {RESERVE}/size_pages")
                # An outage with requests waiting, and then one over which the disk is left.
                reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=64k iflag=direct")
                host.stop()
                until(lambda: disk.file("ballast/state") == "reconnecting", 20, "it to notice")
                host.start()
                assert reader.wait(300) == 0
        # Without a route TCP takes no pages: the sender copies what it sends.
        with Disk(guest, server, export="swap") as disk:
            write = f"dd if=/dev/zero of={disk.path} bs=4k count=1 oflag=direct status=none"
            with line.dropped(guest):
                first = guest.spawn(write)
                until(lambda: disk.file("ballast/inflight") == "1", 20, "it to be sent")
                with line.interface_down(guest):
                    until(lambda: re.search(r"timer:\(on,[^,]+,[1-9]", guest.run(
                        f"ss -tno dport = {server.port}").output), 20, "TCP to look for a route")
                    second = guest.spawn(write)
                    until(lambda: disk.file("ballast/inflight") == "2", 20, "it to be sent")
            assert first.wait(60) == 0 and second.wait(60) == 0
        disk = Disk(guest, server, export="swap")
        guest.run(f"mkswap {disk.path} && swapon {disk.path} && swapoff {disk.path}")
        server.stop()
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=64k iflag=direct 2>&1")
        until(lambda: disk.file("ballast/state") == "reconnecting", 20, "it to notice")
        guest.run(f"echo force > {disk.sys}/ballast/detach")
        assert reader.wait(60)
        server.start()
        for text in ("nonsense", "server=192.0.2.1:1",
                     f"server=192.0.2.1:{server.port} export=none"):
            guest.run(f"! echo '{text}' > /sys/class/ballast/attach", timeout=60)
        guest.run("echo eth0 > /sys/class/ballast/guard; cat /sys/class/net/eth0/ballast/estimate; "
                  "rmmod ballast")
    found = kmemleak.leaks(guest)
    assert not found, found
