# SPDX-License-Identifier: GPL-2.0
"""A server at a link-local address, which means nothing without the interface."""

import pytest

from rig import ctl, module, net, servers
from rig.disk import Disk
from rig.load import verifying
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ")


def link_local():
    """The host end's own."""
    words = net.ip("-o", "-6", "address", "show", "dev", net.BRIDGE, "scope", "link").stdout.split()
    return words[words.index("inet6") + 1].partition("/")[0]


def wait_address(guest):
    guest.run("""until ip -6 -o address show dev eth0 scope link -tentative 2>/dev/null |
        grep -q inet6; do sleep 0.1; done""", timeout=20)


def test_shown_and_attached_once(vm):
    guest = vm(name="scope")
    ctl.install(guest)
    wait_address(guest)
    address = link_local()
    with servers.NbdServer({"swap": 64 << 20}, address="::") as server:
        attach = f"ballastctl attach 'nbd://[{address}%25eth0]:{server.port}/swap' --swap 2>&1"
        guest.run(attach)
        try:
            shown = guest.run("cat /sys/block/ballast0/ballast/server").output.strip()
            said = guest.run(attach, check=False)
            print(f"{shown}; {said.status}: {said.output}")
            assert shown == f"[{address}%eth0]:{server.port}"
            assert said.status and "is already swapped to, as ballast0" in said.output
        finally:
            guest.run("swapoff -a; for disk in /sys/block/ballast*/ballast/detach; do "
                      "echo 1 > $disk; done")


def test_card_is_replugged(vm):
    """The interface has another index then, and the same name.

    The old connection is bound to the old index, so that its fence ends by time only.
    """
    guest = vm(name="replug")
    module.load(guest)
    wait_address(guest)
    mac = net.mac(guest.network.n)
    before = guest.run("cat /sys/class/net/eth0/ifindex").output
    with servers.NbdServer({"swap": 64 << 20}, address="::") as server, \
            Disk(guest, server, f"{link_local()}%eth0", export="swap", fence=8) as disk, \
            verifying(disk) as completed:
        guest.qmp("device_del", id="nic0")
        guest.qmp.wait_event("DEVICE_DELETED")
        until(lambda: guest.run("! ls -d /sys/class/net/eth0", check=False).status == 0, 30,
              "the card to go")
        guest.qmp("device_add", driver="virtio-net-pci", netdev="net0", id="nic0", mac=mac,
                  romfile="")
        until(lambda: guest.run("ip link set eth0 up", check=False).status == 0, 30,
              "the card to come")
        wait_address(guest)
        after = guest.run("cat /sys/class/net/eth0/ifindex").output
        assert after != before
        done = completed()
        try:
            until(lambda: completed() > done, 40, "an answer through the new card")
        except TimeoutError:
            print(guest.run("dmesg | tail -5; ping -c 1 -W 2 " f"{link_local()}%eth0",
                            check=False).output)
            raise
