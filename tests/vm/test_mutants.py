# SPDX-License-Identifier: GPL-2.0
"""A server that damages real conversations, at random: see test_hostile.py for lies by name.

Whatever comes of it, a read that succeeds brings the right bytes, and the guest says nothing.
BALLAST_ROUNDS multiplies how much is damaged; the seed is printed, and BALLAST_SEED is one.
"""

import contextlib
import os
import random
import threading
import time

import pytest

from rig import nbd, servers
from rig.disk import Disk
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
DAMAGED = 24 * ROUNDS    # messages, one at least
PATIENCE = 2            # seconds that the server waits for a client that may wait for it
ENOUGH = "/root/enough"  # a file: the readers end when it is there
SIZE = 1 << 20
RATE = 1 / 40           # of messages are damaged
# A client takes a larger export at its word, and then the true one is refused for ever.
SIZE_TOLD = nbd.info_export(SIZE, nbd.USUAL)
pytestmark = pytest.mark.console_ok("ballast: ")

# Reads at random, several at once; a read that fails is none, wrong bytes end it.
READER = """
import mmap, os, random, struct, sys
size, seed = map(int, sys.argv[1:3])
children = []
for child in range(4):
    if os.fork() == 0:
        chance = random.Random(seed * 4 + child)
        disk = os.open("/dev/ballast0", os.O_RDONLY | os.O_DIRECT)
        page = mmap.mmap(-1, 65536)
        good = bad = 0
        while not os.path.exists(sys.argv[3]):
            length = 4096 * chance.randint(1, 16)
            offset = 4096 * chance.randrange(size // 4096 - 16)
            try:
                got = os.preadv(disk, [memoryview(page)[:length]], offset)
            except OSError:
                bad += 1
                continue
            for at in range(0, got, 512):
                if struct.unpack_from(">Q", page, at)[0] != offset + at:
                    print("WRONG at", offset + at, page[at:at + 16].hex(), flush=True)
                    os._exit(1)
            good += 1
        print("good", good, "failed", bad, flush=True)
        os._exit(0)
status = 0
for child in range(4):
    status |= os.wait()[1]
sys.exit(status != 0)
"""


class Damage:
    """Sends what it is given, or nearly."""

    def __init__(self, connection, chance):
        self.connection, self.chance = connection, chance
        self.count = 0

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def sendall(self, data, framing=None):
        """framing: how many bytes from the beginning on may be changed; all if None.

        What is data on the disk stays as it is: no client could tell.
        """
        if self.chance.random() > RATE:
            return self.connection.sendall(data)
        self.count += 1
        damaged = self._damaged(data, len(data) if framing is None else framing)
        while SIZE_TOLD in data and SIZE_TOLD not in damaged:
            damaged = self._damaged(data, len(data))
        self.connection.sendall(damaged)
        if len(damaged) < len(data):
            raise ConnectionError("cut short")
        return None

    def _damaged(self, data, end):
        data, chance = bytearray(data), self.chance
        how = chance.choice(["bit", "byte", "bytes", "word", "cut", "twice", "more"])
        at = chance.randrange(end)
        if how == "bit":
            data[at] ^= 1 << chance.randrange(8)
        elif how == "byte":
            data[at] = chance.choice([0, 1, 0x7f, 0x80, 0xff])
        elif how == "bytes":
            data[at:end] = chance.randbytes(end - at)
        elif how == "word":
            data[at:min(at + 4, end)] = b"\xff\xff\xff\xff"[:min(4, end - at)]
        elif how == "twice":
            data += data[:end]
        elif how == "more":
            data += chance.randbytes(chance.randrange(1, 5000))
        elif how == "cut":
            del data[at:]
        return data


@pytest.mark.parametrize("structured", [False, True], ids=["simple", "structured"])
def test_mutants(shared_vm, structured):
    seed = int(os.environ.get("BALLAST_SEED") or random.SystemRandom().randrange(1 << 30))
    memory = nbd.Memory(SIZE, structured)
    honest = threading.Event()
    damaged = []

    def serve(connection):
        first = not damaged
        damage = Damage(connection, random.Random(seed + len(damaged)))
        damaged.append(damage)
        mutate = not first and not honest.is_set()
        connection.settimeout(PATIENCE)
        with contextlib.suppress(TimeoutError):
            nbd.negotiate(damage if mutate else connection, SIZE, nbd.USUAL, structured)
            while (request := nbd.take_request(connection)).type != nbd.DISC:
                answer = memory.answer(request)
                if honest.is_set():
                    connection.sendall(answer)
                else:
                    damage.sendall(answer, len(answer) - (request.length
                                                          if request.type == nbd.READ else 0))

    def count():
        return sum(damage.count for damage in damaged)

    with servers.ScriptedServer(serve) as server, \
            Disk(shared_vm, server, timeout=2) as disk:
        print(f"seed {seed}")
        shared_vm.put("/root/reader.py", READER.encode())
        reader = shared_vm.spawn(f"exec python3 /root/reader.py {SIZE} {seed} {ENOUGH}")
        began = time.monotonic()
        until(lambda: count() >= DAMAGED or not reader.running, 30 + 5 * DAMAGED,
              f"{DAMAGED} messages to be damaged")
        shared_vm.run(f"touch {ENOUGH}")
        # A read at its end may wait for a connection that lives to the next answer.
        until(lambda: not reader.running, 120, "the readers to end")
        shared_vm.run(f"rm {ENOUGH}")
        assert reader.status == 0, (seed, reader.output)
        honest.set()
        shared_vm.run(f"dd if={disk.path} of=/dev/null bs=64k iflag=direct status=none")
        print(f"{count()} messages damaged on {len(damaged)} connections in "
              f"{time.monotonic() - began:.0f} s; {reader.output}")
        assert "good 0" not in reader.output
