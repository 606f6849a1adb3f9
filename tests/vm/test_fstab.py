# SPDX-License-Identifier: GPL-2.0
"""Swaps and file systems of /etc/fstab on what lies on a ballast disk."""

import pytest

from rig import install, limits, net, servers
from rig.wait import until
from test_packages import INSTALL, SLOW

# A file for each disk, and it is always the same one.
ATTACH = """
for n in 0 1 2; do
    printf "URI=nbd://%s/$n\\nOPTIONS=index=$n\\n" > /etc/ballast/$n.conf
done
systemctl daemon-reload
systemctl start ballast@0 ballast@1 ballast@2
""" % net.HOST4

DISKS = ["ballast0", "ballast1", "ballast2"]
FILL = """set -e
echo 'type=swap' | sfdisk -q /dev/ballast0
udevadm settle
mkswap /dev/ballast0p1
mdadm --create /dev/md0 --run --level=1 --raid-devices=1 --force /dev/ballast1
mdadm --detail --scan >> /etc/mdadm/mdadm.conf
mkswap /dev/md0
mke2fs -q -t ext4 /dev/ballast2
mkdir -p /srv/data
options=_netdev,nofail,x-systemd.device-timeout=5s
cat >> /etc/fstab <<END
/dev/ballast0p1 none swap pri=5,$options 0 0
/dev/md0 none swap pri=5,$options 0 0
UUID=$(blkid -o value -s UUID /dev/ballast2) /srv/data ext4 $options 0 0
END
"""


def exports():
    return servers.NbdServer({str(n): 128 << 20 for n in range(3)}, port=limits.DEFAULT_PORT)


def attached(guest):
    until(lambda: not guest.run(" && ".join(f"test -b /dev/{disk}" for disk in DISKS),
                                check=False).status, 60, "the disks", 0.5)


def in_use(machine):
    """The swaps are on and the file system is mounted."""
    until(lambda: len(machine.swaps()) == 2, 60, "both swaps", 0.5)
    assert {line.split()[0] for line in machine.swaps()} == {"/dev/ballast0p1", "/dev/md0"}
    until(lambda: not machine.guest.run("mountpoint -q /srv/data", check=False).status,
          30, "the file system", 0.5)


@SLOW
@pytest.mark.console_ok(r"ballast", r"md/raid", r"I/O error", r"EXT4-fs")
def test_partition_raid_and_file_system(debs, suite, vm):
    with install.installed(suite, "cloud-amd64", INSTALL, debs) as (_, _, root), \
            exports() as server:
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        machine.booted()
        guest.run(ATTACH)
        attached(guest)
        print(guest.run(FILL, timeout=120).output)
        guest.run("systemctl daemon-reload && swapon -a && mount /srv/data && "
                  "udevadm trigger --settle /dev/ballast2 && ls /dev/disk/by-uuid")
        in_use(machine)

        # They are read back while the network is up.
        machine.swap_out()
        machine.reboot_in_order()
        assert machine.booted() == "running"
        in_use(machine)

        # Without the server the machine ends nevertheless, and boots. (systemd takes three
        # minutes to give up an umount.)
        machine.swap_out()
        machine.guest.run("umount /srv/data")
        server.stop()
        machine.reboot(timeout=300)
        assert machine.booted() == "running"
        guest = machine.guest
        until(lambda: "dev-md0" not in guest.run("systemctl list-jobs").output, 60,
              "systemd to give up")
        assert not machine.swaps()

        # And when the server comes, they are in use.
        server.start()
        in_use(machine)
