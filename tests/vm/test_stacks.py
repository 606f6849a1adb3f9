# SPDX-License-Identifier: GPL-2.0
"""What may be between a connection and its card: containers' interfaces, and bridges.

Memory is critical while the disk is read: its packets must pass, and others are dropped.
"""

import pytest

from rig import frames, module, net
from rig.filter import attached, check_filter, reserves
from rig.wait import until

BOX = "nsenter --net=/run/netns/box"
ADDRESS = "192.0.2.230"     # no guest's

# How the network namespace box comes to the network.
OF_BOX = {
    "macvlan": f"""
        ip link add link eth0 name top netns box type macvlan mode bridge &&
        ip -n box address add {ADDRESS}/24 dev top""",
    "ipvlan": f"""
        ip link add link eth0 name top netns box type ipvlan mode l2 &&
        ip -n box address add {ADDRESS}/24 dev top""",
    "veth-in-bridge": f"""
        ip link add top netns box type veth peer name outer && ip link set outer up &&
        ip link add bridge type bridge && ip link set bridge up &&
        ip link set outer master bridge && ip link set eth0 master bridge &&
        ip -n box address add {ADDRESS}/24 dev top""",
    "veth-behind-translation": """
        ip link add top netns box type veth peer name outer && ip link set outer up &&
        ip address add 10.0.0.1/24 dev outer && echo 1 > /proc/sys/net/ipv4/ip_forward &&
        nft add table ip nat &&
        nft 'add chain ip nat post { type nat hook postrouting priority 100; }' &&
        nft add rule ip nat post oifname eth0 masquerade &&
        ip -n box address add 10.0.0.2/24 dev top""",
}
DEFAULT_ROUTE = {"veth-behind-translation": "ip -n box route add default via 10.0.0.1"}


@pytest.fixture
def guest(shared_vm):
    yield shared_vm
    shared_vm.run("""
        ip netns delete box; nft delete table ip nat
        for nic in outer bridge; do ip link delete $nic; done
        for i in $(seq 12); do ip link delete port$i; done
        ip address replace {}/24 dev eth0
    """.format(shared_vm.address4), check=False)


@pytest.mark.parametrize("kind", OF_BOX)
def test_a_disk_attached_in_a_container(guest, server, kind):
    guest.run(f"ip netns add box && {OF_BOX[kind]} && ip -n box link set top up && "
              f"{DEFAULT_ROUTE.get(kind, 'true')}")
    guest.run(f"for i in $(seq 20); do {BOX} ping -c1 -W1 -q {net.HOST4} && exit; done; exit 1")
    with frames.Wire(guest) as wire, attached(guest, server.address, server.port, BOX):
        sizes = reserves(guest)
        assert sizes.pop("eth0") > 0 and not sizes
        veth = kind.startswith("veth")
        assert ("another network stack" in guest.run("dmesg").output) == veth
        check_filter(guest, wire)


@pytest.mark.parametrize("ports", [9])
def test_the_card_is_the_last_of_many_ports(guest, server, ports):
    """Ports that are no cards need no blocks, and do not take the card's place."""
    guest.run(f"""
        ip link add bridge type bridge && ip link set bridge up
        for i in $(seq {ports}); do
            ip link add port$i type dummy && ip link set port$i master bridge up || exit 1
        done
        ip address delete {guest.address4}/24 dev eth0
        ip link set eth0 master bridge && ip address add {guest.address4}/24 dev bridge &&
        for i in $(seq 20); do ping -c1 -W1 -q {net.HOST4} && exit; done; exit 1""")
    with frames.Wire(guest) as wire, attached(guest, server.address, server.port):
        assert guest.run("cat /sys/block/ballast0/ballast/interface").output == "bridge\n"
        sizes = reserves(guest)
        assert sizes.pop("eth0") > 0 and not sizes
        check_filter(guest, wire)


def test_more_cards_than_have_a_reserve(vm, server):
    """Nine and more cards under a bond: those that are up have a reserve, eight at most."""
    guest = vm(nics=10)
    module.load(guest)
    # One card is down all the time, and was there first.
    guest.run(f"""
        modprobe bonding max_bonds=0; ip address flush dev eth0
        ip link add top address $(cat /sys/class/net/eth0/address) type bond mode active-backup \
            miimon 100
        for i in 1 2 3 4 5 6 7 8 9 0; do
            ip link set eth$i down && ip link set eth$i master top || exit 1
        done
        ip link set top up && ip address add {guest.address4}/24 dev top && ip link set eth1 down
        for i in $(seq 20); do ping -c1 -W1 -q {net.HOST4} && exit; done; exit 1""")
    guest.run(f"dmesg -C; echo server={server.address}:{server.port} > /sys/class/ballast/attach")
    sizes = reserves(guest)
    assert len(sizes) == 10
    assert len([size for size in sizes.values() if size]) == 8 and sizes["eth1"] == 0
    assert "top: more than 8 interfaces are under it" in guest.run("dmesg").output
    guest.run("echo 1 > /sys/block/ballast0/ballast/detach")


def test_more_cards_than_have_a_reserve_under_a_veth(vm):
    """Which card is under it is not known: the one with a carrier has a reserve, the last too."""
    guest = vm(nics=10)
    module.load(guest)
    for n in range(1, 10):
        guest.qmp("set_link", name=f"nic{n}", up=False)
    # The kernel lists eth0 last after it has been in another namespace.
    guest.run("""
        for i in 1 2 3 4 5 6 7 8 9; do ip link set eth$i up || exit 1; done
        ip netns add away && ip link set eth0 netns away &&
        ip -n away link set eth0 netns 1 && ip netns delete away && ip link set eth0 up &&
        ip link add top type veth peer name outer && ip link set top up""")
    until(lambda: guest.run("grep . /sys/class/net/eth?/carrier | grep -c :1", check=False)
          .output == "1\n", 30, "one card with a carrier")
    guest.run("echo top > /sys/class/ballast/guard")
    sizes = reserves(guest)
    assert sizes["eth0"] > 0, sizes
    assert len(sizes) == 10 and len([size for size in sizes.values() if size]) == 8


def test_a_card_that_comes_up_later_has_a_reserve(vm, server):
    """The card under a container's interface is not known: each that is up has a reserve."""
    guest = vm(nics=2)
    module.load(guest)
    kind = "veth-behind-translation"
    guest.run(f"ip netns add box && {OF_BOX[kind]} && ip -n box link set top up && "
              f"{DEFAULT_ROUTE[kind]} && ip link set eth1 down")
    with attached(guest, server.address, server.port, BOX):
        sizes = reserves(guest)
        assert sizes["eth0"] > 0 and sizes["eth1"] == 0
        guest.run("ip link set eth1 up")
        until(lambda: reserves(guest)["eth1"] > 0, 30, "a reserve of eth1")
