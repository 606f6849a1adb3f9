# SPDX-License-Identifier: GPL-2.0
"""What an administrator, or a cable, may do in the middle of storm (c)."""

import dataclasses
import signal
import socket
import time

import pytest

import run
import subjects
from rig import host, image, module, net
from rig.vm import VM
from rig.wait import until

CONDITIONS = run.Conditions(calm=5, length=14, after=8)


@pytest.fixture(scope="module")
def ko():
    image.get()
    return module.build().path


@pytest.fixture
def storm(ko, request):
    """storm(act, subject): storm (c) with act in it, which ballast must live through."""
    def start(act, subject="ballast"):
        print(f"\n{run.HEADING}")
        result = run.run(subject, "c", CONDITIONS, ko, host.logs() / request.node.name,
                         lambda *second: print(run.line(*second), flush=True), act)
        print(run.outcome(result), flush=True)
        assert result["verdict"] in ("lived", "starved")    # how fast is a timing
        assert result["rate"]["after"] > 0
        assert result["verify"] == "clean"
        assert result["unloaded"]
        assert not result["alarms"], "\n".join(result["alarms"])
        return result
    return start


def test_another_mtu(storm):
    storm(lambda run: run.guest.run("ip link set eth0 mtu 1400"))


def test_down_and_up(storm):
    # One process: a second one might wait for the swap that the first has taken away.
    storm(lambda run: run.guest.run("printf 'link set eth0 down\\nlink set eth0 up\\n' "
                                    "| ip -batch -"))


def test_other_sizes(storm):
    storm(lambda run: run.guest.run("cd /sys/class/net/eth0/ballast && echo 0 > size_pages && "
                                    "echo 50 > packet_limit && echo 1024 > lend_below"))


def test_allowed_port_answers(storm):
    """A TCP connection to an allowed port is accepted and answers within 3 s, each second."""
    took = []

    def connect(run):
        guest = run.guest
        # In use as long as requests are in flight, which is always.
        guest.run("awk '/MemTotal/ {print int($2 / 4)}' /proc/meminfo "
                  "> /sys/class/net/eth0/ballast/lend_below")
        for _ in range(5):
            began = time.monotonic()
            with socket.create_connection((guest.address4, 22), 10) as connection:
                connection.sendall(b"are you there?\n")
                assert connection.recv(100) == b"are you there?\n"
            took.append(round(time.monotonic() - began, 2))
            time.sleep(1)

    ballast = dataclasses.replace(subjects.SUBJECTS["ballast"], options="allow=tcp:22",
                                  tools=(("echo", "22"),))
    result = storm(connect, ballast)
    print(f"answered in {took} s; {result['dropped']} packets were dropped")
    assert max(took) < 3
    assert result["dropped"] > 1000


def test_card_removed(ko, request):
    """Swap is gone with the card: the disk is given up by force, and the machine lives."""
    logs = host.logs() / request.node.name
    logs.mkdir(parents=True, exist_ok=True)
    subject = subjects.SUBJECTS["ballast"]
    with VM(memory=256, logs=logs) as guest:
        guest.put("/run/guest", run.tool(), 0o755)
        guest.put("/run/ballast.ko", module.stripped(ko))
        with subject.attach(guest, net.HOST4):
            guest.run("mkswap /dev/ballast0 && swapon /dev/ballast0")
            # What ends it must not need memory, since none is left.
            detach = guest.spawn("exec /run/guest write /sys/block/ballast0/ballast/detach "
                                 "force")
            detach.wait_output("ready")
            hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 217M --vm-keep -q -t 0")
            swapped = "awk '/^pswpin/ {print $2}' /proc/vmstat"
            until(lambda: int(guest.run(swapped).output) > 20000, 60, "the hogs to swap")
            guest.qmp("device_del", id="nic0")
            guest.qmp.wait_event("DEVICE_DELETED", 60)
            assert detach.kill(signal.SIGUSR1, 60) == 0, detach.output
            hogs.kill()
            guest.run("! ls -d /sys/class/net/eth0 /sys/block/ballast*")
            # Linux can't end a swap whose device is gone, and so the module must stay.
            assert guest.run("rmmod ballast 2>&1", check=False).output == \
                "rmmod: ERROR: Module ballast is in use\n"
            guest.run("dd if=/dev/zero of=/root/x bs=1M count=100 && sync && rm /root/x")
            found = guest.console.alarms()
            assert not found, "\n".join(found)
