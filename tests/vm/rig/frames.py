# SPDX-License-Identifier: GPL-2.0
"""Frames built by hand, and a socket on a guest's tap to send them and see what comes back.

Nothing here checks what a stack would: a malformed header is as easy as a good one.
"""

import ipaddress
import socket
import struct
import time

from rig import net

IPV4, ARP, VLAN, IPV6 = 0x0800, 0x0806, 0x8100, 0x86dd
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
SOL_PACKET, PACKET_VNET_HDR = 263, 15   # of <linux/if_packet.h>


def _sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ether(destination, kind, payload, vlan=None):
    tag = struct.pack("!HH", VLAN, vlan) if vlan is not None else b""
    frame = _mac(destination) + _mac(net.host_mac()) + tag + struct.pack("!H", kind) + payload
    return frame.ljust(60, b"\0")


def _mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(source, destination, protocol, payload, *, ihl=5, fragment=0, extension=None):
    """An IP packet of either family; extension: the type of an IPv6 header put before."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if source.version == 4:
        def header(check):
            return struct.pack("!BBHHHBBH4s4s", 0x40 | ihl, 0, 20 + len(payload), 1, fragment, 64,
                               protocol, check, source.packed, destination.packed)
        return header(_sum(header(0))) + payload
    if extension is not None:
        payload = struct.pack("!BBBB4x", protocol, 0, 1, 4) + payload    # PadN
        protocol = extension
    if fragment:
        payload = struct.pack("!BBHI", protocol, 0, fragment, 7) + payload
        protocol = 44
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, source.packed,
                       destination.packed) + payload


def udp(source, destination, data=b"ballast"):
    return struct.pack("!HHHH", source, destination, 8 + len(data), 0) + data


def tcp(source, destination, flags=0x10, sequence=1):
    return struct.pack("!HHIIBBHHH", source, destination, sequence, 1, 5 << 4, flags, 1024, 0, 0)


def large_tcp(destination, source, target, source_port, port, size, count):
    """A frame that holds count packets of size bytes each, with the virtio_net_hdr before it."""
    header = tcp(source_port, port)
    packet = ip(source, target, TCP, header + bytes(size * count))
    # VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4
    return struct.pack("=BBHHHH", 1, 1, 14 + 20 + len(header), size, 14 + 20, 16) + \
        ether(destination, IPV4, packet)


def arp_request(source, destination):
    return struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, 1, _mac(net.host_mac()),
                       ipaddress.ip_address(source).packed, bytes(6),
                       ipaddress.ip_address(destination).packed)


class Wire:
    """The host end of a guest's first NIC."""

    def __init__(self, guest):
        self.mac = net.mac(guest.network.n)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.bind((guest.network.taps[0], 0))

    def send(self, *frames):
        for frame in frames:
            self._socket.send(frame)

    def send_large(self, *frames):
        """What large_tcp() made."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as large:
            large.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            large.bind(self._socket.getsockname()[:2])
            for frame in frames:
                large.send(frame)

    def send_ip(self, packet, vlan=None):
        kind = IPV4 if packet[0] >> 4 == 4 else IPV6
        self.send(ether(self.mac, kind, packet, vlan))

    def receive(self, wanted, timeout=10):
        """The first frame from the guest for which wanted(frame) is true; None after timeout."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                frame, (_, _, direction, *_) = self._socket.recvfrom(65536)
            except TimeoutError:
                break
            if direction != socket.PACKET_OUTGOING and wanted(frame):
                return frame
        return None

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
