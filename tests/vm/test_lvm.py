# SPDX-License-Identifier: GPL-2.0
"""Swaps on LVM and dm-crypt over ballast disks, and a volume group that is another machine's."""

import subprocess

import pytest

from rig import install, limits, net, servers
from rig.wait import until
from test_packages import INSTALL, SLOW, WITHOUT_MDADM

pytestmark = [SLOW, pytest.mark.console_ok(r"ballast", r"I/O error", r"device-mapper")]

# A file for each disk, and it is always the same one.
# As NetworkManager: at shutdown it waits for ballast-shutdown.service, and the service
# manager's basic units wait for it.
MANAGER = """[Unit]
Before=network.target
[Service]
ExecStart=sleep infinity
[Install]
WantedBy=multi-user.target
"""
ATTACH = f"""
systemctl enable --now manager
touch /etc/ballast/lvm
for n in 0 1; do
    printf "URI=nbd://{net.HOST4}/$n\\nOPTIONS=index=$n\\n" > /etc/ballast/$n.conf
done
systemctl daemon-reload
systemctl start ballast@0 ballast@1
"""
FILL = """set -e
pvcreate -q /dev/ballast0
vgcreate -q data /dev/ballast0
lvcreate -q -y -l 100%FREE -n swap data
mkswap /dev/data/swap
echo 'secret /dev/ballast1 /dev/urandom plain,cipher=aes-xts-plain64,size=256,swap,_netdev,nofail' \
    >> /etc/crypttab
for device in /dev/data/swap /dev/mapper/secret; do
    echo "$device none swap pri=5,_netdev,nofail,x-systemd.device-timeout=5s 0 0" >> /etc/fstab
done
systemctl daemon-reload
systemctl start systemd-cryptsetup@secret
"""


# In ballast.conf(5). An encrypted swap is a device that LVM reads, too.
FILTER = 'global_filter = [ "r|^/dev/ballast|", "r|^/dev/mapper/ballast|" ]\n'


def exports():
    return servers.NbdServer({str(n): 128 << 20 for n in range(2)}, port=limits.DEFAULT_PORT)


@pytest.fixture(scope="module")
def root(debs, suite):
    """What is installed, for all tests of this file; lvm2 is in this variant."""
    with install.installed(suite, "cloud-amd64", INSTALL + WITHOUT_MDADM, debs,
                           variant="dracut") as (_, _, disk):
        yield disk


@pytest.fixture
def machine(root, suite, vm, tmp_path):
    """It has booted; what it writes is dropped."""
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", root, disk],
                   check=True)
    machine = install.Machine(vm, suite, disk, variant="dracut")
    machine.boot()
    machine.booted()
    return machine


def attached(guest):
    until(lambda: not guest.run("test -b /dev/ballast0 -a -b /dev/ballast1",
                                check=False).status, 60, "the disks", 0.5)


def mapped(guest):
    """What device mapper has."""
    return {line.split()[0] for line in guest.run("dmsetup ls").output.splitlines()
            if line != "No devices found"}


def activations(guest):
    """What udev's rules of LVM have started."""
    return guest.run("journalctl --quiet --boot --unit lvm-activate-data.service").output


def in_use(machine):
    def names():
        return {machine.guest.run(f"cat /sys/class/block/{line.split()[0][5:]}/dm/name").output
                .strip() for line in machine.swaps()}
    until(lambda: names() == {"data-swap", "secret"}, 90, "both swaps", 0.5)


def test_swaps_of_fstab(machine):
    guest = machine.guest
    guest.run("cat > /etc/systemd/system/manager.service", data=MANAGER.encode())
    with exports() as server:
        guest.run(ATTACH)
        attached(guest)
        print(guest.run(FILL, timeout=120).output)
        guest.run("swapon -a")
        in_use(machine)
        for disk, name in ("ballast0", "data-swap"), ("ballast1", "secret"):
            assert ", on /dev/dm-" in guest.run(f"ballastctl status {disk}").output
            refused = guest.run(f"ballastctl detach --swapoff {disk}", check=False)
            assert refused.status and f"({name}); run swapoff /dev/dm-" in refused.output
        in_use(machine)

        # They are read back while the network is up.
        machine.swap_out()
        way_down = machine.reboot_in_order()
        assert "ordering cycle" not in way_down, way_down
        machine.booted()
        in_use(machine)
        assert activations(machine.guest)

        # Without the server the machine ends nevertheless.
        machine.swap_out()
        server.stop()
        machine.go_down(timeout=150)
        assert "ordering cycle" not in machine.guest.console.text


def test_group_of_another_machine(machine):
    """It is not activated, and LVM does not wait for a server that is gone."""
    guest = machine.guest
    with exports() as server:
        attach = f"ballastctl attach nbd://{net.HOST4}/0"
        guest.run(f"{attach} && pvcreate -q /dev/ballast0 && vgcreate -q data /dev/ballast0 && "
                  "lvcreate -q -y -L 8M -n swap data && vgchange -q -an data && "
                  "ballastctl detach ballast0")
        guest.run(f"{attach} && udevadm settle")
        assert not activations(guest) and "data-swap" not in mapped(guest)

        guest.run(f"ballastctl attach nbd://{net.HOST4}/1 --swap --encrypt index=1")
        guest.run("cat > /root/line && sed -i '/^devices {/r /root/line' /etc/lvm/lvm.conf",
                  data=FILTER.encode())
        server.stop()
        guest.run("timeout 20 pvs && timeout 20 vgs && timeout 20 lsblk -f", timeout=90)
        server.start()
