# SPDX-License-Identifier: GPL-2.0
"""The Debian packages, as an administrator meets them: install, boot, outage, upgrade, purge."""

import os
import re
import shutil

import pytest

from rig import host, image, install, limits, net, secureboot, servers, traffic
from rig.wait import until

SLOW = pytest.mark.skipif(int(os.environ.get("BALLAST_ROUNDS", "1")) < 2,
                          reason="takes minutes: BALLAST_ROUNDS=2 runs it")

# Beside the kernel one without headers and one whose headers can't build anything. Later a
# second kernel, as an upgrade brings it: only its name differs, and so does not matter what
# is in it. Then the hook that dpkg calls for it.
LIFE = """
list() { find / -xdev \\( -path /mnt -o -path /proc -o -path /dev \\) -prune -o -print | sort; }
installed() { for k in $kernel $kernel-new; do
    echo "$1: $(modinfo -k $k -F version ballast 2>&1)"; done; }
kernel=$(ls /lib/modules)
list > /tmp/before

mkdir -p /lib/modules/$kernel-bare /lib/modules/$kernel-broken/build/include
touch /lib/modules/$kernel-bare/modules.builtin /lib/modules/$kernel-broken/modules.builtin
apt-get install -y /mnt/0.1.0/*.deb
dpkg-query -W -f 'status: ${Package} ${db:Status-Status}\n' 'ballast-*'
rm -r /lib/modules/$kernel-bare /lib/modules/$kernel-broken
echo "signed: $(modinfo -k $kernel -F signer ballast)"

cp -a /lib/modules/$kernel /lib/modules/$kernel-new
rm -r /lib/modules/$kernel-new/updates
/etc/kernel/postinst.d/dkms $kernel-new
installed kernel-upgrade

echo 'URI=nbd://192.0.2.1/swap' > /etc/ballast/kept.conf
apt-get install -y /mnt/0.1.1/*.deb
installed upgrade
ls -d /usr/src/ballast-* | sed 's/^/source: /'

touch /etc/ballast/initramfs
printf '#!/bin/sh\\necho "initramfs: $*"\\n' > /usr/sbin/update-initramfs
apt-get remove -y ballast-dkms ballast-utils
installed remove
ls -d /usr/src/ballast-* /var/lib/dkms/ballast 2>&1 | sed 's/^/left: /'
ls /etc/ballast | sed 's/^/config: /'

apt-get purge -y ballast-dkms ballast-utils
rm -r /lib/modules/$kernel-new
list > /tmp/after
# Files that dpkg and DKMS keep for themselves; depmod rewrites modules.*.
diff /tmp/before /tmp/after | grep '^[<>]' |
    grep -vE -e '^. (/var/(log|cache)/|/var/lib/(dpkg|apt|systemd/deb)|/var/lib/dkms/mok\\.)' \\
        -e '^. (/tmp|/run)' |
    sed 's/^/difference: /'
"""

# No network: the machine must find all it needs in the packages and the image.
INSTALL = "apt-get install -y /mnt/0.1.0/*.deb\n"
INSTALL_INITRD = INSTALL + """
    touch /etc/ballast/initramfs
    update-initramfs -c -k $(ls /lib/modules)
    cp /boot/initrd.img-* /mnt/initrd
"""

# mdadm's unit runs dracut at each shutdown, which takes a minute and a half in such a
# guest. It unpacks the result into /run, where not all of it fits: "reboot" is missing then.
WITHOUT_MDADM = "systemctl -q mask mdadm-shutdown\n"

INSTALL_DRACUT = INSTALL + WITHOUT_MDADM + """
    touch /etc/ballast/initramfs
    dracut --quiet --no-hostonly --kver $(ls /lib/modules) /mnt/initrd
    lsinitrd /mnt/initrd | grep -c -e ballast.ko -e ballastctl -e 95ballast
"""


def said(output, what):
    """The values of the lines "what: value"."""
    return re.findall(rf"^{what}: (.*)$", output, re.M)


def test_install_upgrade_remove_purge(debs, suite):
    with install.installed(suite, "cloud-amd64", LIFE, debs, disk=False) as (output, _, _):
        print(output)
    assert said(output, "status") == ["ballast-dkms installed", "ballast-utils installed"]
    no_module = said(output, "ballast: no module for [^:]*")
    assert any("apt-get install linux-headers-" in why for why in no_module), no_module
    assert "it could not be built" in no_module
    assert "DKMS" in "".join(said(output, "signed")), "DKMS does not sign it"
    assert said(output, "kernel-upgrade") == ["0.1.0"] * 2
    assert said(output, "upgrade") == ["0.1.1"] * 2
    assert said(output, "source") == ["/usr/src/ballast-0.1.1"]
    assert all("not found" in line for line in said(output, "remove"))
    assert all("No such file" in line for line in said(output, "left"))
    assert "-u -k all" in said(output, "initramfs"), "an old initramfs still attaches"
    assert "kept.conf" in said(output, "config")
    assert not said(output, "difference")


def export(*names):
    """A server of "swap" or others, on the port that an administrator would not have to name."""
    return servers.NbdServer({name: 256 << 20 for name in names or ["swap"]},
                             port=limits.DEFAULT_PORT)


# Two disks, and the second swap is encrypted.
def command_line(first):
    return (f"root=/dev/vda rw rd.ballast=nbd://{net.HOST4}/{first},swap,priority=3,"
            f"allow=tcp:22,udp:123 rd.ballast=nbd://{net.HOST4}/secret,swap,encrypt,priority=3")


def both_swaps(machine):
    swaps = {line.split()[0]: line.split()[4] for line in machine.swaps()}
    assert swaps == {"/dev/ballast0": "3", "/dev/dm-0": "3"}


def guarded(machine):
    status = "ballastctl guard eth0 status"
    until(lambda: not machine.guest.run(status, check=False).status, 30, "the guard")
    assert "guarded, allow=tcp:22, reserve of " in machine.guest.run(status).output
    machine.guest.run("systemctl is-active ballast@guard-eth0")


def stop_without_the_files(machine):
    """A stop ends the swap and the guard although their files were removed."""
    guest = machine.guest
    guest.run("mkdir /root/kept && mv /etc/ballast/*.conf /root/kept/ && "
              "systemctl stop ballast@swap ballast@guard-eth0")
    assert not machine.swaps()
    guest.run("! ls -d /sys/block/ballast* && ! ballastctl guard eth0 status && "
              "! systemctl is-failed ballast@swap ballast@guard-eth0")
    guest.run("mv /root/kept/*.conf /etc/ballast/ && "
              "systemctl start ballast@swap ballast@guard-eth0")
    machine.wait_swap()
    guarded(machine)


def purge_while_it_swaps(machine, state="running"):
    """state: what systemd thinks of the machine without ballast."""
    guest = machine.guest
    # dracut makes an initramfs, in a guest that swaps.
    print(guest.run("apt-get purge -y ballast-dkms ballast-utils 2>&1", timeout=900).output)
    assert not machine.swaps()
    guest.run("! lsmod | grep ballast && ! modinfo ballast && ! which ballastctl && "
              "! ls -d /etc/ballast /usr/src/ballast* /var/lib/dkms/ballast")
    # A template's slice stays until the machine ends.
    assert not guest.run("systemctl list-units --all --plain --no-legend 'ballast*' "
                         "'dev-ballast*'").output
    machine.reboot()
    assert machine.booted() == state


# A shutdown reads from a disk whose server is gone, and then detaches it.
READ_FAILS = r"I/O error, dev ballast0, sector 0 op 0x0:\(READ\)"


@pytest.mark.console_ok(READ_FAILS)
def test_boot(debs, suite, vm):
    with install.installed(suite, "cloud-amd64", INSTALL, debs) as (_, _, root), \
            export() as server:
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        assert machine.booted() == "running"
        uri = f"nbd://{net.HOST4}/swap"

        # By hand: one command, and nothing loaded before.
        print(guest.run(f"ballastctl attach {uri} --swap").output)
        machine.wait_swap(0)
        assert int(guest.run("cat /sys/module/ballast/refcnt").output) > 0
        assert guest.run("rmmod ballast", check=False).status
        guest.run("swapoff -a && ballastctl detach ballast0 && rmmod ballast")

        # By file.
        guest.run(f"printf 'URI={uri}\\nSWAP=yes\\nPRIORITY=7\\n' > /etc/ballast/swap.conf && "
                  "systemctl daemon-reload && systemctl start ballast@swap")
        machine.wait_swap()
        assert machine.swaps()[0].split()[-1] == "7"
        print(guest.run("ballastctl guard eth0 allow=tcp:22 --persist").output)
        order = guest.run("systemctl show -p Before -p After -p Conflicts dev-ballast0.swap").output
        assert "network.target" in order and "umount.target" in order, order

        # With something in the swap, a shutdown has to read it back first.
        machine.swap_out()
        machine.reboot_in_order()

        # The swap is back by itself, and so is the guard.
        assert machine.booted() == "running"
        machine.wait_swap()
        guarded(machine)

        # The server goes: the machine goes down, and comes up without it.
        machine.guest.run("systemctl is-active ballast-shutdown")
        server.stop()
        machine.reboot()
        assert machine.booted() == "running"
        assert not machine.swaps()
        assert machine.guest.run("systemctl is-failed ballast@swap", check=False).status
        server.start()
        machine.wait_swap()

        stop_without_the_files(machine)

        # A file that makes no sense is told once, and not tried for ever.
        guest = machine.guest
        # If it ends before systemd looks, the start itself fails.
        guest.run("echo SWAP=yes > /etc/ballast/wrong.conf && systemctl daemon-reload && "
                  "{ systemctl start ballast@wrong || :; }")
        until(lambda: not guest.run("systemctl is-failed ballast@wrong", check=False).status,
              30, "ballast@wrong to fail")
        until(lambda: "URI= or GUARD= is missing" in
              guest.run("journalctl -u ballast@wrong").output, 30, "journald to have its message")

        purge_while_it_swaps(machine)


@SLOW
def test_three_commands_and_an_upgrade(debs, suite, vm):
    """From nothing to a swap within a machine that runs, then a newer package under it."""
    with install.installed(suite, "cloud-amd64", "cp -r /mnt/0.1.* /root/\n", debs) \
            as (_, _, root), export():
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        machine.booted()
        for command in ("apt-get install -y /root/0.1.0/*.deb",
                        f"ballastctl attach nbd://{net.HOST4}/swap --swap --encrypt --persist",
                        "swapon --show"):
            print(f"# {command}\n{guest.run(f'{command} 2>&1', timeout=1200).output}")
        machine.wait_swap(0, "/dev/dm-0")

        # Pages that are out while the packages are changed have to come back as they were.
        guest.run("systemd-run --scope -q -p MemoryMax=32M head -c 80M /dev/urandom "
                  "> /dev/shm/data && sha256sum /dev/shm/data > /root/sum", timeout=120)
        print(guest.run("apt-get install -y /root/0.1.1/*.deb 2>&1", timeout=1200).output)
        machine.wait_swap(0, "/dev/dm-0")
        assert guest.run("cat /sys/module/ballast/version").output.strip() == "0.1.0"
        assert guest.run("modinfo -F version ballast").output.strip() == "0.1.1"
        guest.run("sha256sum -c /root/sum")

        machine.reboot()
        machine.booted()
        machine.wait_swap(disk="/dev/dm-0")
        assert machine.guest.run("cat /sys/module/ballast/version").output.strip() == "0.1.1"


@pytest.mark.console_ok(r"INFO: task swapoff:\d+ blocked", r"INFO: task \(?sd-\w+\)?:\d+ blocked",
                        READ_FAILS)
@SLOW
def test_shutdown_without_server(debs, suite, vm):
    """What cannot be read back any more does not keep the machine from ending."""
    with install.installed(suite, "cloud-amd64", INSTALL, debs) as (_, _, root), \
            export() as server:
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        machine.booted()
        guest.run(f"ballastctl attach nbd://{net.HOST4}/swap --swap deadline=0")
        machine.swap_out()
        server.stop()
        guest.spawn("systemctl reboot")
        guest.wait_exit(300)
        assert "reboot: Restarting system" in guest.console.text


def one_swap_unit(machine, disk="ballast1"):
    """The encrypted swap is one to systemd, and not another for each link."""
    links = machine.guest.run("udevadm info -q symlink /dev/dm-0").output.split()
    assert links == [f"mapper/{disk}-swap"], links
    units = machine.guest.run("systemctl list-units --all --plain 'dev-disk-*.swap'").output
    assert "dev-disk" not in units, units


def goes_down(machine):
    """With pages in both swaps."""
    one_swap_unit(machine)
    machine.swap_out()
    assert all(int(line.split()[3]) for line in machine.swaps()), machine.swaps()
    install.in_order(machine.go_down())


@SLOW
def test_initramfs(debs, suite, vm):
    """A machine that swaps before it has a root, to the export that has its names."""
    mac = net.mac(0).replace(":", "-")
    with install.installed(suite, "cloud-amd64", INSTALL_INITRD, debs) as (_, left, root), \
            export(f"{mac}.boot1", "secret"):
        machine = install.Machine(vm, suite, root, initrd=left / "initrd")
        guest = machine.boot(append=command_line("%M.%H"))
        both_swaps(machine)
        assert "unknown parameter" not in guest.console.text
        assert machine.booted() == "running"
        both_swaps(machine)
        print(guest.run("dmesg | grep -i ballast; ballastctl list").output)
        goes_down(machine)


@SLOW
def test_dracut(debs, suite, vm):
    """The same with an initramfs that dracut made."""
    with install.installed(suite, "cloud-amd64", INSTALL_DRACUT, debs, variant="dracut") \
            as (output, left, root), export("swap", "secret"):
        print(output)
        machine = install.Machine(vm, suite, root, variant="dracut", initrd=left / "initrd")
        guest = machine.boot(append=command_line("swap"))
        both_swaps(machine)
        # Not "running": systemd-network-generator finds what it wrote in the initramfs.
        machine.booted()
        both_swaps(machine)
        print(guest.run("dmesg | grep -i ballast; ls -A /run/ballast-initramfs").output)
        goes_down(machine)


@pytest.mark.console_ok("ballast: ")
@SLOW
def test_network_manager(debs, suite, vm):
    """It brings the network up late, and at shutdown leaves it up until the swap is read back."""
    with install.installed(suite, "cloud-amd64", INSTALL, debs, variant="desktop") \
            as (_, _, root), export(), servers.dhcp(3600):
        machine = install.Machine(vm, suite, root, variant="desktop", dhcp=True)
        guest = machine.boot()
        assert machine.booted() == "running"
        print(guest.run("nmcli device; systemctl is-enabled systemd-networkd", check=False).output)
        guest.run(f"printf 'URI=nbd://{net.HOST4}/swap\nSWAP=yes\n' > /etc/ballast/swap.conf && "
                  "systemctl daemon-reload && systemctl start ballast@swap")
        machine.wait_swap()
        machine.swap_out()
        machine.reboot_in_order()
        assert machine.booted() == "running"
        machine.wait_swap()


@SLOW
def test_encrypted_swap(debs, suite, vm):
    """It is back after a reboot, under another key, and the way down reads it back."""
    with install.installed(suite, "cloud-amd64", INSTALL, debs) as (_, _, root), export():
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        assert machine.booted() == "running"
        guest.run(f"printf 'URI=nbd://{net.HOST4}/swap\nSWAP=yes\nENCRYPT=yes\n' > "
                  "/etc/ballast/swap.conf && systemctl daemon-reload && "
                  "systemctl start ballast@swap")
        machine.wait_swap(disk="/dev/dm-0")
        one_swap_unit(machine, "ballast0")
        machine.swap_out()
        machine.reboot_in_order()
        assert machine.booted() == "running"
        machine.wait_swap(disk="/dev/dm-0")
        machine.guest.run("systemctl stop ballast@swap && ! ls /dev/mapper/ballast* /dev/ballast*")


@SLOW
def test_raid(debs, suite, vm):
    """Swap on md RAID 1 over the disks of two servers, as the manual has it."""
    with install.installed(suite, "cloud-amd64", INSTALL, debs) as (_, _, root), export(), \
            servers.NbdServer({"swap": 256 << 20}, port=10810):
        machine = install.Machine(vm, suite, root)
        guest = machine.boot()
        machine.booted()
        for name, port in (("a", 10809), ("b", 10810)):
            guest.run(f"printf 'URI=nbd://{net.HOST4}:{port}/swap\nOPTIONS=deadline=10\n' > "
                      f"/etc/ballast/{name}.conf")
        guest.run("systemctl daemon-reload && systemctl start ballast@a ballast@b")
        until(lambda: not guest.run("test -b /dev/ballast0 -a -b /dev/ballast1",
                                    check=False).status, 60, "both disks")
        print(guest.run("""set -e
            mdadm --create /dev/md0 --level=1 --raid-devices=2 --run /dev/ballast0 /dev/ballast1
            mdadm --detail --scan >> /etc/mdadm/mdadm.conf
            mkswap /dev/md0
            echo '/dev/md0 none swap nofail,_netdev 0 0' >> /etc/fstab
            systemctl daemon-reload
            swapon -a""", timeout=120).output)
        machine.swap_out()
        machine.reboot_in_order()
        assert machine.booted() == "running"
        machine.wait_swap(disk="/dev/md0")
        arrays = machine.guest.run("cat /proc/mdstat").output
        assert "[UU]" in arrays, arrays


@SLOW
def test_secure_boot(debs, suite, vm, tmp_path):
    """A kernel that takes signed modules only takes DKMS's once its key is enrolled."""
    if not shutil.which("mformat"):
        pytest.skip("needs scripts/deps mtools")
    with install.installed(suite, "cloud-amd64", INSTALL, debs, variant="secureboot") \
            as (_, _, root), export():
        firmware = secureboot.Firmware(image.get(suite, "cloud-amd64", "secureboot"), tmp_path)
        machine = install.Machine(vm, suite, root, variant="secureboot", firmware=firmware)
        guest = machine.boot()
        machine.booted()
        attach = f"ballastctl attach nbd://{net.HOST4}/swap --swap 2>&1"
        print(guest.run("mokutil --sb-state; cat /sys/kernel/security/lockdown").output)
        refused = guest.run(attach, check=False)
        print(refused.output)
        assert refused.status == 1 and "Key was rejected by service" in refused.output
        guest.run("mokutil --generate-hash=secret > /root/hash && "
                  "mokutil --hash-file /root/hash --import /var/lib/dkms/mok.pub")
        guest.spawn("systemctl poweroff")
        guest.wait_exit(240)
        guest.close()

        firmware.enroll("secret", host.logs() / "mokmanager.log")
        guest = machine.boot()
        assert machine.booted() == "running"
        assert "[integrity]" in guest.run("cat /sys/kernel/security/lockdown").output
        print(guest.run(attach).output)
        machine.wait_swap(0)
        machine.swap_out()


@pytest.mark.console_ok("ballast: ")
@SLOW
def test_dhcp(debs, suite, vm):
    """A diskless machine whose address is a lease: it is renewed while memory is short."""
    lease = 20
    with install.installed(suite, "cloud-amd64", INSTALL_INITRD, debs) as (_, left, root), \
            export(), servers.dhcp(lease) as given:
        machine = install.Machine(vm, suite, root, initrd=left / "initrd", dhcp=True)
        guest = machine.boot(append=f"root=/dev/vda rw rd.ballast=nbd://{net.HOST4}/swap,swap")
        machine.booted()
        machine.wait_swap(0)
        address = guest.run("ip -4 -o address show eth0").output
        assert net.dhcp4(0).rpartition(".")[0] in address and "dynamic" in address, address
        address = address.split()[3].partition("/")[0]
        hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 600M --vm-keep --verify -t 0 -q")
        with traffic.sent(address, [("udp", 7)], 20 * lease):
            begun = given()
            until(lambda: given() >= begun + 4, 20 * lease, "leases to be renewed")
        print(guest.run("cat /sys/class/net/eth0/ballast/rx_dropped /proc/swaps; "
                        "ip -4 address show eth0").output)
        assert int(guest.run("cat /sys/class/net/eth0/ballast/rx_dropped").output) > 0
        assert hogs.running
        hogs.kill(timeout=120)
        assert address in guest.run("ip -4 address show eth0").output
