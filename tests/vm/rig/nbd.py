# SPDX-License-Identifier: GPL-2.0
"""NBD as a server speaks it: pieces to build honest and lying servers from.

See servers.ScriptedServer.
"""

import struct
import threading
from collections import namedtuple

from rig.servers import receive

# Negotiation.
REPLY_MAGIC = 0x3e889045565a9
ACK, INFO, UNSUP = 1, 3, 1 << 31 | 1
EXPORT_NAME, GO, STRUCTURED_REPLY = 1, 7, 8
GREETING = b"NBDMAGICIHAVEOPT\0\3"
# Transmission flags.
HAS_FLAGS, READ_ONLY, SEND_FLUSH, SEND_FUA = 1, 1 << 1, 1 << 2, 1 << 3
SEND_TRIM, SEND_WRITE_ZEROES, CAN_MULTI_CONN = 1 << 5, 1 << 6, 1 << 8
USUAL = HAS_FLAGS | SEND_FLUSH | SEND_FUA | SEND_TRIM | SEND_WRITE_ZEROES | CAN_MULTI_CONN
# Requests and replies.
REQUEST_MAGIC, SIMPLE_MAGIC, STRUCTURED_MAGIC = 0x25609513, 0x67446698, 0x668e33ef
READ, WRITE, DISC, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6
DONE = 1
NONE, OFFSET_DATA, OFFSET_HOLE, ERROR, ERROR_OFFSET = 0, 1, 2, 0x8001, 0x8002

Request = namedtuple("Request", "flags type cookie offset length data")


def reply(option, kind, data=b"", length=None):
    return struct.pack(">QIII", REPLY_MAGIC, option, kind,
                       len(data) if length is None else length) + data


def info_export(size=1 << 20, flags=HAS_FLAGS):
    return reply(GO, INFO, struct.pack(">HQH", 0, size, flags))


def info_blocks(least, preferred, most):
    return reply(GO, INFO, struct.pack(">HIII", 3, least, preferred, most))


def greet(connection):
    connection.sendall(GREETING)
    receive(connection, 4)


def take_option(connection):
    _, option, length = struct.unpack(">8sII", receive(connection, 16))
    receive(connection, length)
    return option


def negotiate(connection, size, flags=USUAL, structured=False, blocks=None):
    """As an honest server does."""
    greet(connection)
    while (option := take_option(connection)) != GO:
        agreed = option == STRUCTURED_REPLY and structured
        connection.sendall(reply(option, ACK if agreed else UNSUP))
    connection.sendall(info_export(size, flags) + (info_blocks(*blocks) if blocks else b"")
                       + reply(GO, ACK))


def take_request(connection):
    magic, flags, kind, cookie, offset, length = struct.unpack(
        ">IHHQQI", receive(connection, 28))
    assert magic == REQUEST_MAGIC, hex(magic)
    return Request(flags, kind, cookie, offset, length,
                   receive(connection, length) if kind == WRITE else b"")


def simple(request, error=0, data=b"", cookie=None):
    return struct.pack(">IIQ", SIMPLE_MAGIC, error,
                       request.cookie if cookie is None else cookie) + data


def chunk(request, kind, payload=b"", flags=0, length=None, cookie=None):
    return struct.pack(">IHHQI", STRUCTURED_MAGIC, flags, kind,
                       request.cookie if cookie is None else cookie,
                       len(payload) if length is None else length) + payload


def data_chunk(request, offset, data, flags=0, **more):
    return chunk(request, OFFSET_DATA, struct.pack(">Q", offset) + data, flags, **more)


def hole_chunk(request, offset, length, flags=0, **more):
    return chunk(request, OFFSET_HOLE, struct.pack(">QI", offset, length), flags, **more)


def error_chunk(request, error, text=b"", kind=ERROR, flags=DONE, **more):
    place = struct.pack(">Q", request.offset) if kind == ERROR_OFFSET else b""
    return chunk(request, kind, struct.pack(">IH", error, len(text)) + text + place, flags, **more)


class Memory:
    """An export in memory, and how it is served honestly."""

    def __init__(self, size=1 << 20, structured=False, flags=USUAL):
        self.data = bytearray(struct.pack(">Q", 0x1122334455667788) * (size // 8))
        for sector in range(0, size, 512):
            struct.pack_into(">Q", self.data, sector, sector)
        self.size, self.structured, self.flags = size, structured, flags
        self.lock = threading.Lock()

    def read(self, request):
        return bytes(self.data[request.offset:request.offset + request.length])

    def answer(self, request):
        """What an honest server sends back."""
        with self.lock:
            end = request.offset + request.length
            if request.type == READ:
                if self.structured:
                    return data_chunk(request, request.offset, self.read(request), DONE)
                return simple(request, data=self.read(request))
            if request.type == WRITE:
                self.data[request.offset:end] = request.data
            elif request.type in (TRIM, WRITE_ZEROES):
                self.data[request.offset:end] = bytes(request.length)
            return simple(request)

    def serve(self, connection):
        negotiate(connection, self.size, self.flags, self.structured)
        while (request := take_request(connection)).type != DISC:
            connection.sendall(self.answer(request))
