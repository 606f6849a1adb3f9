#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Makes a fuzzer's seeds: seeds.py wire|options DIRECTORY."""

import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vm"))
sys.dont_write_bytecode = True

from rig import nbd  # noqa: E402
from rig.nbd import ACK, GO, INFO, STRUCTURED_REPLY, UNSUP  # noqa: E402

PLACE, LENGTH = 1 << 20, 65536  # as in fuzz_wire.c
REQUEST = nbd.Request(0, nbd.READ, 7, PLACE, LENGTH, b"")


def wire():
    honest = (nbd.GREETING + nbd.reply(STRUCTURED_REPLY, ACK)
              + nbd.info_export(1 << 30, nbd.USUAL) + nbd.info_blocks(512, 4096, 1 << 25)
              + nbd.reply(GO, INFO, b"\0\1name") + nbd.reply(GO, ACK))
    yield b"\0" + honest + nbd.chunk(REQUEST, nbd.NONE, flags=nbd.DONE)
    yield b"\0" + nbd.GREETING + nbd.reply(STRUCTURED_REPLY, UNSUP) + nbd.reply(GO, UNSUP) \
        + struct.pack(">QH", 1 << 20, nbd.USUAL) + nbd.simple(REQUEST, 5)
    yield b"\0" + nbd.GREETING[:-2] + b"\0\2" + struct.pack(">QH", 1 << 20, 1)
    yield b"\0NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53" + bytes(140)
    for error in range(1, 10):
        yield b"\0" + nbd.GREETING + nbd.reply(STRUCTURED_REPLY, ACK) \
            + nbd.reply(GO, 1 << 31 | error, b"why")
    for blocks in ((0, 1, 1), (3, 512, 4096), (1 << 20, 1 << 20, 1 << 20), (512, 3, 4096),
                   (512, 512, 512), (4096, 1 << 21, 0xffffffff)):
        yield b"\0" + nbd.GREETING + nbd.reply(STRUCTURED_REPLY, ACK) \
            + nbd.info_export(1 << 20) + nbd.info_blocks(*blocks) + nbd.reply(GO, ACK)
    for size in (0, 511, 1000, 1 << 63, (1 << 63) - 512):
        yield b"\0" + nbd.GREETING + nbd.reply(STRUCTURED_REPLY, ACK) + nbd.info_export(size) \
            + nbd.reply(GO, ACK)
    yield b"\1" + nbd.simple(REQUEST, data=bytes(4096)) + nbd.simple(REQUEST, 28)
    for error in (1, 5, 12, 22, 28, 75, 95, 108, 4711):
        yield b"\3" + nbd.error_chunk(REQUEST, error, b"why", flags=0)
    yield b"\3" + nbd.error_chunk(REQUEST, 5, b"why", nbd.ERROR_OFFSET)
    yield b"\3" + b"".join(nbd.hole_chunk(REQUEST, PLACE + at, 8192)
                           for at in range(0, LENGTH, 8192)) \
        + nbd.chunk(REQUEST, nbd.NONE, flags=nbd.DONE)
    yield b"\3" + b"".join(nbd.hole_chunk(REQUEST, PLACE + at, 16) for at in range(0, 320, 32))
    yield b"\3" + nbd.data_chunk(REQUEST, PLACE, bytes(100)) \
        + nbd.data_chunk(REQUEST, PLACE + 50, bytes(100))
    write = REQUEST._replace(type=nbd.WRITE, cookie=1 << 17)
    read = REQUEST._replace(cookie=8 << 18)
    yield b"\4\0" + nbd.simple(write) + nbd.simple(read, data=bytes(4096)) + nbd.simple(write, 28)
    yield b"\6\7" + nbd.data_chunk(read, PLACE, bytes(100)) \
        + nbd.chunk(write, nbd.NONE, flags=nbd.DONE) + nbd.error_chunk(write, 5, b"why")


def options():
    yield b"server=192.0.2.10:10809 export=swap"
    yield b"server=[2001:db8::1]:10809 export=\"two words\" index=3 readonly"
    yield b"server=192.0.2.1 connections=4 queue_depth=64 timeout=30 deadline=600\n"
    yield b"server=192.0.2.1 filter=off reserve=1000 allow=tcp:22,udp:123\0"
    yield b"server=192.0.2.1 allow=tcp:2049@192.0.2.5,tcp:2049@[2001:db8::5]"
    yield b"server=[fe80::1%eth0] reserve=auto filter=on"
    yield b"server=host.example.org:10809"
    yield b"server=2001:db8::1 export"
    yield b"export=\"open"
    yield b"server=192.0.2.1 allow=" + b",".join(b"udp:%d" % n for n in range(1, 19))


def main():
    name, directory = sys.argv[1], Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate({"wire": wire, "options": options}[name]()):
        (directory / f"seed-{number}").write_bytes(seed)


if __name__ == "__main__":
    main()
