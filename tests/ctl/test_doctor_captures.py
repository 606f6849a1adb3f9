# SPDX-License-Identifier: GPL-2.0
"""doctor: sockets that capture packets. They are real, in a network namespace of their own."""

import json
import os
import subprocess
import sys

import pytest

NAME = "capture-buffer"
MIB = 1 << 20
KEPT = 561 * 4 + 1500 * 4   # KiB of the tree's reserve and high watermarks

# Opens a socket for each of (protocol, bytes of buffer, bytes of ring, PACKET_COPY_THRESH), and
# asks doctor. The last two may be left out.
OPEN = """
import json, os, socket, struct, subprocess, sys
sockets, root, *command = sys.argv[1:]
held = []
for protocol, size, ring, copies in ((*each, 0, 0)[:4] for each in json.loads(sockets)):
    each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    if ring:
        each.setsockopt(263, 5, struct.pack("4I", 65536, ring // 65536, 2048, ring // 2048))
    if copies:
        each.setsockopt(263, 7, copies)
    if size:
        each.setsockopt(socket.SOL_SOCKET, 33, size // 2)    # SO_RCVBUFFORCE
    held.append(each)
os.symlink(f"/proc/{os.getpid()}", f"{root}/proc/{os.getpid()}")
print(os.getpid(), flush=True)
subprocess.run(command, stdin=subprocess.DEVNULL)
"""
ALL, IP = 3, 0x800
# No such interface, no such socket.
LINE = "00000000aaf65ff3 3      3    {:04x}   99999 1 {:<6} 0      4294967295\n"


@pytest.fixture
def swap(tree):
    tree.disk()
    tree.swap()
    tree.reserve(in_use=0)
    tree.write("sys/class/net/eth0/flags", "0x1003\n")
    (tree.root / "proc/net").mkdir()
    (tree.root / "proc/net/packet").symlink_to("/proc/net/packet")
    return tree


def of(found):
    return {each["id"]: each for each in json.loads(found)["findings"]}.get(NAME)


@pytest.fixture
def doctor(ctl, swap):
    """doctor(sockets): the finding beside such sockets, and the process that has them."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made; root can")
    ctl("--help")   # skipped where there is none

    def ask(*sockets):
        done = subprocess.run(
            ["unshare", "--net", sys.executable, "-c", OPEN, json.dumps(sockets), swap.root,
             os.path.abspath(os.environ["BALLASTCTL"]), "doctor", "--json"],
            env={**os.environ, "BALLAST_ROOT": str(swap.root)}, capture_output=True, text=True,
            timeout=20)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        pid, found = done.stdout.split("\n", 1)
        (swap.root / "proc" / pid).unlink()
        return of(found), pid
    return ask


@pytest.mark.parametrize("sockets", [
    [(ALL, 0)] * 40, [(ALL, MIB)] * 20, [(ALL, 4 * MIB)] * 2, [(IP, 32 * MIB)],
    [(ALL, 32 * MIB, 4 * MIB)],
], ids=["defaults", "small", "within the reserve", "behind the filter", "ring"])
def test_harmless(doctor, sockets):
    assert doctor(*sockets)[0] is None


def test_large(doctor, swap):
    found, pid = doctor((ALL, 20 * MIB), (ALL, 0))
    assert found["severity"] == "serious" and " 20480 KiB " in found["finding"]
    assert found["figures"] == (f"Reserves and high watermarks: {KEPT} KiB. python3 (pid {pid}) "
                                "on all interfaces: 20480 KiB, 0 KiB in use.")
    assert found["commands"][1].startswith("echo 5120 > /sys/class/net/eth0/ballast/size_pages ")
    swap.reserve(size_pages=5120)
    assert doctor((ALL, 20 * MIB))[0] is None
    assert doctor((ALL, 32 * MIB))[0]["severity"] == "advice", "under twice as much"
    swap.reserve()
    swap.write("proc/swaps", "Filename\n")
    assert doctor((ALL, 32 * MIB))[0]["severity"] == "advice", "no swap"


def test_ring_with_copies(doctor):
    """Of packets that are too large for the ring."""
    assert " 20480 KiB " in doctor((ALL, 20 * MIB, 4 * MIB, 1))[0]["finding"]


def test_many(doctor):
    """All count; the largest are named. No reserve may be over a tenth of memory."""
    found, _ = doctor(*[(ALL, size * MIB) for size in (2, 8, 4, 8, 2)])
    assert " 24576 KiB " in found["finding"] and len(found["commands"]) == 1
    assert [word for word in found["figures"].split() if word.isdigit()][1::2] == \
        ["8192", "8192", "4096"]


def test_without_a_network_disk(doctor, swap):
    swap.write("proc/swaps", "Filename\n")
    for path in (swap.root / "sys/block/ballast0/ballast").iterdir():
        path.unlink()
    (swap.root / "sys/block/ballast0/ballast").rmdir()
    assert doctor((ALL, 32 * MIB))[0] is None


@pytest.mark.parametrize("protocol, held, count, kib", [
    (ALL, 20 * MIB, 1, 20480), (ALL, 4096, 1, None), (IP, 20 * MIB, 1, None),
    (ALL, 20 * MIB, 300, 256 * 20480), (ALL, -1, 1, None),
])
def test_kernel_that_does_not_say_limits(ctl, swap, protocol, held, count, kib):
    """It says what the sockets hold."""
    (swap.root / "proc/net/packet").unlink()
    swap.write("proc/net/packet", "sk RefCnt Type Proto Iface R Rmem User Inode\nx\n1 2 3\n"
               + LINE.format(protocol, held) * count)
    found = of(ctl("doctor", "--json").out)
    assert bool(found) == bool(kib)
    if kib:
        assert f" {kib} KiB " in found["finding"]
        assert " A process that was not found on interface 99999: 20480 KiB" in found["figures"]
