# SPDX-License-Identifier: GPL-2.0
"""One export, one machine: a swap has an owner, and another machine does not take it."""

import json
import subprocess

import pytest

from rig import ctl as tool, host
from rig.ctl import run as ctl, uri
from rig.servers import NbdServer

SIZE = 64 << 20
REFUSED = 3
DISK = "/usr/lib/ballast/disk"
WAYS = pytest.mark.parametrize("how", ["", "--encrypt"], ids=["clear", "encrypted"])


@pytest.fixture(scope="module")
def guest(module_vm):
    guest = module_vm(name="identity")
    tool.install(guest)
    guest.run("mkdir -p /usr/lib/ballast")
    guest.put(DISK, (host.REPO / "boot/disk").read_bytes(), 0o755)
    return guest


@pytest.fixture(autouse=True)
def web1(guest):
    become(guest, "web1")
    yield
    left = guest.run("ls -d /sys/block/ballast* 2>/dev/null; tail -n +2 /proc/swaps",
                     check=False).output
    guest.run("for disk in /sys/block/ballast*; do "
              "[ ! -e $disk ] || ballastctl detach --force ${disk##*/}; done; swapoff -a",
              check=False)
    assert not left


def become(guest, name):
    """To the swap this is another machine."""
    guest.run(f"hostname {name} && echo {name} | md5sum | cut -c1-32 > /etc/machine-id")


def attach(guest, server, more="", status=0):
    return ctl(guest, f"attach {uri(server)} --swap {more}", status)


@WAYS
def test_another_machine(guest, how):
    """Refused by name, with nothing changed and nothing left; --take takes it."""
    with NbdServer({"swap": SIZE}) as server:
        attach(guest, server, how)
        ctl(guest, "detach --swapoff ballast0")
        before = server.files["swap"].read_bytes()

        become(guest, "web2")
        said = attach(guest, server, how, REFUSED)
        assert "is the swap of another machine, web1 (" in said and "--take" in said
        assert "ballast0: detached again" in said
        assert server.files["swap"].read_bytes() == before
        assert "of web1, ran mkswap" in attach(guest, server, f"{how} --take") or how
        ctl(guest, "detach --swapoff ballast0")
        attach(guest, server, how)
        ctl(guest, "detach --swapoff ballast0")

        become(guest, "web1")
        assert "another machine, web2 (" in attach(guest, server, how, REFUSED)


@WAYS
def test_doctor_finds_two_owners(guest, how):
    """Another machine has taken the swap while this one swaps to it."""
    def found():
        findings = json.loads(guest.run("ballastctl doctor --json", check=False).output)
        return [each["figures"] for each in findings["findings"]
                if each["id"] == "swap-of-two-machines"]

    with NbdServer({"swap": SIZE}) as server:
        attach(guest, server, how)
        assert not found()
        become(guest, "web2")
        ctl(guest, f"attach {uri(server)} index=1")
        guest.run("""echo web2 | md5sum | cut -c1-32 > /etc/machine-id
            if head -c 7 /dev/ballast1 | grep -q ballast; then
                head -c 128 /dev/ballast1 | sed 's/web1/web2/; s/owner: ./owner: 0/' > /run/header
                truncate -s 4096 /run/header
                dd if=/run/header of=/dev/ballast1 conv=fsync,notrunc
            else
                swaplabel -L web2 -U 11111111-1111-5111-8111-111111111111 /dev/ballast1
            fi""")
        ctl(guest, "detach ballast1")
        become(guest, "web1")
        figures, = found()
        assert "web2" in figures
        ctl(guest, "detach --swapoff ballast0")


def test_swap_of_an_earlier_release(guest):
    """It has no owner, and gets one."""
    with NbdServer({"swap": SIZE}) as server:
        subprocess.run(["mkswap", "-q", str(server.files["swap"])], check=True)
        assert "was a swap, ran mkswap" in attach(guest, server)
        ctl(guest, "detach --swapoff ballast0")
        become(guest, "web2")
        attach(guest, server, "", REFUSED)


def test_other_page_size(guest):
    """swapon fails with EINVAL: the reason is said, and the service does not try for ever."""
    with NbdServer({"swap": SIZE}) as server:
        subprocess.run(["mkswap", "-q", "-p", "16384", str(server.files["swap"])], check=True,
                       stderr=subprocess.DEVNULL)
        said = attach(guest, server, "", REFUSED)
        assert "pages of 16384 bytes, and this kernel's have 4096" in said and "--take" in said
        variables = f"URI={uri(server)} SWAP=yes"
        assert guest.run(f"env {variables} {DISK} start x", check=False).status == REFUSED
        guest.run(f"env {variables} TAKE=yes {DISK} start x && {DISK} stop x")
        attach(guest, server)
        ctl(guest, "detach --swapoff ballast0")


def test_service_gives_up(guest):
    """The statuses that boot/disk ends with are those at which the unit does not try again."""
    unit = (host.REPO / "boot/ballast@.service").read_text()
    assert f"RestartPreventExitStatus=2 {REFUSED}\n" in unit
