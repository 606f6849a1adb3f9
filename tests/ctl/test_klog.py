# SPDX-License-Identifier: GPL-2.0
"""Which line of the kernel log says why the kernel refused something."""

import fcntl
import os

import pytest

ATTACH = ("attach", "nbd://192.0.2.1/swap", "index=5")
GUARD = ("guard", "eth0")
MOVE = ("move", "ballast5", "nbd://192.0.2.9/swap")
FILE = {ATTACH: "sys/class/ballast/attach", GUARD: "sys/class/ballast/guard",
        MOVE: "sys/block/ballast5/ballast/move"}
OWN = "ballast5: server 192.0.2.1:10809: connect: no answer (error -110)"
OTHERS = ("attach: index=6: is in use", "ballast55: detached", "guard: eth1: no such interface",
          "guard: eth01: no such interface")


@pytest.fixture
def refused(ctl, tree):
    """What is said of a write that fails after the kernel has logged these lines."""
    tree.write("sys/class/net/eth0/flags", "0x1003\n")
    tree.disk("ballast5")
    log = tree.root / "dev/kmsg"
    log.unlink()
    os.mkfifo(log)

    def run(command, *lines):
        (tree.root / FILE[command]).unlink()
        (tree.root / FILE[command]).mkdir()
        fd = os.open(log, os.O_RDWR)
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT)  # a read returns one record
        for line in lines:
            os.write(fd, f"3,1,2,-;ballast: {line}\n SUBSYSTEM=x\n".encode())
        said = ctl(*command)
        os.close(fd)
        assert said.status == 1 and said.err.count("\n") == 1, said
        return said.err
    return run


@pytest.mark.parametrize("command, line", [
    (ATTACH, OWN), (MOVE, OWN),
    (GUARD, "guard: eth0: cannot make a reserve (error -12)")])
def test_own_line(refused, command, line):
    """Another process attaches, or guards an interface, at the same time."""
    said = refused(command, *OTHERS, line, *OTHERS)
    assert f"the kernel says: {line.split(' (error')[0]} (Is a directory)\n" in said


@pytest.mark.parametrize("command", [MOVE, GUARD], ids=["move", "guard"])
def test_only_lines_of_others(refused, command):
    said = refused(command, *OTHERS)
    assert "the kernel says" not in said and said.endswith(": Is a directory\n")


def test_attach_before_there_is_a_disk(refused):
    said = refused(ATTACH, "attach: index=5: is in use", "ballast55: detached")
    assert said.endswith("the kernel says: attach: index=5: is in use (Is a directory)\n")
