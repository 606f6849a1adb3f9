#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a person with a session on the machine notices of a storm.

usage: probe.py ADDRESS PORT

Sends ten pings a second, and a line a second over a TCP connection to an echo
program. Writes "ping N > TIME" or "session N > TIME" when it has sent the Nth,
and the same with "<" when its answer has come; answers.py reads it. TIME is in
seconds on the host's monotonic clock.
"""

import select
import socket
import struct
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))
from rig import host  # noqa: E402

PORT = 222          # of the echo program
PINGS = 10          # a second
IDENTITY = 0xba11
PATIENCE = 5        # seconds for a connection to be made
LINE = 16           # bytes


@contextmanager
def running(address, path, port=PORT):
    """Ask a guest while in the context; what comes of it is in the file."""
    with open(path, "wb") as file:
        process = host.start([sys.executable, "-B", __file__, address, str(port)], stdout=file)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def say(kind, number, sign):
    # One write, so that lines of two threads do not mix.
    sys.stdout.write(f"{kind} {number} {sign} {time.monotonic():.4f}\n")
    sys.stdout.flush()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def request(number):
    """An ICMP echo request with the number in its data: a sequence number is too short."""
    head = struct.pack("!BBHHH", 8, 0, 0, IDENTITY, number & 0xffff)
    data = struct.pack("!Q", number)
    return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def reply(packet):
    """The number in a reply to one of our requests, or None."""
    icmp = packet[(packet[0] & 15) * 4:]
    if len(icmp) != 16 or icmp[0] != 0 or icmp[4:6] != struct.pack("!H", IDENTITY):
        return None
    return struct.unpack("!Q", icmp[8:])[0]


def ping(address):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.setblocking(False)
        due, number = time.monotonic(), 0
        while True:
            say("ping", number, ">")
            try:
                sock.sendto(request(number), (address, 0))
            except OSError:
                pass    # it counts as lost
            number += 1
            due += 1 / PINGS
            while (left := due - time.monotonic()) > 0:
                if select.select([sock], [], [], left)[0]:
                    answered = reply(sock.recv(2048))
                    if answered is not None:
                        say("ping", answered, "<")


class Session:
    """A connection that is made again when it has been reset."""

    def __init__(self, address, port):
        self.where = address, port
        self.sock = None
        self.data = b""

    def send(self, line):
        if not self.sock:
            self.data = b""
            self.sock = socket.create_connection(self.where, PATIENCE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.setblocking(False)
        self.sock.send(line)

    def receive(self, left):
        """The lines that come until then; OSError when the connection has ended."""
        if not self.sock:
            time.sleep(left)
            return
        if select.select([self.sock], [], [], left)[0]:
            more = self.sock.recv(4096)
            if not more:
                raise ConnectionResetError
            self.data += more
            while len(self.data) >= LINE:
                yield self.data[:LINE]
                self.data = self.data[LINE:]

    def end(self):
        if self.sock:
            self.sock.close()
        self.sock = None


def session(address, port):
    connection = Session(address, port)
    due, number = time.monotonic(), 0
    while True:
        say("session", number, ">")
        try:
            connection.send(b"%*d\n" % (LINE - 1, number))
        except OSError:
            connection.end()
        number += 1
        due += 1
        while (left := due - time.monotonic()) > 0:
            try:
                for line in connection.receive(left):
                    say("session", int(line), "<")
            except OSError:
                connection.end()


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    threading.Thread(target=session, args=(address, port), daemon=True).start()
    ping(address)


if __name__ == "__main__":
    main()
