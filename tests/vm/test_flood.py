# SPDX-License-Identifier: GPL-2.0
"""Sockets that fill fast make a machine tight while memory is ample."""

import os
import signal
from contextlib import ExitStack, contextmanager

from rig.disk import Disk
from rig.filter import number
from rig.wait import never, until

# Sends to itself until the sockets of UDP hold so many KiB, and does not read. A debug kernel can't
# receive as much from its network.
FILL = """
import os, socket, time
unread = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
unread.setsockopt(socket.SOL_SOCKET, 33, KIB << 10)    # SO_RCVBUFFORCE
unread.bind(("127.0.0.1", 0))
def held():
    with open("/proc/net/sockstat") as table:
        line, = (line.split() for line in table if line.startswith("UDP:"))
    return int(line[4]) * os.sysconf("SC_PAGESIZE") >> 10
while held() < KIB:
    for _ in range(16):
        unread.sendto(bytes(8000), unread.getsockname())
print("full", flush=True)
time.sleep(1000)
"""
UDP_MEM = "/proc/sys/net/ipv4/udp_mem"


@contextmanager
def filled(guest, kib):
    """The sockets of UDP hold so much."""
    job = guest.spawn("exec python3 -", data=FILL.replace("KIB", str(kib)).encode())
    try:
        job.wait_output("full")
        yield
    finally:
        job.kill()


@contextmanager
def raised(guest):
    """No limit for what sockets of UDP hold."""
    before = guest.run(f"cat {UDP_MEM}; echo 1000000 1000000 1000000 > {UDP_MEM}").output.strip()
    try:
        yield
    finally:
        guest.run(f"echo {before} > {UDP_MEM}")


@contextmanager
def in_flight(guest, server):
    """A request that the server does not answer."""
    with Disk(guest, server) as disk:
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            reader = guest.spawn(f"exec dd if={disk.path} of=/dev/null bs=4k count=1 "
                                 "iflag=direct skip=99 2>&1")
            until(lambda: guest.run(f"cat {disk.sys}/ballast/inflight").output.strip() == "1",
                  20, "a request in flight")
            yield
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        assert reader.wait(20) == 0, reader.output


def check_flood(guest):
    """Sockets take an eighth of the memory while a disk has requests in flight."""
    memory = int(guest.run("awk '/^MemTotal:/ {print $2}' /proc/meminfo").output)
    before = {name: number(guest, name) for name in ("activations", "critical_ms", "lends")}
    with raised(guest), ExitStack() as unread:
        unread.enter_context(filled(guest, memory // 64))
        never(lambda: number(guest, "activations") > before["activations"], 1, "an activation")
        unread.enter_context(filled(guest, memory // 8))
        until(lambda: number(guest, "activations") == before["activations"] + 1, 10,
              "the machine to be tight")
        # Then what sockets hold does not grow any more, and memory is ample.
        until(lambda: number(guest, "in_use") == 0, 10, "the machine to be calm")
        assert [number(guest, name) - before[name] for name in before] == [1, 0, 0]


def test_a_flood_while_memory_is_ample(shared_vm, server):
    with in_flight(shared_vm, server):
        check_flood(shared_vm)
