"""The rig's own tests."""

import pytest

from rig import net
from rig.vm import CommandFailed


@pytest.fixture(scope="module")
def guest(module_vm):
    return module_vm(name="rig")


def test_boots(guest):
    print(f"booted in {guest.boot_seconds:.1f} s")
    assert guest.boot_seconds < 30


def test_status_and_output(guest):
    assert guest.run("echo a; echo b >&2; exit 3", check=False) == (3, "a\nb\n")
    with pytest.raises(CommandFailed, match="exit status 3"):
        guest.run("exit 3")


def test_ping(guest):
    guest.run(f"ping -c1 -W5 {net.HOST4} && ping -c1 -W5 {net.HOST6}")
