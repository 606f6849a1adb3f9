# SPDX-License-Identifier: GPL-2.0
"""Configure a WireGuard interface without wg(8). This file runs in a guest:

    python3 - IFACE SIDE PORT PEER < wireguard.py

SIDE is 0 or 1, which has which pair of keys; both ends use the same UDP port.
"""

import socket
import struct
import sys

# (private, public)
KEYS = [("77076d0a7318a57d3c16c17251b26645d4b6f4b2e6d0f1a2c3d4e5f60718293a",
         "a2843bc2dbae6415abaeb02988cfac4703c278e5c444b04db0ae566ce242ee32"),
        ("0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
         "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c")]
GENERIC, CONTROL, GETFAMILY, SET_DEVICE = 16, 16, 3, 1
REQUEST_ACK, NESTED = 5, 0x8000


def attribute(kind, value):
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def ask(sock, family, command, attributes):
    """The attributes of the answer."""
    sock.send(struct.pack("IHHIIBBH", 20 + len(attributes), family, REQUEST_ACK, 1, 0, command,
                          1, 0) + attributes)
    said = sock.recv(65536)
    if struct.unpack_from("H", said, 4)[0] == 2 and struct.unpack_from("i", said, 16)[0]:
        raise OSError(-struct.unpack_from("i", said, 16)[0], "netlink")
    return said[20:]


def family_number(sock):
    said = ask(sock, CONTROL, GETFAMILY, attribute(2, b"wireguard\0"))
    while said:
        size, kind = struct.unpack_from("HH", said)
        if kind == 1:
            return struct.unpack_from("H", said, 4)[0]
        said = said[size + -size % 4:]
    raise LookupError("wireguard")


def main(interface, side, port, peer):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as sock:
        family = family_number(sock)
        sock.recv(65536)    # the acknowledgment
        anything = attribute(NESTED, attribute(1, struct.pack("H", socket.AF_INET)) +
                             attribute(2, bytes(4)) + attribute(3, b"\0"))
        endpoint = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + \
            socket.inet_aton(peer) + bytes(8)
        ask(sock, family, SET_DEVICE, b"".join((
            attribute(2, interface.encode() + b"\0"),
            attribute(3, bytes.fromhex(KEYS[side][0])),
            attribute(6, struct.pack("H", port)),
            attribute(8 | NESTED, attribute(NESTED, b"".join((
                attribute(1, bytes.fromhex(KEYS[not side][1])),
                attribute(4, endpoint),
                attribute(9 | NESTED, anything))))))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
