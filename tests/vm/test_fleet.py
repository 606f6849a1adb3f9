# SPDX-License-Identifier: GPL-2.0
"""Exports that a server makes when a client asks for them, as docs/fleet.md has them."""

import pytest

from rig import ctl, servers
from rig.disk import ATTACH, Disk
from rig.wait import until

# At most two exports, each of them with its space taken.
COMMAND = """test "$(ls "$(dirname "$disk")" | wc -l)" -lt 2 &&
    fallocate -l "$size" "$disk" || { rm -f "$disk"; exit 1; }"""


@pytest.fixture
def server():
    exports = servers.scratch()
    try:
        with servers.Nbdkit("ondemand", f"dir={exports}", "size=16M",
                            f"command={COMMAND}") as server:
            server.exports = exports
            yield server
    finally:
        for file in exports.iterdir():
            file.unlink()
        exports.rmdir()


def refused(guest, server, export):
    """What the kernel says of an attach that fails."""
    said = guest.run(f"! echo server={server.address}:{server.port} export={export} index=5 > "
                     f"{ATTACH} && dmesg | grep 'ballast5: server' | tail -1").output
    return said.partition("ballast5: ")[2]


def test_each_client_gets_its_own(shared_vm, server):
    """%M makes an export that stays, no other client gets it at the same time, nor one too many."""
    ctl.put(shared_vm)
    mac = shared_vm.run("cat /sys/class/net/eth0/address").output.strip().replace(":", "-")
    uri = f"nbd://{server.address}:{server.port}/%M"
    shared_vm.run(f"ballastctl attach {uri} index=0 && "
                  "echo precious | dd of=/dev/ballast0 bs=4k conv=sync oflag=direct")
    assert [file.name for file in server.exports.iterdir()] == [mac]
    assert "export" in refused(shared_vm, server, mac), "while it is attached"
    with Disk(shared_vm, server, index=1, export="second"):
        assert "export" in refused(shared_vm, server, "third"), "there may be two"
    assert "export" in refused(shared_vm, server, "a.b")
    shared_vm.run("ballastctl detach ballast0")
    assert {file.name for file in server.exports.iterdir()} == {mac, "second"}
    shared_vm.run(f"ballastctl attach {uri} index=0 && "
                  "dd if=/dev/ballast0 bs=4k count=1 iflag=direct | grep precious && "
                  "ballastctl detach ballast0")


def test_server_is_restarted(shared_vm, server):
    """Its lock is not left behind."""
    with Disk(shared_vm, server, export="first") as disk:
        shared_vm.run(f"echo precious | dd of={disk.path} bs=4k conv=sync oflag=direct")
        server.stop()
        server.start()
        until(lambda: disk.file("ballast/reconnects") == "1", 30, "the reconnect")
        shared_vm.run(f"dd if={disk.path} bs=4k count=1 iflag=direct | grep precious")
