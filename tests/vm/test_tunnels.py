# SPDX-License-Identifier: GPL-2.0
"""Disks whose packets are inside of others: stacked VLANs, tunnels, MACsec and IPsec.

Memory is critical while the disk is read. Its packets must pass, on a physical interface that
has blocks, and what is not for the disk is dropped, outside and inside of the tunnel.
"""

from pathlib import Path

import pytest

from rig import frames, module, net, servers, wireguard
from rig.filter import RESERVE, attached, check_filter, counters, grown, reserves
from rig.frames import UDP

FAR, NEAR = "198.51.100.1", "198.51.100.2"
KEY = "01" * 16
# A socket as an IKE daemon has it, for ESP in UDP.
IKE = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 4500))
sock.setsockopt(socket.IPPROTO_UDP, 100, 2)
time.sleep(3600)
"""


class End:
    """One end of the tunnel: the guest, 0, or the other guest, 1."""

    def __init__(self, side, us, them):
        self.side = side
        self.us = us
        self.them = them
        self.local, self.remote = us.address4, them.address4
        self.local6, self.remote6 = us.address6, them.address6
        self.address = (NEAR, FAR)[side]

    def up(self, make):
        """Make the interface top, with this end's address."""
        self.us.run(f"{make(self)} && ip link set top up && "
                    f"ip address add {self.address}/24 dev top")

    def mac(self):
        return net.mac(self.them.network.n)


def macsec(end):
    return f"""
        ip link add link eth0 name top type macsec encrypt on &&
        ip macsec add top tx sa 0 pn 1 on key 01 {KEY} &&
        ip macsec add top rx port 1 address {end.mac()} &&
        ip macsec add top rx port 1 address {end.mac()} sa 0 pn 1 on key 01 {KEY}"""


# The interface's own filter is where what comes out of the tunnel is dropped.
MAKE = {
    "qinq": lambda end: "ip link add link eth0 name outer mtu 1480 type vlan proto 802.1ad id 7 && "
                        "ip link set outer up && "
                        "ip link add link outer name top type vlan id 5",
    "vxlan": lambda end: f"ip link add top type vxlan id 9 local {end.local} "
                         f"remote {end.remote} dstport 4789",
    "vxlan-of-eth0": lambda end: f"ip link add top type vxlan id 9 local {end.local} "
                                 f"remote {end.remote} dev eth0 dstport 4789",
    "vxlan6": lambda end: f"ip link add top type vxlan id 9 local {end.local6} "
                          f"remote {end.remote6} dstport 4789",
    "geneve": lambda end: f"ip link add top type geneve id 9 remote {end.remote}",
    "gre": lambda end: f"ip link add top type gre local {end.local} remote {end.remote}",
    "gre6": lambda end: f"ip link add top type ip6gre local {end.local6} remote {end.remote6}",
    "ipip": lambda end: f"ip link add top type ipip local {end.local} remote {end.remote}",
    "wireguard": lambda end: f"ip link add top type wireguard && python3 /run/wireguard.py top "
                             f"{end.side} 51820 {end.remote}",
    "macsec": macsec,
}
OF_IPSEC = {
    "esp": ("proto esp", ""),
    "esp-in-udp": ("proto esp", "encap espinudp 4500 4500 0.0.0.0"),
    "ah": ("proto ah", ""),
}


@pytest.fixture(scope="module")
def guests(module_vm):
    """The guest that has the disk, and the one at the other end."""
    guest, other = module_vm(name="guest"), module_vm(name="other")
    module.load(guest)
    for each in (guest, other):
        each.put("/run/wireguard.py", Path(wireguard.__file__).read_bytes())
    yield guest, other


@pytest.mark.parametrize("kind", MAKE)
def test_the_disk_is_read_through(guests, kind):
    guest, other = guests
    ends = [End(0, guest, other), End(1, other, guest)]
    with servers.relayed(other) as port, frames.Wire(guest) as wire:
        try:
            for end in ends:
                end.up(MAKE[kind])
            guest.run(f"for i in $(seq 20); do ping -c1 -W1 -q {FAR} && exit; done; exit 1")
            with attached(guest, FAR, port):
                assert guest.run("cat /sys/block/ballast0/ballast/interface").output == "top\n"
                sizes = reserves(guest)
                assert sizes.pop("eth0") > 0
                assert sizes == ({} if kind == "qinq" else {"top": 0})
                assert ("top: is a tunnel" in guest.run("dmesg").output) == (kind != "qinq")
                check_filter(guest, wire)
                # What comes out of the tunnel is told apart by the filter of its interface.
                at = RESERVE.replace("eth0", "eth0" if kind == "qinq" else "top")
                before = counters(guest, at)
                other.run(f"for i in $(seq 20); do echo ballast > /dev/udp/{NEAR}/7; done"
                          .join(("exec bash -c '", "'")))
                grown(guest, before, "rx_dropped_protocol", 15, reserve=at)
        finally:
            for end in ends:
                end.us.run("ip link delete top; ip link delete outer 2>/dev/null; true")


def test_any_mtu_of_a_tunnel(guests):
    """It says nothing about what must be free, as a tunnel has no ring; WireGuard allows 2 GiB."""
    guest, other = guests
    ends = [End(0, guest, other), End(1, other, guest)]
    at = "/sys/class/net/top/ballast"
    with servers.relayed(other) as port:
        try:
            for end in ends:
                end.up(MAKE["wireguard"])
            guest.run(f"for i in $(seq 20); do ping -c1 -W1 -q {FAR} && exit; done; exit 1")
            guest.run(f"echo server={FAR}:{port} > /sys/class/ballast/attach || "
                      "{ dmesg | tail -3; exit 1; }")
            try:
                mark = guest.run(f"cat {at}/lend_below").output
                for mtu in (1420, 65535, 2147483552):
                    guest.run(f"ip link set top mtu {mtu}")
                    said = guest.run(f"cat {at}/estimate").output
                    assert "bytes of buffer (order 0)" in said, f"MTU {mtu}: {said}"
                    assert guest.run(f"cat {at}/lend_below").output == mark
                    assert reserves(guest)["top"] == 0
                guest.run("dd if=/dev/ballast0 of=/dev/null bs=64k count=10 iflag=direct")
            finally:
                guest.run("echo force > /sys/block/ballast0/ballast/detach")
            # No registration of an interface waits for a lock.
            guest.run("ip link add other type dummy && ip link delete other")
        finally:
            for end in ends:
                end.us.run("ip link delete top")


@pytest.mark.parametrize("kind", OF_IPSEC)
def test_the_disk_is_read_through_ipsec(guests, kind):
    guest, other = guests
    proto, encap = OF_IPSEC[kind]
    secret = "auth 'hmac(sha1)' 0x" + "02" * 20 if kind == "ah" else \
        "aead 'rfc4106(gcm(aes))' 0x" + "02" * 20 + " 128"
    daemons = [each.spawn("exec python3 -", data=IKE.encode()) for each in guests if encap]
    try:
        for us, them in ((guest, other), (other, guest)):
            for source, destination, way in ((us, them, "out"), (them, us, "in")):
                pair = f"src {source.address4} dst {destination.address4}"
                spi = 0x100 + source.network.n
                us.run(f"ip xfrm state add {pair} {proto} spi {spi} mode transport {secret} "
                       f"{encap} && ip xfrm policy add {pair} proto 6 dir {way} "
                       f"tmpl {pair} {proto} mode transport")
        with servers.relayed(other) as port, frames.Wire(guest) as wire:
            with attached(guest, other.address4, port):
                assert reserves(guest)["eth0"] > 0
                assert "packets are transformed" in guest.run("dmesg").output
                check_filter(guest, wire)
    finally:
        for each in guests:
            each.run("ip xfrm policy flush; ip xfrm state flush")
        for daemon in daemons:
            daemon.kill()


def test_packets_of_tunnels_are_dropped_if_no_disk_uses_one(guests):
    """Without such a disk, they are unrelated."""
    guest, _ = guests
    with servers.Nbdkit("memory", "64M") as server, frames.Wire(guest) as wire:
        guest.run("ip link add top type vxlan id 9 dstport 4789 local 0.0.0.0 && "
                  "ip link set top up")
        try:
            with attached(guest, server.address, server.port):
                packets = [frames.ip(net.HOST4, guest.address4, protocol, bytes(40))
                           for protocol in (4, 41, 47, 50, 51)]
                packets.append(frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1, 4789)))
                before = counters(guest)
                for packet in packets:
                    wire.send_ip(packet)
                wire.send(frames.ether(wire.mac, 0x88e5, bytes(40)))
                grown(guest, before, "rx_dropped_protocol", len(packets) + 1)
        finally:
            guest.run("ip link delete top")
