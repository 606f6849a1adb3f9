# SPDX-License-Identifier: GPL-2.0
"""From the README alone to an encrypted swap that is back after a reboot, and to nothing left."""

import json
import time
from dataclasses import dataclass

import pytest

from rig import install, line, net, servers
from rig.wait import until
from test_packages import INSTALL, SLOW, WITHOUT_MDADM, export, purge_while_it_swaps

IFUPDOWN = INSTALL + f"""
cat > /etc/network/interfaces <<END
auto eth0
iface eth0 inet static
    address {net.guest4(0)}/24
END
systemctl -q mask NetworkManager NetworkManager-wait-online
"""

# An initramfs of this machine alone, as dracut makes it where it is installed.
DRACUT = INSTALL + WITHOUT_MDADM + """
dracut --quiet --no-hostonly --kver $(ls /lib/modules) /mnt/initrd
"""


@dataclass(frozen=True)
class Kind:
    variant: str
    script: str
    dhcp: bool = False
    initrd: bool = False


KINDS = {
    "networkd": Kind("systemd", INSTALL),
    "NetworkManager": Kind("desktop", INSTALL, dhcp=True),
    "ifupdown": Kind("desktop", IFUPDOWN),
    "dracut": Kind("dracut", DRACUT, initrd=True),
}
PULLED = 15     # seconds
# But for what doctor's commands write for a network manager, which is the administrator's.
LEFT = """find / -xdev -iname '*ballast*' -not -path '/var/cache/apt/*' \\
    -not -path '/etc/systemd/network/*' -not -path '/etc/NetworkManager/*' -print"""


def cured(guest):
    """Doctor's commands are enough: it has nothing to say any more."""
    said = json.loads(guest.run("ballastctl doctor --json", check=False, timeout=60).output)
    for finding in said["findings"]:
        print(finding["severity"], finding["finding"])
        for command in finding["commands"]:
            print(f"# {command}\n{guest.run(f'{command} 2>&1', timeout=60).output}")
    last = guest.run("ballastctl doctor", check=False, timeout=60)
    assert last.status == 0, last.output


def cable_pulled(guest):
    """For so long that a lease or an address may be given up, while programs are swapped out."""
    address = guest.run("ip -4 -o address show eth0").output.split()[3]
    hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 500M --vm-keep --verify -t 0 -q")
    until(lambda: swapped_in(guest) > 1000, 120, "programs to swap", 0.5)
    with line.link_down(guest):
        time.sleep(PULLED)
    before = swapped_in(guest)
    until(lambda: swapped_in(guest) > before + 1000, 60, "the swap to be back", 0.5)
    assert address in guest.run("ip -4 -o address show eth0").output
    assert hogs.running
    hogs.kill(timeout=120)


def swapped_in(guest):
    """Pages since the boot."""
    return int(guest.run("sed -n 's/^pswpin //p' /proc/vmstat", timeout=120).output)


@pytest.mark.console_ok("ballast: ")
@SLOW
@pytest.mark.parametrize("name", KINDS)
def test_encrypted_swap_is_back_and_purge_leaves_nothing(debs, suite, vm, name):
    kind = KINDS[name]
    with install.installed(suite, "cloud-amd64", kind.script, debs, variant=kind.variant) \
            as (_, left, root), export(), servers.dhcp(3600):
        machine = install.Machine(vm, suite, root, variant=kind.variant, dhcp=kind.dhcp,
                                  initrd=left / "initrd" if kind.initrd else None,
                                  append="root=/dev/vda rw" if kind.initrd else "")
        guest = machine.boot()
        # With dracut on Debian 12, systemd-network-generator.service fails after the initramfs.
        state = machine.booted()
        print(guest.run(f"ballastctl attach nbd://{net.HOST4}/swap --swap --encrypt --persist "
                        "&& swapon --show && ballastctl list").output)
        machine.wait_swap(disk="/dev/dm-0")
        # The unit takes the disk for its own, and does not attach it once more.
        until(lambda: "ballast0 is still attached" in
              guest.run("journalctl -u ballast@swap").output, 30, "the unit to have started")

        cured(guest)
        cable_pulled(guest)

        machine.swap_out()
        machine.reboot_in_order()
        assert machine.booted() == state
        machine.wait_swap(disk="/dev/dm-0")
        assert ", encrypted" in machine.guest.run("ballastctl status").output

        purge_while_it_swaps(machine, state)
        assert not machine.guest.run(LEFT).output
