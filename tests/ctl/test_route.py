# SPDX-License-Identifier: GPL-2.0
"""Which interface leads to a server. The routes are real, in a network namespace of their own."""

import json
import subprocess

import pytest

# eth9 has the more specific route, and lower metric than eth7; of two networks the main table says
# eth0, but a rule eth2. Packets by eth5 have the address of another interface.
ROUTES = """
ip link set lo up
for name in eth0 eth2 eth5 eth7 eth9 other; do
    ip link add $name type veth peer name $name-peer
    ip link set $name-peer up
    ip link set $name up
done
ip address add 192.0.2.11/32 dev other
ip address add 10.0.2.11/24 dev eth9
ip address add 10.0.2.12/24 dev eth7 noprefixroute
ip route add 10.0.2.0/24 dev eth7 metric 100
ip address add 10.0.0.11/16 dev eth0
ip route add default dev eth0
ip route add default dev eth2 table 100
ip rule add to 198.51.100.0/24 table 100
ip route add 203.0.113.0/24 dev eth5 src 192.0.2.11
ip route add unreachable 203.0.113.128/25
ip -6 address add 2001:db8::11/64 dev eth9 nodad
ip -6 route add default dev eth0
ip -6 route add default dev eth2 table 100
ip -6 rule add to 2001:db8:2::/48 table 100
"""

BY = [
    ("192.0.2.7", "eth0"), ("10.0.2.9", "eth9"), ("10.0.9.9", "eth0"), ("198.51.100.7", "eth2"),
    ("203.0.113.7", "eth5"), ("::ffff:198.51.100.7", "eth2"), ("2001:db8::7", "eth9"),
    ("2001:db8:2::7", "eth2"), ("2001:db8:3::7", "eth0"), ("fe80::7%eth7", "eth7"),
]
MAC = "02:00:00:00:00:{:02x}"
DASHES = "02-00-00-00-00-{:02x}"


@pytest.fixture
def routed(ctl, tree):
    """ctl() where these routes are."""
    in_namespace = ("unshare", "-rn", "sh", "-c", f"set -e\n{ROUTES}\nexec \"$@\"", "sh")
    if subprocess.run([*in_namespace, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace with such routes can be made")
    for number in range(10):
        tree.write(f"sys/class/net/eth{number}/address", MAC.format(number) + "\n")

    def run(*arguments):
        return ctl(*arguments, prefix=in_namespace)
    return run


def guard_commands(routed, tree, server):
    """What doctor says of a swap file on that server."""
    tree.write("proc/mounts", f"server:/srv /srv nfs4 rw,addr={server} 0 0\n")
    tree.write("proc/swaps", "Filename Type Size Used Priority\n/srv/swap file 1000 0 -2\n")
    found = {each["id"]: each for each in json.loads(routed("doctor", "--json").out)["findings"]}
    return found["network-swap-without-guard"]["commands"]


@pytest.mark.parametrize("server, interface", BY)
def test_guard_of_the_interface_to_the_server(routed, tree, server, interface):
    assert guard_commands(routed, tree, server) == [f"ballastctl guard {interface} --persist"]


@pytest.mark.parametrize("server", ["203.0.113.200", "127.0.0.1", "server", ""])
def test_no_guard_without_a_route(routed, tree, server):
    """All interfaces, of which the user has to choose one."""
    for name in ("eth0", "eth2"):
        tree.write(f"sys/class/net/{name}/device/vendor", "0x1af4\n")
        tree.write(f"sys/class/net/{name}/flags", "0x1003\n")
    commands = guard_commands(routed, tree, server)
    assert sorted(command.split()[2] for command in commands) == ["eth0", "eth2"]


@pytest.mark.parametrize("server, interface", BY)
def test_mac_of_the_interface_to_the_server(routed, tree, server, interface):
    tree.disk("ballast5")
    said = routed("attach", f"nbd://[{server}]/%M" if ":" in server else f"nbd://{server}/%M",
                  "index=5")
    assert said.status == 0, said.err
    assert f'export="{DASHES.format(int(interface[-1]))}"' in tree.read("sys/class/ballast/attach")


def test_no_mac_without_a_route(routed, tree):
    said = routed("attach", "nbd://203.0.113.200/%M", "index=5")
    assert said.status == 1 and "%M: 203.0.113.200:10809: there is no route" in said.err
    assert tree.read("sys/class/ballast/attach") == ""
