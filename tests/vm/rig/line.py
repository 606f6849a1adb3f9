# SPDX-License-Identifier: GPL-2.0
"""What may happen on the line between a guest and the host end, each a context."""

import subprocess
from contextlib import contextmanager

from rig import net
from rig.wait import until


@contextmanager
def dropped(guest):
    """No packet crosses the host's bridge, and neither side gets an error."""
    tap = guest.network.taps[0]
    net.ip("link", "set", tap, "nomaster")
    try:
        yield
    finally:
        net.ip("link", "set", tap, "master", net.BRIDGE)


@contextmanager
def link_down(guest, cards=None):
    """The guest's cards, or the first few, have no carrier."""
    names = [f"nic{n}" for n in range(cards or len(guest.network.taps))]
    for name in names:
        guest.qmp("set_link", name=name, up=False)
    try:
        yield
    finally:
        for name in names:
            guest.qmp("set_link", name=name, up=True)


def two_cards(guest):
    """Another way for the packets of a guest of two nics: eth1, while eth0 has no carrier.

    Its kernel takes it by itself, when nothing could be run there any more.
    """
    guest.run(f"""cd /proc/sys/net && echo 1 > ipv6/conf/eth1/disable_ipv6 &&
        echo 1 > ipv4/conf/all/ignore_routes_with_linkdown &&
        echo 1 > ipv4/conf/eth0/ignore_routes_with_linkdown &&
        ip link set eth1 address $(cat /sys/class/net/eth0/address) up &&
        ip neighbor replace {net.HOST4} lladdr {net.host_mac()} dev eth1 nud permanent &&
        ip route add $(ip -o -4 route show dev eth0 scope link | cut -d " " -f 1) dev eth1 \
            src {guest.address4} metric 100""")


def second_addresses(guest):
    """The IPv4 and IPv6 addresses that second_nic() configures."""
    return net.guest4(100 + guest.network.n), net.guest6(100 + guest.network.n)


def second_nic(guest):
    """eth1 of a guest of two nics receives what is sent to an address of its own.

    What the guest sends still leaves by eth0: that has the route.
    """
    address4, address6 = second_addresses(guest)
    guest.run(f"""cd /proc/sys/net/ipv4/conf && for name in all eth0 eth1; do
            echo 1 > $name/arp_ignore && echo 2 > $name/arp_announce &&
            echo 0 > $name/rp_filter || exit
        done
        ip link set eth1 mtu {guest.network.mtu} up &&
        ip address add {address4}/32 dev eth1 &&
        ip -6 address add {address6}/128 dev eth1 nodad &&
        until [ "$(cat /sys/class/net/eth1/carrier)" = 1 ]; do sleep 0.02; done""")


@contextmanager
def other_card(guest):
    """After two_cards(): they go there when this begins, and back when it ends."""
    tap = guest.network.taps[1]
    before = net.counters(tap)["rx"]["packets"]
    with link_down(guest, 1):
        until(lambda: net.counters(tap)["rx"]["packets"] > before + 100, 30,
              "packets by the other card")
        yield


@contextmanager
def interface_down(guest):
    guest.run("ip link set eth0 down")
    try:
        yield
    finally:
        guest.run("ip link set eth0 up")


@contextmanager
def rejected(guest):
    """The host end answers each packet with an ICMP error."""
    _nft(f"""table inet weather {{
        chain in {{
            type filter hook input priority 0
            ip saddr {guest.address4} counter reject with icmp type host-unreachable
        }}
    }}""")
    try:
        yield
    finally:
        _nft("delete table inet weather")


@contextmanager
def loss(guest, percent):
    """On the guest's tap, both ways: the sender can't know."""
    tap = guest.network.taps[0]
    _nft(f"""table netdev weather {{
        chain in {{
            type filter hook ingress device "{tap}" priority 0
            numgen random mod 100 < {percent} counter drop
        }}
        chain out {{
            type filter hook egress device "{tap}" priority 0
            numgen random mod 100 < {percent} counter drop
        }}
    }}""")
    try:
        yield
    finally:
        _nft("delete table netdev weather")


def _nft(script):
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


def netem(guest, how):
    """What the guest sends."""
    return _qdisc(guest, f"netem {how}")


def netem_both(guest, how):
    """What the guest receives too, where its kernel can. It is kept in the guest's memory."""
    return _both_ways(guest, f"netem {how}")


def slow(guest, mbit):
    """Both ways, as a card of that rate: the guest's TCP knows what the card has not sent.

    netem's rate is that of a line somewhere behind it, with a queue as long as netem's.
    """
    return _both_ways(guest, f"tbf rate {mbit:g}mbit burst 64k limit 4m")


@contextmanager
def _qdisc(guest, how):
    guest.run(f"tc qdisc add dev eth0 root {how}")
    try:
        yield
    finally:
        guest.run("tc qdisc del dev eth0 root")


@contextmanager
def _both_ways(guest, how):
    with _qdisc(guest, how):
        both = not guest.run(f"""
            modprobe ifb numifbs=1 && modprobe act_mirred && ip link set ifb0 up &&
            tc qdisc add dev eth0 handle ffff: ingress &&
            tc filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 \
                action mirred egress redirect dev ifb0 &&
            tc qdisc add dev ifb0 root {how}""", check=False).status
        print("both ways" if both else "only what the guest sends")
        try:
            yield
        finally:
            guest.run("tc qdisc del dev eth0 ingress; rmmod ifb", check=False)
