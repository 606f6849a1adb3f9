#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The traffic of a storm: sent from the host end into the guest's sinks.

A process of its own, so that it neither waits for nor holds up the one that measures.
usage: traffic.py KIND ADDRESS PORT SECONDS LINGER [RATE], with KIND one of those below;
connections stay open for LINGER seconds after the last byte. RATE is in packets a second,
for the kinds in RATED.
"""

import itertools
import random
import resource
import selectors
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
from rig import frames, net  # noqa: E402

RATE = 9000       # packets a second: 100 Mbit/s of
SIZE = 1400       # bytes each
STREAMS = 32
SOCKETS = 24      # of "unread" and "burst", at as many ports
SOCKET = 16 << 20  # bytes of receive buffer, each
PPS = 25000       # packets a second into them
BURST = 0.5       # seconds of packets, then as many without
ARPS = 640
SYNS = 5000
UDP_SEGMENT = 103  # of <linux/udp.h>


def connected(kind, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    try:
        sock.connect((address, port))
    except BlockingIOError:
        pass
    return sock


def paced(send, rate, seconds, most=1):
    """Call send(n), n up to most, at a rate; what could not be sent in time is made up for."""
    began = time.monotonic()
    sent = 0
    while (now := time.monotonic() - began) < seconds:
        while (due := int(now * rate) - sent) > 0:
            try:
                send(min(due, most))
            except (BlockingIOError, ConnectionRefusedError, OSError):
                pass
            sent += min(due, most)
        time.sleep(0.002)
    return sent


def udp(address, port, seconds, size=SIZE, rate=RATE):
    """Packets that the kernel cuts from larger ones: the guest shares the processors with us."""
    sock = connected(socket.SOCK_DGRAM, address, port)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    most = min(64, 65000 // size)
    payload = memoryview(bytes(size * most))
    return paced(lambda n: sock.send(payload[:size * n]), rate, seconds, most)


def segments(address, port):
    """A function that sends n packets, and how many it can send at once."""
    sock = connected(socket.SOCK_DGRAM, address, port)
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE)
    most = min(64, 65000 // SIZE)
    payload = memoryview(bytes(SIZE * most))
    return lambda n: sock.send(payload[:SIZE * n]), most


def one_after_the_other(address, port):
    """The same, into SOCKETS ports: to the next one when what was sent fills the buffer."""
    sends = itertools.cycle(segments(address, port + n) for n in range(SOCKETS))
    send, most = next(sends)
    sent = 0

    def into(n):
        nonlocal send, sent
        sent += n
        # What is accounted is never less than the data.
        if sent * SIZE > SOCKET:
            (send, _), sent = next(sends), n
        send(n)
    return into, most


def unread(address, port, seconds, rate=PPS):
    """What is unread keeps growing."""
    send, most = one_after_the_other(address, port)
    return paced(send, rate, seconds, most)


def in_turn(address, port, seconds, rate=PPS):
    """The same number of packets into all sockets, up to 46 of them into each at a time."""
    sends, most = zip(*(segments(address, port + n) for n in range(SOCKETS)))
    turns = itertools.cycle(sends)
    return paced(lambda n: next(turns)(n), rate, seconds, most[0])


def burst(address, port, seconds, rate=PPS):
    """The same number of packets in bursts."""
    send, most = one_after_the_other(address, port)
    end = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < end:
        sent += paced(send, 2 * rate, BURST, most)
        time.sleep(BURST)
    return sent


def arp(_address, _port, seconds, rate=ARPS):
    """Broadcasts that ask for another machine, from one that is not there either."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((net.BRIDGE, 0))
    request = frames.arp_request("192.0.2.253", "192.0.2.254")
    frame = frames.ether("ff:ff:ff:ff:ff:ff", frames.ARP, request)
    return paced(lambda _: sock.send(frame), rate, seconds)


def segment(source, address, source_port, port):
    """A SYN, without an IP header."""
    source, address = socket.inet_aton(source), socket.inet_aton(address)
    words = [source_port, port, random.getrandbits(32), 0, 5 << 4, 2, 1024]
    total = sum(struct.unpack("!16H", source + address + struct.pack("!HH", 6, 20)
                              + struct.pack("!HHIIBBHHH", *words, 0, 0)))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack("!HHIIBBHHH", *words, ~(total + (total >> 16)) & 0xffff, 0)


def syn(address, port, seconds, rate=SYNS):
    """First packets of connections from machines that are not there."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(_):
        source = f"198.51.100.{random.randint(1, 254)}"
        packet = segment(source, address, random.randint(1024, 65535), port)
        # The kernel fills in the length and the checksum.
        sock.sendto(frames.ip(source, address, frames.TCP, packet), (address, 0))
    return paced(send, rate, seconds)


def tenth(address, port, seconds):
    """As much as a debug kernel can take."""
    return udp(address, port, seconds, rate=RATE // 10)


def lost():
    """Packets that did not get into a guest, since its NIC had not taken those before them."""
    with open("/proc/net/dev") as table:
        rows = [line.split(":") for line in table if line.strip().startswith("guest")]
    return sum(int(counters.split()[11]) for _, counters in rows)


def small(address, port, seconds):
    """64-byte frames as fast as the NIC takes them.

    Faster until the first are lost, and then a fifth below that: of what is more than
    a NIC takes it loses the disk's packets too, and nothing behind it can help that.
    """
    sock = connected(socket.SOCK_DGRAM, address, port)
    payload = bytes(22)
    rate, held, before = 5000, False, lost()
    began = now = last = time.monotonic()
    sent, due = 0, 0.0
    while now - began < seconds:
        due += (now - last) * rate
        last = now
        while sent < due:
            try:
                sock.send(payload)
            except OSError:
                pass
            sent += 1
        if lost() > before:
            before, held, rate = lost(), True, rate * 0.8
        elif not held:
            rate *= 1.004
        time.sleep(0.002)
        now = time.monotonic()
    return sent


def flood(address, port, seconds):
    """64-byte frames, more than a guest can take, whether they are lost or not."""
    return udp(address, port, seconds, 22, 10**6)


def fragmented(address, port, seconds):
    sock = connected(socket.SOCK_DGRAM, address, port)
    payload = bytes(32000)
    return paced(lambda _: sock.send(payload), RATE * SIZE // 32000, seconds)


def tcp(address, port, seconds):
    """Streams that no program reads; they stay open until this process ends."""
    waiting = selectors.DefaultSelector()
    for _ in range(STREAMS):
        waiting.register(connected(socket.SOCK_STREAM, address, port), selectors.EVENT_WRITE)
    payload = bytes(65536)
    sent = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for key, _ in waiting.select(min(left, 0.1)):
            try:
                sent += key.fileobj.send(payload)
            except OSError:
                waiting.unregister(key.fileobj)
    return sent


def connects(address, port, seconds):
    """500 new connections a second, kept open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept = []
    return paced(lambda _: kept.append(connected(socket.SOCK_STREAM, address, port)), 500, seconds)


RATED = {"udp": udp, "unread": unread, "in turn": in_turn, "burst": burst, "arp": arp, "syn": syn}


def main():
    kind, address, port, seconds, linger, *rate = sys.argv[1:]
    kinds = {"tenth": tenth, "tcp": tcp, "small": small, "flood": flood,
             "fragmented": fragmented, "connects": connects, **RATED}
    options = {"rate": float(rate[0])} if rate and kind in RATED else {}
    sent = kinds[kind](address, int(port), float(seconds), **options)
    print(f"{kind}: {sent}", flush=True)
    # The unread connections outlive the storm: so does what they hold.
    time.sleep(float(linger))


if __name__ == "__main__":
    main()
