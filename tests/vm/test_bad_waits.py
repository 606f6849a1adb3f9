# SPDX-License-Identifier: GPL-2.0
"""Attaches to servers and addresses that do not answer: waits are bounded, a signal ends them."""

import subprocess
import threading
from errno import EHOSTUNREACH, EINTR, ENETUNREACH, ETIMEDOUT

import pytest

from rig import limits, nbd, net, servers
from rig.disk import ATTACH
from rig.nbd import GREETING, STRUCTURED_REPLY, UNSUP, greet, info_export, reply, take_option
from rig.scripted import once, says_at_once, says_to_go, silent, up_to_export_name, up_to_go
from rig.wait import until
from rig.writer import GOOD_INDEX, Guest, Result, check, text

BOUND = 20  # seconds that an attach may take at most: 10, and some for a slow machine


@pytest.fixture(scope="module")
def server():
    with servers.NbdServer({"good": 1 << 20, "two words": 1 << 20}) as server:
        yield server


@pytest.fixture(scope="module")
def guest(shared_vm, server):
    return Guest(shared_vm, server)


# Servers that do not answer, and addresses that are not in use. All at once: each takes long.

def short_banner(connection):
    connection.sendall(b"220 x\r\n")
    connection.recv(1)


def drip(connection):
    """A byte a second: each wait is short, all of them together are not."""
    answer = GREETING + reply(STRUCTURED_REPLY, UNSUP)
    gone = threading.Event()
    for at in range(len(answer)):
        connection.sendall(answer[at:at + 1])
        gone.wait(1)


WAITS = {
    "silent": silent,
    "short-banner": short_banner,
    "silent-within-the-greeting": lambda c: says_at_once(GREETING[:12])(c),
    "silent-after-the-greeting": lambda c: (greet(c), take_option(c), c.recv(1)),
    "silent-after-go": lambda c: (up_to_go(c), c.recv(1)),
    "silent-before-the-ack": says_to_go(info_export()),
    "silent-after-export-name": lambda c: (up_to_export_name(c), c.recv(1)),
    "a-byte-a-second": drip,
}
BLACKHOLE = ("table inet blackhole "
             "{ chain in { type filter hook input priority 0; tcp dport 9 drop; }; }")


@pytest.fixture
def blackhole():
    """Port 9 of the host end takes packets and never answers."""
    net.up()
    subprocess.run(["nft", BLACKHOLE], check=True)
    yield
    subprocess.run(["nft", "delete table inet blackhole"], check=True)


def test_waits_are_bounded(guest, blackhole):
    scripted = {name: servers.ScriptedServer(serve) for name, serve in WAITS.items()}
    unreachable = "connect: host unreachable"
    port = limits.DEFAULT_PORT
    rows = {
        **{name: (text(server), ETIMEDOUT, "negotiation: the server does not answer")
           for name, server in scripted.items()},
        "drops-ipv4": (f"server={net.HOST4}:9", ETIMEDOUT, "connect: no answer"),
        "drops-ipv6": (f"server=[{net.HOST6}]:9", ETIMEDOUT, "connect: no answer"),
        "unused-ipv4": (f"server=192.0.2.250:{port}", EHOSTUNREACH, unreachable),
        "unused-ipv6": (f"server=[2001:db8::250]:{port}", EHOSTUNREACH, unreachable),
        "unused-link-local": (f"server=[fe80::250%eth0]:{port}", ETIMEDOUT,
                              "connect: no answer"),
        "no-route-ipv4": (f"server=198.51.100.1:{port}", ENETUNREACH, unreachable),
        "no-route-ipv6": (f"server=[2001:db8:1::1]:{port}", ENETUNREACH, unreachable),
    }
    # Without mem: each processor keeps a megabyte of its own, which the sum lacks.
    state = "grep -o 'TCP: inuse .* orphan [0-9]*\\| alloc [0-9]*' /proc/net/sockstat"
    before = guest.vm.run(state).output
    guest.vm.run("dmesg -C")
    # Without the writer's own look at the log and at what is left: they share both.
    script = f"""perl -MTime::HiRes=time -e '
        local $/; my $text = <STDIN>; my $began = time;
        open my $file, ">", "{ATTACH}"; my $n = syswrite $file, $text;
        printf "%d %.1f", $! + 0, time - $began'"""
    try:
        jobs = {name: guest.vm.spawn(f"{script}", f"{row[0]} index={number}".encode())
                for number, (name, row) in enumerate(rows.items())}
        got = {name: (job.wait(60), job.output)[1] for name, job in jobs.items()}
    finally:
        for server in scripted.values():
            server.close()
    log = guest.vm.run("dmesg -t | grep ballast").output.splitlines()
    print(*(f"{name}: {value}" for name, value in got.items()), *log, sep="\n")
    for number, (name, (_, errno, why)) in enumerate(rows.items()):
        result, took = got[name].split()
        lines = [line for line in log if f"ballast{number}:" in line]
        check(Result(int(result), float(took), lines, 0, None, None), errno, f": {why}")
        assert float(took) <= BOUND, name
    seen = []
    until(lambda: seen.append(guest.vm.run(state).output) or seen[-1] == before, 10,
          lambda: f"the sockets to go: {before!r}, then {seen[-1]!r}")
    guest.vm.run("! ls -d /sys/block/ballast* && ! pgrep '^ballast[0-9]'")
    guest.vm.run(f"echo '{guest.good}' > {ATTACH} && "
                 f"echo 1 > /sys/block/ballast{GOOD_INDEX}/ballast/detach")


def test_reads_of_the_attach_that_no_later_connection_answers(guest):
    """The first connection ends at the first read, and the next one is never negotiated."""
    def serve(connection):
        nbd.negotiate(connection, 1 << 20)
        nbd.take_request(connection)

    with servers.ScriptedServer(once(serve)) as server:
        result = guest.write(text(server))
        assert len(server.connections) > 1
    assert result.errno == ETIMEDOUT and result.took <= BOUND, result
    assert any("no answer to the reads of the attach in 10 s" in line for line in result.log)


# What ends a wait at once.

@pytest.fixture
def silent_port(request):
    """A silent server, or none at all, on the port that the writer looks for."""
    if request.param == "silent":
        with servers.ScriptedServer(silent, port=limits.DEFAULT_PORT):
            yield
        return
    net.up()
    table = BLACKHOLE.replace("dport 9", f"dport {limits.DEFAULT_PORT}")
    subprocess.run(["nft", table], check=True)
    yield
    subprocess.run(["nft", "delete table inet blackhole"], check=True)


@pytest.mark.parametrize("signal", ["INT", "KILL"])
@pytest.mark.parametrize("silent_port", ["silent", "drops"], indirect=True)
def test_a_signal_ends_the_wait(guest, silent_port, signal):
    result = guest.write(f"server={net.HOST4}:{limits.DEFAULT_PORT} export=good", signal=signal)
    assert result.errno == (EINTR if signal == "INT" else 128 + 9)
    assert result.ended < 2
    assert not result.log, "the user knows why"


def test_a_signal_ends_the_wait_for_an_address_that_nobody_has(guest):
    result = guest.write(f"server=192.0.2.250:{limits.DEFAULT_PORT} export=good", signal="INT")
    assert result.errno == EINTR and result.ended < 2
