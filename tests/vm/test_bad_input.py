# SPDX-License-Identifier: GPL-2.0
"""What must not work: each row has its errno, its line in the kernel's log, and leaves nothing.

After every row the guest is as it was before (disks, threads, sockets, the
module's reference count), and a good attach works.
"""

import socket
import struct
from collections import namedtuple
from contextlib import ExitStack
from errno import (E2BIG, EACCES, ECONNREFUSED, ECONNRESET, EFBIG, EINVAL, ENOENT, EOPNOTSUPP,
                   EPROTO)

import pytest

from rig import limits, net, servers
from rig.disk import ATTACH
from rig.nbd import (ACK, EXPORT_NAME, GO, GREETING, INFO, STRUCTURED_REPLY, UNSUP, greet,
                     info_blocks, info_export, reply, take_option)
from rig.scripted import (export_name_reply, says_at_once, says_to_export_name, says_to_go,
                          says_to_structured, up_to_export_name, up_to_go)
from rig.servers import receive
from rig.writer import Guest, Write, as_bytes, check, check_nothing_left

PAGE = 4096


@pytest.fixture(scope="module")
def server():
    with servers.NbdServer({"good": 1 << 20, "two words": 1 << 20}) as server:
        yield server


@pytest.fixture(scope="module")
def guest(shared_vm, server):
    return Guest(shared_vm, server)


# The attach string itself. {server} is a server that works.

LONG_NAME = "x" * (PAGE + 1)
STRINGS = [
    ("empty", b"\n", EINVAL, "server: the option is missing"),
    ("server-missing", b"export=good", EINVAL,
     "server: the option is missing; reading this file prints the usage"),
    ("unknown-option", b"server={server} export=good color=red", EINVAL,
     "color=red: unknown option"),
    ("unknown-option-without-value", b"server={server} swap", EINVAL, "swap: unknown option"),
    ("option-in-capitals", b"SERVER={server}", EINVAL, "SERVER=.*: unknown option"),
    ("option-twice", b"server={server} export=good export=good", EINVAL,
     "export=good: the option is given twice"),
    ("server-twice", b"server={server} server={server}", EINVAL,
     "server=.*: the option is given twice"),
    ("flag-twice", b"server={server} readonly readonly", EINVAL,
     "readonly: the option is given twice"),
    ("flag-with-value", b"server={server} readonly=1", EINVAL,
     "readonly=1: the option takes no value"),
    ("option-without-value", b"server={server} export", EINVAL,
     "export: the option needs a value"),
    ("quote-not-closed", b'server={server} export="good', EINVAL,
     "a quotation mark is not closed"),
    ("nul-in-the-middle", b"server={server}\0 export=good", EINVAL, "has a NUL in the middle"),
    ("two-nuls-at-the-end", b"server={server} export=good\0\0", EINVAL,
     "has a NUL in the middle"),
    # Addresses.
    ("address-empty", b"server=", EINVAL, "server=: is not of the form"),
    ("address-only-port", b"server=:10809", EINVAL, "server=:10809: is not of the form"),
    ("address-of-three-parts", b"server=1.2.3", EINVAL, "1.2.3: is not an IPv4 or IPv6 address"),
    ("address-of-three-parts-and-port", b"server=1.2.3:10809", EINVAL,
     "1.2.3: is not an IPv4 or IPv6 address"),
    ("address-over-255", b"server=999.1.1.1", EINVAL,
     "999.1.1.1: is not an IPv4 or IPv6 address"),
    ("address-of-five-parts", b"server=192.0.2.1.1:10809", EINVAL, "is not an IPv4"),
    ("address-a-number", b"server=3221225985", EINVAL, "is not an IPv4"),
    ("bracket-not-closed", b"server=[::1", EINVAL, r"server=\[::1: is not of the form"),
    ("bracket-and-more", b"server=[::1]10809", EINVAL, "is not of the form"),
    ("brackets-empty", b"server=[]:10809", EINVAL, "is not of the form"),
    ("brackets-around-ipv4", b"server=[192.0.2.1]:10809", EINVAL, "is not of the form"),
    ("ipv6-without-brackets", b"server=2001:db8::1", EINVAL,
     "an IPv6 address needs brackets"),
    ("ipv6-malformed", b"server=[2001:db8::1::2]", EINVAL, "is not an IPv4 or IPv6 address"),
    ("ipv6-of-an-unknown-interface", b"server=[fe80::1%nosuch0]", EINVAL,
     "is not an IPv4 or IPv6 address"),
    ("host-name", b"server=nbd.example.org:10809", EINVAL,
     "ballastctl resolves names, the kernel does not"),
    ("host-name-short", b"server=localhost export=good", EINVAL,
     "ballastctl resolves names, the kernel does not"),
    ("port-0", b"server=192.0.2.1:0", EINVAL, "port=0: is not a number from 1 to 65535"),
    ("port-65536", b"server=192.0.2.1:65536", EINVAL,
     "port=65536: is not a number from 1 to 65535"),
    ("port-empty", b"server=192.0.2.1:", EINVAL, "port=: is not a number"),
    ("port-negative", b"server=192.0.2.1:-1", EINVAL, "port=-1: is not a number"),
    ("port-a-word", b"server=[2001:db8::1]:nbd", EINVAL, "port=nbd: is not a number"),
    # Numbers.
    ("connections-0", b"server={server} connections=0", EINVAL,
     "connections=0: is not a number from 1 to 64"),
    ("connections-65", f"server={{server}} connections={limits.MAX_CONNECTIONS + 1}", EINVAL,
     "connections=65: is not a number from 1 to 64"),
    ("connections-huge", b"server={server} connections=4294967297", EINVAL,
     "connections=4294967297: is not a number"),
    ("queue-depth-0", b"server={server} queue_depth=0", EINVAL,
     "queue_depth=0: is not a number from 1 to 1024"),
    ("queue-depth-1025", f"server={{server}} queue_depth={limits.MAX_QUEUE_DEPTH + 1}", EINVAL,
     "queue_depth=1025: is not a number from 1 to 1024"),
    ("index-negative", b"server={server} index=-1", EINVAL, "index=-1: is not a number"),
    ("index-too-large", f"server={{server}} index={limits.MAX_INDEX + 1}", EINVAL,
     f"index={limits.MAX_INDEX + 1}: is not a number from 0 to {limits.MAX_INDEX}"),
    ("timeout-too-large", f"server={{server}} timeout={limits.MAX_SECONDS + 1}", EINVAL,
     f"timeout={limits.MAX_SECONDS + 1}: is not a number from 0 to {limits.MAX_SECONDS}"),
    ("reserve-too-large", f"server={{server}} reserve={limits.MAX_RESERVE + 1}", EINVAL,
     f"reserve={limits.MAX_RESERVE + 1}: is not a number from 0 to {limits.MAX_RESERVE}"),
    ("reserve-a-word", b"server={server} reserve=some", EINVAL, "reserve=some: is "),
    ("reserve-negative", b"server={server} reserve=-1", EINVAL, "reserve=-1: is "),
    ("reserve-over-a-tenth", b"server={server} export=good reserve=30000", EINVAL,
     r"reserve=30000: is over [1-9]\d+ pages, a tenth of memory"),
    ("filter-a-word", b"server={server} filter=yes", EINVAL, "filter=yes: is neither on nor off"),
    ("allow-without-protocol", b"server={server} allow=22", EINVAL,
     "allow=22: is not of the form tcp:22 or udp:123"),
    ("allow-another-protocol", b"server={server} allow=tcp:22,icmp:1", EINVAL,
     "allow=icmp:1: is not of the form tcp:22 or udp:123"),
    ("allow-port-0", b"server={server} allow=tcp:0", EINVAL,
     "allow port=0: is not a number from 1"),
    ("allow-port-65536", b"server={server} allow=udp:65536", EINVAL,
     "allow port=65536: is not a number"),
    ("allow-name", b"server={server} allow=tcp:2049@nfs", EINVAL,
     "allow=tcp:2049@nfs: needs an address behind the @"),
    ("allow-ip6-without-brackets", b"server={server} allow=tcp:2049@2001:db8::5", EINVAL,
     "allow=tcp:2049@2001:db8::5: needs an address behind the @"),
    ("allow-ip6-without-end", b"server={server} allow=tcp:2049@[2001:db8::5", EINVAL,
     "needs an address behind the @"),
    ("allow-any-address", b"server={server} allow=udp:1@0.0.0.0", EINVAL,
     "allow=udp:1@0.0.0.0: needs an address behind the @"),
    ("allow-empty-entry", b"server={server} allow=tcp:22,", EINVAL, "allow.*: is not of the form"),
    ("allow-17-entries", "server={server} allow="
     + ",".join(f"udp:{n}" for n in range(1, limits.MAX_ALLOW + 2)), EINVAL,
     "allow=udp:17: exceeds the limit of 16 entries"),
    # Lengths. A name over NBD's limit of 4096 bytes is over sysfs's limit too.
    ("page-long", b"server={server} ".ljust(PAGE + 19), E2BIG, "longer than 4095 bytes"),
    ("over-a-page", b"server={server} ".ljust(3 * PAGE), E2BIG, "longer than 4095 bytes"),
    ("name-over-the-limit", b"server={server} export=" + LONG_NAME.encode(), E2BIG,
     "longer than 4095 bytes"),
]


@pytest.mark.parametrize("text", [
    "server={server} export=good", "server={server} export=good\n", "server={server} export=good\0",
    "server={server} export=good\n\0", "\t server={server}\n  export=good  \n",
    'server={server} export="two words"', 'export="good" "server={server}"',
    "server={server} export=good".ljust(PAGE + 18), "server={server} export=good readonly\n",
], ids=["no-newline", "newline", "trailing-nul", "newline-and-nul", "white-space", "quotes",
        "all-quoted", "one-less-than-a-page", "readonly"])
def test_string_that_works(guest, server, text):
    text = text.replace("{server}", f"{server.address}:{server.port}")[:PAGE - 1]
    result = guest.vm.run(f"""
        perl -e 'local $/; $_ = <STDIN>; open A, ">", "{ATTACH}";
                 syswrite(A, $_) == length or exit 1' &&
        dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none &&
        echo 1 > /sys/block/ballast0/ballast/detach
    """, data=text.encode())
    assert not result.output


# Servers that have not what is wanted.

TLS_KEYS = "user:0123456789abcdef0123456789abcdef\n"


class TlsServer(servers.Nbdkit):
    def argv(self):
        keys = self.dir / "keys.psk"
        keys.write_text(TLS_KEYS)
        return [*super().argv()[:-2], "--tls=require", f"--tls-psk={keys}", "memory", "1M"]


NO_EXPORT = "negotiation: the server has no such export"
NO_LISTENER = "connect: connection refused: no server listens there"
ONLY_ONE = "negotiation: connections: the export allows only one.*CAN_MULTI_CONN"
REAL = [
    ("unknown-export-nbd-server", lambda: servers.NbdServer({"other": 1 << 20}), "", ENOENT,
     NO_EXPORT),
    ("unknown-export-nbdkit", lambda: servers.Nbdkit(
        "memory", "1M", "exportname=other", "exportname-strict=true", filters=["exportname"]),
     "", ENOENT, NO_EXPORT),
    ("unknown-export-qemu-nbd", lambda: servers.QemuNbd("other", 1 << 20), "", ENOENT, NO_EXPORT),
    ("tls-demanded", lambda: TlsServer("memory", "1M"), "", EOPNOTSUPP,
     "the server requires TLS"),
    ("oldstyle-nbdkit", lambda: servers.Nbdkit("memory", "1M", options=["--oldstyle"]), "",
     EPROTO, "oldstyle"),
    ("two-connections-nbdkit", lambda: servers.Nbdkit(
        "memory", "1M", "multi-conn-mode=disable", filters=["multi-conn"]),
     "connections=2", EINVAL, ONLY_ONE),
    ("two-connections-qemu-nbd", lambda: servers.QemuNbd("good", 1 << 20, shared=1),
     "connections=2", EINVAL, ONLY_ONE),
    ("size-0-nbdkit", lambda: servers.Nbdkit("null", "size=0"), "", EINVAL, "export size is 0"),
    ("size-odd-nbdkit", lambda: servers.Nbdkit("null", "size=1000"), "", EINVAL,
     "not a multiple of its block size"),
]


# Servers that lie.

ERROR = 1 << 31
MIB = 1 << 20
LIES = [
    ("ssh-server", says_at_once(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), EPROTO,
     "not an NBD server"),
    ("http-server", says_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), EPROTO, "not an NBD server"),
    ("eight-wrong-bytes", says_at_once(b"220 x.y\n"), EPROTO, "not an NBD server"),
    ("wrong-second-magic", says_at_once(b"NBDMAGICIHAVEOPS\0\3"), EPROTO, "not an NBD server"),
    ("oldstyle", says_at_once(b"NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53".ljust(152, b"\0")),
     EPROTO, "oldstyle"),
    # Replies to options.
    ("wrong-reply-magic", says_to_go(struct.pack(">QIII", 1, GO, ACK, 0)), EPROTO, "wrong magic"),
    ("reply-to-another-option", says_to_go(reply(EXPORT_NAME, ACK)), EPROTO,
     "reply to an option that was not sent"),
    ("reply-of-4-GiB", says_to_go(reply(GO, INFO, length=0xffffffff)), EPROTO,
     "longer than the protocol allows"),
    ("error-of-4-GiB", says_to_go(reply(GO, ERROR | 6, length=0xffffffff)), EPROTO,
     "longer than the protocol allows"),
    ("reply-to-structured-of-4-GiB", says_to_structured(reply(STRUCTURED_REPLY, ACK,
                                                              length=0xffffffff)),
     EPROTO, "longer than the protocol allows"),
    ("endless-information", says_to_go(info_export() * 10000), EPROTO,
     "too many replies to an option"),
    ("information-without-type", says_to_go(reply(GO, INFO, b"\0")), EPROTO, "too short"),
    ("size-too-short", says_to_go(reply(GO, INFO, bytes(4))), EPROTO, "wrong length"),
    ("blocks-too-long", says_to_go(reply(GO, INFO, b"\0\3".ljust(18, b"\0"))), EPROTO,
     "wrong length"),
    ("ack-without-size", says_to_go(reply(GO, ACK)), EPROTO, "did not send the size of the export"),
    ("unknown-reply", says_to_go(reply(GO, 4711)), EPROTO, ""),
    ("policy", says_to_go(reply(GO, ERROR | 2, b"not for you")), EACCES,
     "the server's policy forbids it"),
    ("shutting-down", says_to_go(reply(GO, ERROR | 7)), ECONNREFUSED,
     "the server is shutting down"),
    ("unknown-error", says_to_go(reply(GO, ERROR | 4711)), EPROTO,
     "an error that the protocol does not name"),
    ("tls-for-go", says_to_go(reply(GO, ERROR | 5)), EOPNOTSUPP, "the server requires TLS"),
    ("block-size-required", says_to_go(reply(GO, ERROR | 8)), EPROTO, "requires block sizes"),
    # Exports.
    ("size-0", says_to_go(info_export(0), reply(GO, ACK)), EINVAL, "export size is 0"),
    ("size-under-a-sector", says_to_go(info_export(511), reply(GO, ACK)), EINVAL,
     "not a multiple of its block size"),
    ("size-odd", says_to_go(info_export(MIB + 1), reply(GO, ACK)), EINVAL,
     "not a multiple of its block size"),
    ("size-no-multiple-of-4096", says_to_go(info_export(MIB + 512), info_blocks(4096, 4096, MIB),
                                            reply(GO, ACK)),
     EINVAL, "not a multiple of its block size"),
    ("size-2^63", says_to_go(info_export(1 << 63), reply(GO, ACK)), EFBIG,
     r"export size is over 2\^63 - 1 bytes"),
    ("size-2^64-512", says_to_go(info_export((1 << 64) - 512), reply(GO, ACK)), EFBIG,
     r"export size is over 2\^63 - 1 bytes"),
    ("block-size-0", says_to_go(info_export(), info_blocks(0, 4096, MIB), reply(GO, ACK)),
     EPROTO, "minimum block size is 0"),
    ("block-size-3", says_to_go(info_export(3 << 20), info_blocks(3, 4096, MIB), reply(GO, ACK)),
     EINVAL, "block size is not a power of two"),
    ("block-size-1-MiB", says_to_go(info_export(4 << 20), info_blocks(MIB, MIB, MIB),
                                    reply(GO, ACK)),
     EINVAL, "block size is larger than a page"),
    ("preferred-block-size-3", says_to_go(info_export(), info_blocks(1, 3, MIB), reply(GO, ACK)),
     EINVAL, "preferred block size is not a power of two"),
    ("longest-request-under-a-page", says_to_go(info_export(), info_blocks(512, 512, 512),
                                                reply(GO, ACK)),
     EINVAL, "longest request is shorter than a page"),
    # The same, of a server without NBD_OPT_GO.
    ("by-name-size-0", says_to_export_name(export_name_reply(0)), EINVAL, "export size is 0"),
    ("by-name-size-odd", says_to_export_name(export_name_reply(1000)), EINVAL,
     "not a multiple of its block size"),
    ("by-name-size-2^63", says_to_export_name(export_name_reply(1 << 63)), EFBIG, "over"),
]


# Servers that close the connection: orderly, or with a reset, or as a
# process does that ends, which resets it when more comes in.

def nothing(connection):
    pass


def then(step, data=b""):
    def serve(connection):
        step(connection)
        connection.sendall(data)
    return serve


def take(step, option):
    def serve(connection):
        step(connection)
        assert take_option(connection) == option
    return serve


STEPS = {
    "before-the-greeting": nothing,
    "within-the-greeting": then(nothing, GREETING[:9]),
    "within-the-magic": then(nothing, GREETING[:5]),
    "before-the-client's-flags": then(nothing, GREETING),
    "after-the-client's-flags": greet,
    "after-the-structured-reply-option": take(greet, STRUCTURED_REPLY),
    "within-its-reply": then(take(greet, STRUCTURED_REPLY), reply(STRUCTURED_REPLY, UNSUP)[:11]),
    "after-its-reply": then(take(greet, STRUCTURED_REPLY), reply(STRUCTURED_REPLY, UNSUP)),
    "after-go": up_to_go,
    "within-the-reply-to-go": then(up_to_go, info_export()[:10]),
    "within-the-information": then(up_to_go, info_export()[:-3]),
    "before-the-ack": then(up_to_go, info_export() + info_blocks(1, 4096, MIB)),
    "within-the-ack": then(up_to_go, info_export() + reply(GO, ACK)[:19]),
    "after-no-go": then(up_to_go, reply(GO, UNSUP)),
    "after-export-name": up_to_export_name,
    "within-the-reply-to-export-name": then(up_to_export_name, export_name_reply()[:9]),
}


def orderly(connection):
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closed_within_the_zeroes(connection):
    connection.sendall(GREETING[:-1] + b"\1")  # no NO_ZEROES
    receive(connection, 4)
    for answer in (reply(STRUCTURED_REPLY, UNSUP), reply(GO, UNSUP),
                   export_name_reply() + bytes(100)):
        take_option(connection)
        connection.sendall(answer)


STEPS["within-the-zeroes"] = closed_within_the_zeroes
WAYS = {"orderly": orderly, "reset": reset, "plain": nothing}


def closes(step, how):
    def serve(connection):
        STEPS[step](connection)
        WAYS[how](connection)
    return serve


# The table. server: makes one, if the row has its own; serve: what a scripted one does.

Row = namedtuple("Row", "text errno log server serve", defaults=(None, None))


def make_table():
    table = {}
    for name, text, errno, log in STRINGS:
        table[name] = Row(text, errno, f"^ballast: attach: .*{log}")
    at = "server={server} export=good"
    for name, server, more, errno, log in REAL:
        table[name] = Row(f"{at} {more}", errno, log, server=server)
    for name, serve, errno, log in LIES:
        table[name] = Row(at, errno, f"negotiation: .*{log}", serve=serve)
    for how in WAYS:
        # A reset may come at any time, even before the connect has ended.
        log = "negotiation: the server closed the connection" if how == "orderly" else ""
        for step in STEPS:
            table[f"closed-{step}-{how}"] = Row(at, ECONNRESET, log, serve=closes(step, how))
    name = "server={server} export=".ljust(2 * PAGE, "x")
    table["name-as-long-as-fits"] = Row(name, ENOENT, NO_EXPORT)
    table["nothing-listens-ipv4"] = Row(f"server={net.HOST4}:1", ECONNREFUSED,
                                        rf"192.0.2.1:1: {NO_LISTENER}")
    table["nothing-listens-ipv6"] = Row(f"server=[{net.HOST6}]:1", ECONNREFUSED,
                                        rf"\[2001:db8::1\]:1: {NO_LISTENER}")
    return table


TABLE = make_table()


@pytest.fixture(scope="module")
def results(request, guest, server):
    """What came of the rows that this run has: all of them in one go, and so in less time."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.originalname == "test_row"]
    writes, scripted = [], {}
    with ExitStack() as stack:
        for name in names:
            row, own = TABLE[name], server
            if row.serve:
                own = scripted[name] = stack.enter_context(servers.ScriptedServer(row.serve))
            elif row.server:
                own = stack.enter_context(row.server())
            text = as_bytes(row.text).replace(b"{server}", f"{own.address}:{own.port}".encode())
            writes.append(Write(text[:PAGE - 1] if name == "name-as-long-as-fits" else text))
        found = dict(zip(names, guest.finish(guest.start(writes), timeout=600)))
        assert len(found) == len(names)
        return {name: (result, scripted[name].errors if name in scripted else [])
                for name, result in found.items()}


@pytest.mark.parametrize("name", TABLE)
def test_row(results, name):
    result, server_errors = results[name]
    check(result, TABLE[name].errno, TABLE[name].log)
    check_nothing_left(result)
    assert not server_errors
    assert result.took < 5
