# SPDX-License-Identifier: GPL-2.0
"""doctor: programs that manage the interface of a swap."""

import json
import re
import subprocess

import pytest

NETWORK_FILE = "/run/systemd/network/70-eth0.network"
LOST = "address-lost-with-carrier"
SWAPPABLE = "manager-swappable"


def findings(ctl):
    """Those of the programs only: the rest of this machine does not matter here."""
    found = json.loads(ctl("doctor", "--json").out)["findings"]
    return {each["id"]: each for each in found if each["id"] in (LOST, SWAPPABLE)}


@pytest.fixture
def swap(tree):
    tree.disk()
    tree.swap()
    tree.reserve()
    tree.write("sys/class/net/eth0/ifindex", "2\n")
    return tree


def networkd(tree):
    tree.write("run/systemd/netif/links/2",
               f"ADMIN_STATE=configured\nNETWORK_FILE={NETWORK_FILE}\nDNS=192.0.2.1\n")
    tree.write(NETWORK_FILE[1:], "[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n"
                                 "[DHCP]\nIgnoreCarrierLoss=yes\n")


def in_memory(tree, service):
    tree.write(f"sys/fs/cgroup/system.slice/{service}.service/memory.swap.max", "0\n")


def test_networkd(ctl, swap):
    assert findings(ctl) == {}
    networkd(swap)
    found = findings(ctl)
    assert set(found) == {LOST, SWAPPABLE}
    assert found[LOST]["severity"] == "serious"
    assert "/etc/systemd/network/70-eth0.network.d/ballast.conf" in found[LOST]["commands"][1]
    swap.write("etc/systemd/network/70-eth0.network.d/ballast.conf",
               "[Network]\nIgnoreCarrierLoss=yes\nKeepConfiguration=yes\n")
    assert set(findings(ctl)) == {SWAPPABLE}
    in_memory(swap, "systemd-networkd")
    assert findings(ctl) == {}


@pytest.mark.parametrize("lines, lease, is_found", [
    ("IgnoreCarrierLoss = true", False, False),
    ("IgnoreCarrierLoss=no", False, True),
    ("#IgnoreCarrierLoss=yes", False, True),
    ("IgnoreCarrierLoss=3s", False, True),
    ("ConfigureWithoutCarrier=yes", False, False),
    ("ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=no", False, True),
    ("IgnoreCarrierLoss=yes", True, True),
    ("IgnoreCarrierLoss=yes\nKeepConfiguration=static", True, True),
    ("IgnoreCarrierLoss=yes\nKeepConfiguration=dhcp", True, False),
])
def test_settings_of_networkd(ctl, swap, lines, lease, is_found):
    networkd(swap)
    in_memory(swap, "systemd-networkd")
    swap.write(NETWORK_FILE[1:], f"[Network]\n{lines}\n")
    if lease:
        swap.write("run/systemd/netif/leases/2", "ADDRESS=192.0.2.11\n")
    assert set(findings(ctl)) == ({LOST} if is_found else set())


@pytest.mark.parametrize("path, lines, is_found", [
    ("etc/NetworkManager/NetworkManager.conf", "[main]\nplugins=keyfile", True),
    ("etc/NetworkManager/NetworkManager.conf", "[main]\nignore-carrier=*", False),
    ("etc/NetworkManager/conf.d/a.conf", "[main]\nignore-carrier=eth1;interface-name:eth0", False),
    ("etc/NetworkManager/conf.d/a.conf", "[main]\nignore-carrier=eth1", True),
    ("etc/NetworkManager/conf.d/a.conf~", "[main]\nignore-carrier=*", True),
    ("usr/lib/NetworkManager/conf.d/a.conf", "[device]\nignore-carrier=1", False),
    ("etc/NetworkManager/conf.d/a.conf",
     "[device-b]\nmatch-device=interface-name:eth0\nignore-carrier=yes", False),
    ("etc/NetworkManager/conf.d/a.conf", "[device-b]\nmatch-device=eth1\nignore-carrier=yes", True),
])
def test_settings_of_network_manager(ctl, swap, path, lines, is_found):
    swap.write("run/NetworkManager/devices/2", "[device]\nmanaged=true\nconnection-uuid=1-2\n")
    in_memory(swap, "NetworkManager")
    swap.write(path, f"{lines}\n")
    assert set(findings(ctl)) == ({LOST} if is_found else set())


def test_two_interfaces_of_network_manager(ctl, swap):
    """The commands for one do not undo those for the other."""
    swap.disk("ballast1", interface="eth1", server="192.0.2.9:10809")
    swap.write("proc/swaps", "Filename Type Size Used Priority\n"
               "/dev/ballast0 partition 1048572 0 -2\n/dev/ballast1 partition 1048572 0 -3\n")
    swap.write("sys/class/net/eth1/ifindex", "3\n")
    in_memory(swap, "NetworkManager")
    for index in "23":
        swap.write(f"run/NetworkManager/devices/{index}", "[device]\nconnection-uuid=1-2\n")
    found = [each for each in json.loads(ctl("doctor", "--json").out)["findings"]
             if each["id"] == LOST]
    assert len(found) == 2
    directory = swap.root / "etc/NetworkManager/conf.d"
    directory.mkdir(parents=True)
    for each in found:
        command = each["commands"][0].replace("/etc/", f"{swap.root}/etc/")
        subprocess.run(["sh", "-c", command], check=True)
    assert findings(ctl) == {}
    text = "".join(path.read_text() for path in directory.iterdir())
    assert len(set(re.findall(r"^\[.*", text, re.M))) == 2, "sections of one name are merged"


def test_only_with_a_swap(ctl, swap):
    networkd(swap)
    swap.write("proc/swaps", "Filename\n")
    assert findings(ctl) == {}
    swap.write("sys/block/nbd0/pid", "77\n")
    swap.write("sys/class/net/eth0/flags", "0x1003\n")
    swap.swap("nbd0")
    assert LOST in findings(ctl), "of another driver"
