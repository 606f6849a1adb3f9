# SPDX-License-Identifier: GPL-2.0
"""ballastctl guard against the module: options, a bond, and what is refused."""

import pytest

from rig import ctl as tool

GUARD = "/sys/class/ballast/guard"


@pytest.fixture(scope="module")
def guest(shared_vm):
    tool.put(shared_vm)
    return shared_vm


@pytest.fixture(autouse=True)
def no_guard(guest):
    yield
    guest.run(f"cut -d' ' -f1 {GUARD} | while read name; do echo -$name > {GUARD}; done; "
              "ip link del bond0", check=False)


def ctl(guest, arguments, status=0):
    result = guest.run(f"exec ballastctl guard {arguments}", check=False)
    assert result.status == status, result.output
    return result.output


def value(guest, name, interface="eth0"):
    return guest.run(f"cat /sys/class/net/{interface}/ballast/{name}").output.strip()


def test_options(guest):
    assert ctl(guest, "eth0") == "eth0: is guarded\n"
    assert guest.run(f"cat {GUARD}").output == "eth0\n"
    size = int(value(guest, "size_pages"))
    assert ctl(guest, "eth0 status") == f"eth0: guarded, reserve of {size} pages, calm\n"
    # The new one begins before the old one ends: the directory is the same.
    guest.run("echo 300 > /sys/class/net/eth0/ballast/lend_below")
    options = "reserve=99 allow=tcp:22,udp:53@192.0.2.5,tcp:1@[2001:db8::5]"
    assert ctl(guest, f"eth0 {options}") == "eth0: is guarded\n"
    assert guest.run(f"cat {GUARD}").output == f"eth0 {options}\n"
    assert (value(guest, "size_pages"), value(guest, "lend_below")) == ("99", "300")
    assert ctl(guest, "eth0 off") == "eth0: is no longer guarded\n"
    guest.run(f"! ls -d /sys/class/net/*/ballast; ! grep . {GUARD}")


@pytest.mark.parametrize("text, why", [
    ("eth0 allow=22", "guard: eth0: allow=22: is not of the form tcp:22 or udp:123"),
    ("eth0 allow=tcp:1 allow=tcp:2", "guard: eth0: allow=tcp:2: the option is given twice"),
    ("eth0 queue_depth=1", "guard: eth0: queue_depth=1: unknown option"),
    ("eth0 reserve=200000000", "guard: eth0: reserve=200000000: is over"),
    ("-eth0 allow=tcp:1", "guard: -eth0: takes no option"),
    ("lo allow=tcp:1", "guard: lo: cannot guard a loopback interface"),
    ("", 'guard: "" is not the name of an interface'),
])
def test_refused(guest, text, why):
    guest.run("dmesg -C")
    assert guest.run(f"echo '{text}' > {GUARD}", check=False).status
    assert why in guest.run("dmesg").output
    guest.run(f"! ls -d /sys/class/net/*/ballast; ! grep . {GUARD}")


def test_kernel_reason_is_told(guest):
    said = ctl(guest, "eth0 reserve=200000000", status=1)
    assert "eth0: the kernel says: guard: eth0: reserve=200000000: is over" in said
    assert said.endswith("(Invalid argument)\n")


def test_bond(guest):
    """The reserve is on the card under it, where the packets come in."""
    guest.run("modprobe bonding max_bonds=0 && "
              "ip link add bond0 type bond && ip link set eth0 down && "
              "ip link set eth0 master bond0 && ip link set bond0 up")
    try:
        assert ctl(guest, "bond0") == "bond0: is guarded\n"
        assert int(value(guest, "packet_limit")) > 0 and int(value(guest, "size_pages")) > 0
        guest.run("! ls -d /sys/class/net/bond0/ballast")
        assert ctl(guest, "") == "bond0: guarded\n"
        assert ctl(guest, "bond0 off") == "bond0: is no longer guarded\n"
    finally:
        guest.run("ip link del bond0; ip link set eth0 up", check=False)
