# SPDX-License-Identifier: GPL-2.0
"""What passes the filter while the reserve is in use, and what is dropped, by reason.

Memory is critical as long as a test wants: lend_below is the guest's memory, of which a
file takes more than half, and a server that is stopped keeps a request in flight.
"""

import os
import signal
import socket
import struct
import subprocess
from contextlib import contextmanager

import pytest

from rig import frames, module, net, servers
from rig.disk import Disk
from rig.filter import ALWAYS, COUNTERS, RESERVE, attached, counters, grown, until_closed
from rig.frames import ICMP, ICMP6, TCP, UDP
from rig.wait import until

HOST = {4: net.HOST4, 6: net.HOST6}


@pytest.fixture(scope="module")
def server6():
    with servers.Nbdkit("memory", "64M", address=net.HOST6) as server:
        yield server


@pytest.fixture(params=[4, 6])
def by_family(request, server, server6):
    """(4 or 6, a server that is reached by it)"""
    return request.param, {4: server, 6: server6}[request.param]


@pytest.fixture
def guest(shared_vm):
    yield shared_vm
    shared_vm.run("for disk in /sys/block/ballast*; do "
                  "[ ! -e $disk ] || echo force > $disk/ballast/detach; done")


@pytest.fixture
def wire(shared_vm):
    with frames.Wire(shared_vm) as wire:
        yield wire


@contextmanager
def unanswered(guest, server, disk):
    """A request of the disk in flight; what fills memory is gone at the end."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct "
                             "skip=99 2>&1")
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        guest.run("rm -f /mnt/fill")
    assert reader.wait(20) == 0, reader.output


@contextmanager
def critical(guest, server, disk, closed=True):
    """A request of the disk in flight, memory critical; closed: as for in_use()."""
    guest.run(ALWAYS)
    with unanswered(guest, server, disk):
        until(lambda: guest.run(f"cat {RESERVE}/grade {disk.sys}/ballast/inflight")
              .output.split() == ["critical", "1"], 20, "memory to be critical")
        if closed:
            until_closed(guest)
        yield


@contextmanager
def in_use(guest, server, closed=True, **options):
    """A disk with a request in flight, its reserve in use.

    closed: for so long that no unrelated packet passes.
    """
    with Disk(guest, server, host=server.address, **options) as disk, \
            critical(guest, server, disk, closed):
        yield disk


def own_port(server, guest, family=4):
    """The disk's port, as the server's end of its connection says."""
    peer = guest.address4 if family == 4 else guest.address6
    rows = subprocess.run(["ss", "-Htn", "state", "established", f"sport = :{server.port}"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return next(int(row.split()[-1].rpartition(":")[2]) for row in rows if peer in row)


def test_nothing_is_dropped_while_not_in_use(guest, server, wire):
    with Disk(guest, server) as disk:
        guest.run(f"dd if={disk.path} of=/dev/null bs=64k count=200 iflag=direct status=none")
        for _ in range(100):
            wire.send_ip(frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 7)))
        guest.run(f"ping -c 3 -i 0.2 -q {net.HOST4}")
        assert counters(guest)["rx_dropped"] == 0
        assert disk.vm.run(f"cat {RESERVE}/activations").output.strip() == "0"


def packets(guest, family):
    """Row by row: a packet that is not for the disk, and the counter that must say so."""
    host, us = HOST[family], guest.address4 if family == 4 else guest.address6
    icmp = ICMP if family == 4 else ICMP6
    # Destination unreachable, about a connection that does not exist.
    about = frames.ip(us, host, TCP, frames.tcp(4321, 1234))
    error = struct.pack("!BBHI", 3 if family == 4 else 1, 1, 0, 0) + about
    rows = {
        "UDP": (frames.ip(host, us, UDP, frames.udp(1000, 7)), "protocol"),
        "echo request": (frames.ip(host, us, icmp, struct.pack(
            "!BBHHH", 8 if family == 4 else 128, 0, 0, 1, 1)), "protocol"),
        "error about another": (frames.ip(host, us, icmp, error), "protocol"),
        "another protocol": (frames.ip(host, us, 132, bytes(20)), "protocol"),
        "SYN": (frames.ip(host, us, TCP, frames.tcp(1000, 22, 2)), "other_socket"),
        "segment of no connection": (frames.ip(host, us, TCP, frames.tcp(1000, 9)),
                                     "other_socket"),
        "fragment": (frames.ip(host, us, UDP, frames.udp(1000, 7), fragment=(
            0x2000 if family == 4 else 1)), "fragment"),
        "later fragment": (frames.ip(host, us, TCP, bytes(40), fragment=(
            100 if family == 4 else 100 << 3)), "fragment"),
        "TCP without ports": (frames.ip(host, us, TCP, b""), "malformed"),
    }
    if family == 4:
        rows["short header"] = (frames.ip(host, us, UDP, frames.udp(1, 7), ihl=4), "malformed")
    else:
        for name, extension in (("hop by hop", 0), ("destination options", 60)):
            rows[name] = (frames.ip(host, us, UDP, frames.udp(1, 7), extension=extension),
                          "protocol")
        rows["endless headers"] = (frames.ip(host, us, 0, b"", extension=0), "malformed")
    return rows


def test_drops_by_reason(guest, by_family, wire):
    family, server = by_family
    with in_use(guest, server):
        for name, (packet, why) in packets(guest, family).items():
            before = counters(guest)
            # What is too short for its headers comes without Ethernet's padding.
            wire.send(frames.ether(wire.mac, frames.IPV4 if family == 4 else frames.IPV6,
                                   packet)[:max(14 + len(packet), 15)])
            growth = grown(guest, before, f"rx_dropped_{why}")
            assert growth["rx_dropped"] >= 1 and growth["rx_dropped_bytes"] >= len(packet), name
            for other in COUNTERS[4:]:
                assert growth[other] == (other == f"rx_dropped_{why}"), (name, growth)


def test_what_the_disk_needs_passes(guest, by_family, wire):
    family, server = by_family
    host, us = HOST[family], guest.address4 if family == 4 else guest.address6
    with in_use(guest, server) as disk:
        port = own_port(server, guest, family)
        ours = frames.tcp(server.port, port, sequence=12345)
        about = frames.ip(us, host, TCP, frames.tcp(port, server.port, sequence=54321))
        icmp = ICMP if family == 4 else ICMP6
        # Host unreachable: TCP only takes note of it.
        error = struct.pack("!BBHI", 3 if family == 4 else 1, 1, 0, 0) + about
        passing = {"its segment": frames.ip(host, us, TCP, ours),
                   "an error about it": frames.ip(host, us, icmp, error)}
        if family == 6:
            passing["its segment behind an extension header"] = \
                frames.ip(host, us, TCP, ours, extension=60)
        for name, packet in passing.items():
            before = counters(guest)
            wire.send_ip(packet)
            growth = grown(guest, before, "rx_kept")
            assert growth["rx_dropped"] == 0, (name, growth)
        # And the answers of its server, still in use.
        before = counters(guest)
        os.kill(server.process.pid, signal.SIGCONT)
        guest.run(f"dd if={disk.path} of=/dev/null bs=64k count=50 iflag=direct status=none")
        assert grown(guest, before, "rx_kept")["rx_dropped"] == 0


def test_neighbours_are_found(guest, server, server6, wire):
    with in_use(guest, server):
        before = counters(guest)
        wire.send(frames.ether("ff:ff:ff:ff:ff:ff", frames.ARP,
                               frames.arp_request(net.HOST4, guest.address4)))
        assert wire.receive(lambda frame: frame[12:14] == b"\x08\x06" and frame[21] == 2), \
            "no answer to an ARP request"
        growth = grown(guest, before, "rx_allowed")
        assert growth["rx_dropped"] == 0
    with in_use(guest, server6):
        # The host asks as it would before any packet of its own.
        net.ip("-6", "neighbor", "flush", "dev", net.BRIDGE)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", (guest.address6, 7))
        until(lambda: "lladdr" in net.ip("-6", "neighbor", "show", guest.address6).stdout, 10,
              "an answer to a neighbor solicitation")


def test_allow_passes_within_its_budget(guest, server, wire):
    with in_use(guest, server, allow="tcp:22,udp:123"):
        before = counters(guest)
        wire.send_ip(frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 123)))
        assert grown(guest, before, "rx_allowed")["rx_dropped"] == 0
        # Nothing listens there: the answer is a reset.
        wire.send_ip(frames.ip(net.HOST4, guest.address4, TCP, frames.tcp(1000, 22, 2)))
        before = counters(guest)
        wire.send_ip(frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 124)))
        grown(guest, before, "rx_dropped_protocol")
        before = counters(guest)
        packet = frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 123))
        # The budget is 64 packets in 0.1 s. Each frame is complete before the first is sent:
        # ether() runs ip(8) for the host's address, which limits send_ip() to 690 packets/s on an
        # idle machine and to 145 on one that runs two other processes. 200 fit the guest's ring
        # of 256 and are more than the budgets of three windows.
        burst = [frames.ether(wire.mac, frames.IPV4, packet)] * 200

        def budget_exceeded():
            wire.send(*burst)
            return counters(guest)["rx_dropped_budget"] > before["rx_dropped_budget"]

        until(budget_exceeded, 60, "more packets than the budget has")
        assert counters(guest)["rx_allowed"] > before["rx_allowed"]


def test_large_packets_count_as_those_they_hold(guest, server, wire):
    """As GRO, or a sender in another guest, makes them: 5 of 40 are more than the budget of 64."""
    burst = [frames.large_tcp(wire.mac, net.HOST4, guest.address4, 1000, 22, 1400, 40)] * 5
    with in_use(guest, server, allow="tcp:22"):
        before = counters(guest)

        def budget_exceeded():
            wire.send_large(*burst)
            return counters(guest)["rx_dropped_budget"] > before["rx_dropped_budget"]

        until(budget_exceeded, 20, "more packets than the budget has")
        growth = {name: count - before[name] for name, count in counters(guest).items()}
        print(growth)
        assert growth["rx_allowed"] > 0
        # They came as they were sent, not in pieces.
        assert growth["rx_allowed"] + growth["rx_dropped_budget"] < 1000


@pytest.mark.parametrize("family", [4, 6])
def test_an_address_that_is_allowed_has_enough_for_a_disk(guest, server, wire, family):
    """More packets pass than in the budget of a port, and only from that address."""
    host, us = HOST[family], guest.address4 if family == 4 else guest.address6
    other = "192.0.2.250" if family == 4 else "2001:db8::fa"
    allowed = f"udp:2049@[{host}]" if family == 6 else f"udp:2049@{host}"
    with in_use(guest, server, allow=f"tcp:22,{allowed}") as disk:
        assert disk.file("ballast/allow") == f"tcp:22\n{allowed}"
        kind = frames.IPV4 if family == 4 else frames.IPV6
        packet = frames.ether(wire.mac, kind, frames.ip(host, us, UDP, frames.udp(2049, 7)))
        before = counters(guest)
        for _ in range(5):
            wire.send(*[packet] * 100)
            grown(guest, before, "rx_allowed", 1)
        growth = grown(guest, before, "rx_allowed", 300)
        assert growth["rx_dropped"] == growth["rx_dropped_budget"] == 0
        before = counters(guest)
        wire.send_ip(frames.ip(other, us, UDP, frames.udp(2049, 7)))
        wire.send_ip(frames.ip(host, us, UDP, frames.udp(2050, 7)))
        grown(guest, before, "rx_dropped_protocol", 2)


def test_filter_off_drops_nothing(guest, server, wire):
    with in_use(guest, server, filter="off"):
        for _ in range(50):
            wire.send_ip(frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 7)))
        guest.run(f"ping -c 2 -i 0.2 -q {net.HOST4}")
        assert counters(guest)["rx_dropped"] == 0


# How an interface named top comes over eth0.
OVER = {
    "vlan": "ip link add link eth0 name top type vlan id 5",
    "bridge": "ip link add top type bridge && ip link set eth0 master top",
    "bond": "ip link set eth0 down && { modprobe bonding max_bonds=0; "
            "ip link add top type bond mode active-backup miimon 100; } && "
            "ip link set eth0 master top",
}
FAR, NEAR = "198.51.100.1", "198.51.100.2"


@contextmanager
def far_server(vm, kind):
    """A server that listens on FAR, on what the guest's top leads to; its port."""
    if kind == "vlan":
        # The host may know nothing of VLANs: another guest does.
        other = vm(name="other")
        other.run(f"{OVER['vlan']} && ip link set top up && ip address add {FAR}/24 dev top")
        with servers.relayed(other) as port:
            yield port
        return
    net.ip("address", "add", f"{FAR}/24", "dev", net.BRIDGE)
    try:
        with servers.Nbdkit("memory", "64M", address=FAR) as server:
            yield server.port
    finally:
        net.ip("address", "delete", f"{FAR}/24", "dev", net.BRIDGE)


@pytest.mark.parametrize("kind", OVER)
def test_the_reserve_is_under_the_interface(vm, kind):
    guest = vm(name="guest")
    module.load(guest)
    with far_server(vm, kind) as port, frames.Wire(guest) as wire:
        guest.run(f"{OVER[kind]} && ip link set eth0 up && ip link set top up && "
                  f"ip address add {NEAR}/24 dev top && "
                  f"until ping -c1 -W1 -q {FAR}; do :; done")
        with attached(guest, FAR, port):
            assert guest.run("cat /sys/block/ballast0/ballast/interface").output.strip() == "top"
            assert guest.run("ls -d /sys/class/net/*/ballast").output.split() == [RESERVE]
            before = counters(guest)
            for _ in range(20):
                wire.send_ip(frames.ip(FAR, NEAR, UDP, frames.udp(1, 7)),
                             5 if kind == "vlan" else None)
            growth = grown(guest, before, "rx_dropped_protocol", 20)
            grown(guest, before, "rx_kept", growth["rx_kept"] + 100)
