# SPDX-License-Identifier: GPL-2.0
"""What scripted servers do: follow the negotiation up to a point, then say something else."""

import struct
import threading

from rig.nbd import EXPORT_NAME, GO, HAS_FLAGS, STRUCTURED_REPLY, UNSUP, greet, reply, take_option


def up_to_go(connection):
    greet(connection)
    assert take_option(connection) == STRUCTURED_REPLY
    connection.sendall(reply(STRUCTURED_REPLY, UNSUP))
    assert take_option(connection) == GO


def up_to_export_name(connection):
    up_to_go(connection)
    connection.sendall(reply(GO, UNSUP))
    assert take_option(connection) == EXPORT_NAME


def export_name_reply(size=1 << 20, flags=HAS_FLAGS):
    return struct.pack(">QH", size, flags)


def says_to_go(*answers):
    def serve(connection):
        up_to_go(connection)
        connection.sendall(b"".join(answers))
        connection.recv(1)  # until the client is gone
    return serve


def says_at_once(data):
    def serve(connection):
        connection.sendall(data)
        connection.recv(1)
    return serve


def says_to_structured(*answers):
    def serve(connection):
        greet(connection)
        take_option(connection)
        connection.sendall(b"".join(answers))
        connection.recv(1)
    return serve


def says_to_export_name(data):
    def serve(connection):
        up_to_export_name(connection)
        connection.sendall(data)
        connection.recv(1)
    return serve


def silent(connection):
    connection.recv(1)


def once(serve):
    """Serves the first connection so, and says nothing to later ones."""
    first = threading.Lock()

    def either(connection):
        (serve if first.acquire(blocking=False) else silent)(connection)
    return either
