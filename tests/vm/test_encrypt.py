# SPDX-License-Identifier: GPL-2.0
"""Encrypted swap: what the server sees, and that nothing of it stays behind."""

import json

import pytest

from rig import ctl as tool, host, pages
from rig.ctl import run as ctl, uri
from rig.servers import NbdServer
from rig.wait import until

MIB = 1 << 20
SIZE = 64 * MIB
PAGE = b"00028672 00000000|"   # how a page of rig/pages.py begins
# What the service calls; systemctl says here what the machine does.
DISK = "/usr/lib/ballast/disk"


@pytest.fixture(scope="module")
def guest(module_vm):
    guest = module_vm(name="encrypt")
    tool.install(guest)
    guest.run("mkdir -p /usr/lib/ballast && echo 0123456789abcdef0123456789abcdef > "
              "/etc/machine-id && hostname web1")
    guest.put(DISK, (host.REPO / "boot/disk").read_bytes(), 0o755)
    return guest


@pytest.fixture(autouse=True)
def nothing_left(guest):
    """No test leaves a disk, a swap or a mapping."""
    yield
    try:
        assert left(guest) == []
    finally:
        guest.run("rm -f /usr/local/bin/systemctl; for disk in /sys/block/ballast*; do "
                  "[ ! -e $disk ] || ballastctl detach --force ${disk##*/}; done; swapoff -a",
                  check=False)


def left(guest):
    return guest.run("cd /sys/block && ls -d ballast* dm-* 2>/dev/null; tail -n +2 /proc/swaps; "
                     "ls /dev/mapper 2>/dev/null | grep -v control", check=False).output.split()


def missed(guest):
    until(lambda: "live" not in guest.run("cat /sys/block/ballast0/ballast/state").output, 30,
          "the server to be missed")


def attach(guest, server, more=""):
    return ctl(guest, f"attach {uri(server)} --swap --encrypt {more}")


def table(guest):
    return guest.run("dmsetup table --showkeys ballast0-swap").output.split()


def test_server_sees_no_page(guest):
    """Pages are there in the clear or encrypted, and come back, over a reconnect too."""
    for encrypted in (False, True):
        with NbdServer({"swap": SIZE}) as server:
            said = ctl(guest, f"attach {uri(server)} --swap" + " --encrypt" * encrypted)
            assert said.endswith(", encrypted\n") == encrypted
            with pages.out(guest) as out:
                written = server.files["swap"].read_bytes()
                assert (PAGE in written) == (not encrypted)
                server.stop()
                missed(guest)
                server.start()
                out.check()
            disk, = json.loads(ctl(guest, "status --json"))["disks"]
            assert disk["swap"]["encrypted"] == encrypted
            # dm-crypt keeps the mark of a swap's writes.
            assert disk["reconnects"] and disk["verified"] > 0
            if encrypted:
                assert written.startswith(b"ballast: encrypted swap, version 1\n")
                assert not guest.run("blkid -p /dev/ballast0", check=False).output
            assert ctl(guest, "detach --swapoff ballast0") == \
                "ballast0: swap is off\nballast0: detached\n"
            assert left(guest) == []


def test_mapping(guest):
    """A key of its own each time, no work queues, and discards only if asked for."""
    keys = set()
    with NbdServer({"swap": SIZE}) as server:
        for more in ("", "--discard"):
            attach(guest, server, more)
            _, _, kind, cipher, key, _, _, offset, _, *options = table(guest)
            assert (kind, cipher, len(key), offset) == ("crypt", "aes-xts-plain64", 128, "2048")
            assert {"no_read_workqueue", "no_write_workqueue", "sector_size:4096"} <= set(options)
            assert ("allow_discards" in options) == bool(more)
            keys.add(key)
            said = ctl(guest, "detach ballast0", 1)
            assert "is a swap; run swapoff /dev/dm-0 first" in said
            guest.run("swapoff -a")
            ctl(guest, "detach ballast0")
    assert len(keys) == 2


def test_force(guest):
    """The server is gone, and pages are on it."""
    with NbdServer({"swap": SIZE}) as server:
        attach(guest, server)
        with pages.out(guest):
            server.stop()
            ctl(guest, "detach --force ballast0")
        server.start()
        # The mapping lives as long as the swap, and its name is taken.
        assert attach(guest, server).startswith("/dev/ballast1: ")
        guest.run("swapoff -a", timeout=120)
        until(lambda: "dm-0" not in left(guest), 20, "the first mapping to end")
        ctl(guest, "detach ballast1")


@pytest.mark.parametrize("hide, back, words", [
    ("mv /usr/sbin/cryptsetup /root/", "mv /root/cryptsetup /usr/sbin/",
     "cryptsetup is not installed; install cryptsetup (Debian: cryptsetup-bin)"),
    ("rmmod dm_crypt; echo install dm_crypt false > /etc/modprobe.d/no.conf",
     "rm /etc/modprobe.d/no.conf", "the kernel has no dm-crypt"),
], ids=["cryptsetup", "dm-crypt"])
def test_what_is_missing(guest, hide, back, words):
    """Said before anything is done."""
    with NbdServer({"swap": SIZE}) as server:
        guest.run(hide, check=False)
        try:
            said = ctl(guest, f"attach {uri(server)} --swap --encrypt", 2)
        finally:
            guest.run(back)
        assert words in said and said.count("\n") == 1
        assert not server.log.count("Negotiation")


def test_file(guest):
    """ENCRYPT=yes, as the service has it."""
    with NbdServer({"swap": SIZE}) as server:
        variables = f"URI={uri(server)} SWAP=yes ENCRYPT"
        said = guest.run(f"env {variables}=perhaps {DISK} start x", check=False)
        assert said.status == 2 and "ENCRYPT=perhaps: neither yes nor no" in said.output
        guest.run(f"env {variables}=yes DISCARD=yes {DISK} start x")
        assert "allow_discards" in table(guest)
        guest.run(f"{DISK} stop x")


@pytest.mark.parametrize("gone", [False, True], ids=["server", "no-server"])
def test_shutdown(guest, gone):
    """The swap is read back, or given up."""
    with NbdServer({"swap": SIZE}) as server:
        attach(guest, server)
        guest.put("/usr/local/bin/systemctl", b"#!/bin/sh\necho stopping\n", 0o755)
        with pages.out(guest) as out:
            if gone:
                server.stop()
                missed(guest)
            guest.run(f"{DISK} shutdown", timeout=60)
            assert "ballast0" not in left(guest)
            if not gone:
                out.check()
        guest.run("swapoff -a", timeout=60)
        until(lambda: left(guest) == [], 20, "the mapping to end")
