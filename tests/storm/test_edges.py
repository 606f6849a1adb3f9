"""What an administrator, or a cable, may do in the middle of storm (c)."""

import dataclasses
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
        assert result["verdict"] == "lived"
        assert result["verify"] == "clean"
        assert result["unloaded"]
        assert not result["alarms"], "\n".join(result["alarms"])
        return result
    return start


def test_another_mtu(storm):
    storm(lambda guest: guest.run("ip link set eth0 mtu 1400"))


def test_down_and_up(storm):
    # One process: a second one might wait for the swap that the first has taken away.
    storm(lambda guest: guest.run("printf 'link set eth0 down\\nlink set eth0 up\\n' | ip -batch -"))


def test_other_sizes(storm):
    storm(lambda guest: guest.run("cd /sys/class/net/eth0/ballast && echo 0 > size_pages && "
                                  "echo 50 > packet_limit && echo 1024 > lend_below"))


def test_allowed_port_answers(storm):
    """A TCP connection to an allowed port is accepted and answers within 3 s, each second."""
    took = []

    def connect(guest):
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
    print(f"answered in {took} s")
    assert max(took) < 3
    assert result["dropped"] > 0
