# SPDX-License-Identifier: GPL-2.0
"""The filter of every physical interface, and the grades of the machine's one state.

eth0 carries the disk; eth1 carries none. What the filter of the disk's own interface
drops while memory is critical is in test_ingress.py.
"""

import re
import select
import socket
import struct
import threading
import time
from contextlib import contextmanager
from errno import EOPNOTSUPP, errorcode

import pytest

from rig import frames, module, net
from rig.disk import Disk
from rig.filter import counters, grown, until_closed
from rig.frames import TCP, UDP
from rig.wait import until
from test_ingress import critical, in_use, unanswered
from test_reserve import write

CARD = "/sys/class/net/{}/ballast"
SLOW = 0x8809  # LACP
LACP = "01:80:c2:00:00:02"
UDP_SEGMENT = 103   # of <linux/udp.h>


@pytest.fixture(scope="module")
def shared(module_vm):
    guest = module_vm(name="doors", nics=2)
    module.load(guest)
    guest.run("ip link set eth1 up")
    return guest


@pytest.fixture
def guest(shared):
    yield shared
    shared.run("for disk in /sys/block/ballast*; do "
               "[ ! -e $disk ] || echo force > $disk/ballast/detach; done; rm -f /mnt/fill; "
               "[ -d /sys/module/ballast ] || insmod /root/ballast.ko")


class SecondWire(frames.Wire):
    """The host end of the second NIC."""

    def __init__(self, guest):
        super().__init__(guest)
        self.mac = net.mac(guest.network.n, 1)
        self._socket.close()
        self._socket = frames.socket.socket(frames.socket.AF_PACKET, frames.socket.SOCK_RAW)
        self._socket.bind((guest.network.taps[1], 0))


def value(guest, name, card="eth1"):
    return guest.run(f"cat {CARD.format(card)}/{name}").output.strip()


def doors(guest, namespace=None):
    prefix = f"ip netns exec {namespace} " if namespace else ""
    said = guest.run(f"{prefix}sh -c 'ls -d /sys/class/net/*/ballast'", check=False).output
    return re.findall(r"^/sys/class/net/(\w+)/ballast$", said, re.M)


def read(guest, disk, count=20):
    guest.run(f"dd if={disk.path} of=/dev/null bs=64k count={count} iflag=direct status=none")


def test_card_without_a_disk(guest, server):
    assert doors(guest) == []
    with Disk(guest, server) as disk:
        assert doors(guest) == ["eth0", "eth1"]
        assert [value(guest, name) for name in ("size_pages", "available_pages", "lent_pages",
                                                "packet_limit", "grade", "activations")] == \
            ["0", "0", "0", "0", "calm", "0"]
        assert int(value(guest, "size_pages", "eth0")) > 0
        for name in ("size_pages", "packet_limit", "lend_below"):
            for text in ("auto", "100"):
                status, log = write(guest, f"{CARD.format('eth1')}/{name}", text)
                assert errorcode.get(status) == errorcode[EOPNOTSUPP], (name, log)
                assert (f"ballast: eth1: {name}={text}: no disk's packets come in on this "
                        "interface, so it has no reserve, only a filter") in log, log
        read(guest, disk)
    assert doors(guest) == []


def test_what_another_card_brings_in_is_dropped(guest, server):
    with SecondWire(guest) as wire, in_use(guest, server):
        before = {card: value(guest, "rx_dropped_protocol", card) for card in ("eth0", "eth1")}
        packet = frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000, 7))
        for _ in range(20):
            wire.send_ip(packet)
        until(lambda: int(value(guest, "rx_dropped_protocol")) ==
              int(before["eth1"]) + 20, 10, "all of them to be dropped")
        # One state; each card counts its own packets.
        assert value(guest, "grade") == value(guest, "grade", "eth0") == "critical"
        assert value(guest, "in_use") == "1"
        assert int(value(guest, "critical_ms")) <= int(value(guest, "in_use_ms"))
        assert value(guest, "activations") == value(guest, "activations", "eth0")
        assert value(guest, "rx_dropped_protocol", "eth0") == before["eth0"]


def test_card_renamed_moved_and_removed(guest, server):
    with Disk(guest, server) as disk:
        guest.run("ip link set eth1 down && ip link set eth1 name dmz && ip link set dmz up")
        assert doors(guest) == ["dmz", "eth0"]
        assert value(guest, "size_pages", "dmz") == "0"
        guest.run("ip link set dmz down && ip link set dmz name eth1 && ip link set eth1 up")
        guest.run("ip netns add away && ip link set eth1 netns away")
        assert doors(guest) == ["eth0"]
        assert doors(guest, "away") == ["eth1"]
        # A namespace that ends gives its cards back.
        guest.run("ip netns delete away")
        until(lambda: doors(guest) == ["eth0", "eth1"], 30, "the card to be back")
        read(guest, disk)
        guest.run("ip link set eth1 up; "
                  "echo 1 > $(readlink -f /sys/class/net/eth1/device)/../remove")
        assert doors(guest) == ["eth0"]
        read(guest, disk)
        guest.run("echo 1 > /sys/bus/pci/rescan")
        until(lambda: doors(guest) == ["eth0", "eth1"], 30, "the card to be back")
        guest.run("ip link set eth1 up")
        assert value(guest, "size_pages") == "0"
    assert doors(guest) == []


def test_card_in_a_namespace_at_attach(guest, server):
    guest.run("ip netns add away && ip link set eth1 netns away")
    try:
        with Disk(guest, server):
            assert doors(guest) == ["eth0"] and doors(guest, "away") == ["eth1"]
        assert doors(guest, "away") == []
    finally:
        guest.run("ip netns exec away ip link set eth1 netns 1; ip netns delete away; "
                  "ip link set eth1 up")


def test_disk_moves_to_the_other_card(guest, server):
    """The first keeps its filter, and loses its blocks."""
    with Disk(guest, server) as disk:
        guest.run(f"ip address delete {guest.address4}/24 dev eth0; "
                  f"ip address add {guest.address4}/24 dev eth1")
        try:
            until(lambda: guest.run(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct "
                                    "status=none; cat /sys/class/net/eth1/ballast/size_pages")
                  .output.strip() != "0", 60, "a reserve on the other card")
            until(lambda: value(guest, "size_pages", "eth0") == "0", 20, "the first to end")
            assert value(guest, "packet_limit", "eth0") == "0"
            assert int(value(guest, "packet_limit")) > 0
            assert write(guest, f"{CARD.format('eth0')}/size_pages", "10")[0] == EOPNOTSUPP
            read(guest, disk)
        finally:
            guest.run(f"ip address delete {guest.address4}/24 dev eth1; "
                      f"ip address add {guest.address4}/24 dev eth0")
        read(guest, disk)


def test_without_softirq_reserves(guest, server):
    parameter = "/sys/module/ballast/parameters/softirq_reserves"
    assert guest.run(f"cat {parameter}").output == "Y\n"
    guest.run("rmmod ballast && insmod /root/ballast.ko softirq_reserves=N")
    try:
        assert guest.run(f"cat {parameter}").output == "N\n"
        with in_use(guest, server):
            assert value(guest, "grade") == "critical"
    finally:
        guest.run("rmmod ballast && insmod /root/ballast.ko")


@contextmanager
def stream(send_one, burst, rate):
    """send_one() for each of burst, over and over, so many a second."""
    ended = threading.Event()

    def send():
        begun, sent = time.monotonic(), 0
        while not ended.wait(0.02):
            due = int((time.monotonic() - begun) * rate)
            while sent < due:
                try:
                    send_one(burst[sent % len(burst)])
                except OSError:  # the tap's queue is full, or a socket told of an error
                    pass
                sent += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def traffic(guest):
    """Pings without a pause from the guest, and 500 a second to it."""
    echo = struct.pack("!BBHHH", 8, 0, 0xf7fd, 1, 1)
    with frames.Wire(guest) as wire:
        request = frames.ether(wire.mac, frames.IPV4,
                               frames.ip(net.HOST4, guest.address4, frames.ICMP, echo))
        ours = guest.spawn(f"exec ping -f -q {net.HOST4}")
        try:
            with stream(wire.send, [request], 500):
                assert wire.receive(lambda frame: frame[23:24] == b"\1" and frame[34:35] == b"\0")
                yield
            assert ours.running
        finally:
            ours.kill()


def test_unloaded_under_traffic(vm, server):
    guest = vm(name="unload", nics=2)
    module.load(guest)
    # Code that the traffic runs is patched each time.
    with traffic(guest):
        for _ in range(6):
            # The debug kernel is slow, and the traffic takes all of it.
            with Disk(guest, server, connect_timeout=60) as disk:
                read(guest, disk, 5)
            assert doors(guest) == []
            guest.run("rmmod ballast && insmod /root/ballast.ko")


def test_processor_goes_and_comes_under_traffic(guest, server):
    with Disk(guest, server) as disk, traffic(guest):
        load = guest.spawn(f"while dd if={disk.path} of=/dev/null bs=64k count=100 iflag=direct "
                           "status=none; do :; done; echo failed")
        for _ in range(6):
            for online in (0, 1):
                guest.run(f"echo {online} > /sys/devices/system/cpu/cpu1/online")
                read(guest, disk)
        assert load.running
        load.kill()
        assert value(guest, "grade", "eth0") == "calm"


def arp(wire, sender, target, destination, operation=1):
    frame = bytearray(frames.ether(destination, frames.ARP, frames.arp_request(sender, target)))
    frame[21] = operation
    return bytes(frame)


def listen(guest, kind):
    """Print a line for each frame of an EtherType that has passed the filter."""
    job = guest.spawn(f"""exec perl -e '$| = 1; socket S, 17, 3, unpack("S", pack("n", {kind}))
        or die; print "ready\\n"; while (recv S, $x, 2000, 0) {{ print "came\\n" }}'""")
    job.wait_output("ready")
    return job


def test_neighbors_and_link_control_beside_a_storm_of_arp(guest, server):
    """640 broadcasts a second for the guest, as many for others, and unicast answers."""
    with frames.Wire(guest) as wire, in_use(guest, server):
        every = "ff:ff:ff:ff:ff:ff"
        burst = [frame for n in range(64) for frame in (
            arp(wire, f"192.0.2.{100 + n}", guest.address4, every),
            arp(wire, f"192.0.2.{100 + n}", "192.0.2.99", every),
            arp(wire, f"192.0.2.{100 + n}", guest.address4, wire.mac, 2))]
        guest.run(f"ip maddress add {LACP} dev eth0")
        lacp = listen(guest, SLOW)
        before = counters(guest)
        with stream(wire.send, burst, 3 * 640):
            grown(guest, before, "rx_dropped_budget", 100, timeout=30)
            grown(guest, before, "rx_dropped_protocol", 100, timeout=30)
            for _ in range(3):
                guest.run(f"ip neigh flush dev eth0; ping -c1 -W1 -q {net.HOST4} >/dev/null; "
                          f"for i in $(seq 50); do ip neigh show {net.HOST4} | "
                          "grep -q lladdr && exit; sleep 0.1; done; exit 1")
            for n in range(10):
                wire.send(frames.ether(LACP, SLOW, bytes([1, 1])))
                until(lambda: lacp.output.count("came") > n, 10, "a frame of LACP")
        lacp.kill()
        guest.run(f"ip maddress delete {LACP} dev eth0")


def test_next_hop_that_changes(guest, server):
    """Without a change of the interface; ARP from there has no budget either."""
    gateway = "192.0.2.100"
    with Disk(guest, server, host=server.address) as disk:
        guest.run(f"ip neighbor replace {gateway} lladdr {net.host_mac()} dev eth0 nud permanent "
                  f"&& ip route add {server.address} via {gateway}")
        try:
            read(guest, disk)
            with critical(guest, server, disk), frames.Wire(guest) as wire:
                before = counters(guest)
                wire.send(*[arp(wire, gateway, guest.address4, wire.mac, 2)] * 200)
                assert grown(guest, before, "rx_kept", 200)["rx_dropped_budget"] == 0
        finally:
            guest.run(f"ip route delete {server.address}; ip neighbor delete {gateway} dev eth0")


def headroom(guest):
    return int(re.search(r"headroom now (-?\d+)", value(guest, "estimate", "eth0"))[1])


@contextmanager
def tight(guest, server, left):
    """About so many pages of headroom, the machine tight; yields them."""
    with Disk(guest, server, reserve=50) as disk:
        guest.run("mountpoint -q /mnt || mount -t tmpfs -o size=100% tmpfs /mnt")
        guest.run("echo 3 > /proc/sys/vm/drop_caches")
        while (more := headroom(guest) - left) > 100:
            guest.run(f"head -c {more * 4096} /dev/zero >> /mnt/fill")
        now = headroom(guest)
        guest.run(f"echo {now} > {CARD.format('eth0')}/lend_below")
        with unanswered(guest, server, disk):
            until(lambda: value(guest, "grade", "eth0") == "tight", 20, "memory to be tight")
            yield now


def test_a_few_packets_of_each_flow_pass_while_memory_is_tight(guest, server):
    with frames.Wire(guest) as wire, tight(guest, server, 8000):
        burst = [frames.ether(wire.mac, frames.IPV4,
                              frames.ip(net.HOST4, guest.address4, protocol, data))
                 for n in range(8)
                 for protocol, data in ((UDP, frames.udp(1000 + n, 7)),
                                        (TCP, frames.tcp(2000 + n, 22)))]
        before = {name: int(value(guest, name, "eth0")) for name in ("rx_unrelated", "rx_dropped")}
        with stream(wire.send, burst, 10 * len(burst)):
            until(lambda: int(value(guest, "rx_unrelated", "eth0")) >=
                  before["rx_unrelated"] + 400, 30, "packets to pass")
            assert value(guest, "grade", "eth0") == "tight"
        assert int(value(guest, "rx_dropped", "eth0")) == before["rx_dropped"]
    assert value_or_none(guest, "rx_unrelated") is None


def test_tight_ends_soon_after_its_reason(guest, server):
    """Requests are in flight all the time, and memory becomes ample."""
    with tight(guest, server, 8000):
        began, ended = map(float, guest.run(f"""
            uptime() {{ read now rest < /proc/uptime; echo $now; }}
            uptime; rm /mnt/fill
            until read grade < {CARD.format('eth0')}/grade && [ $grade = calm ]; do :; done; uptime
            """).output.split())
        print(f"{ended - began:.2f} s")
        assert ended - began < 0.8


def test_few_pass_while_memory_is_critical_for_a_moment(guest, server):
    """A ping survives the moment in which a machine begins to swap; a flood does not pass."""
    with frames.Wire(guest) as wire:
        burst = [frames.ether(wire.mac, frames.IPV4,
                              frames.ip(net.HOST4, guest.address4, UDP, frames.udp(1000 + n, 7)))
                 for n in range(200)]

        def nothing_passes():
            passed, before = int(value(guest, "rx_unrelated", "eth0")), counters(guest)
            grown(guest, before, "rx_dropped_protocol", 1000)
            return int(value(guest, "rx_unrelated", "eth0")) == passed

        with stream(wire.send, burst, 1000), in_use(guest, server, closed=False):
            until_closed(guest)
            passed, dropped = (int(value(guest, name, "eth0"))
                               for name in ("rx_unrelated", "rx_dropped"))
            print(f"{passed} passed, {dropped} dropped")
            assert 0 < passed < dropped // 2
            # On a busy host no request is in flight for a moment, and memory only tight.
            until(nothing_passes, 60, "the flood to be dropped, all of it")


def value_or_none(guest, name):
    said = guest.run(f"cat {CARD.format('eth0')}/{name}", check=False)
    return None if said.status else said.output.strip()


UNREAD = r"""exec perl -e '$| = 1;
    for my $port (5000..5023) {
        socket my $s, 2, 2, 17 or die; setsockopt $s, 1, 33, pack("i", 8 << 20) or die;
        bind $s, pack("S n N x8", 2, $port, 0) or die "bind $!"; push @s, $s;
    }
    print "ready\n"; sleep 1000'"""


def udp_pages(guest):
    return int(guest.run("awk '/^UDP:/ {print $5}' /proc/net/sockstat").output)


@contextmanager
def large_packets(guest, rate):
    """Sends 40 packets at a time, so many a second, to one port after the other.

    They come as one if the guest's kernel can take that: 6.2 or later.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1400)
        with stream(lambda port: sender.sendto(bytes(40 * 1400), (guest.address4, port)),
                    range(5000, 5024), rate / 40):
            yield


@contextmanager
def unread(guest):
    """Sockets on the ports 5000 to 5023 whose buffers take all that comes."""
    udp_mem = guest.run("cat /proc/sys/net/ipv4/udp_mem").output.strip()
    guest.run("echo 60000 60000 60000 > /proc/sys/net/ipv4/udp_mem")
    sockets = guest.spawn(UNREAD)
    sockets.wait_output("ready")
    try:
        yield
    finally:
        sockets.kill()
        guest.run(f"echo {udp_mem} > /proc/sys/net/ipv4/udp_mem")


def to_ports(guest, wire, ports, size):
    """A packet to each port."""
    return [frames.ether(wire.mac, frames.IPV4, frames.ip(
        net.HOST4, guest.address4, UDP, frames.udp(1000, port, bytes(size)))) for port in ports]


@pytest.mark.parametrize("large", [False, True])
def test_what_stays_unread_is_limited_while_memory_is_tight(guest, server, large):
    with unread(guest), frames.Wire(guest) as wire, tight(guest, server, 8000) as pages:
        burst = to_ports(guest, wire, range(5000, 5024), 1400)
        before = counters(guest)
        held = udp_pages(guest)
        with large_packets(guest, 6000) if large else stream(wire.send, burst, 6000):
            time.sleep(8)
            growth = udp_pages(guest) - held
            dropped = counters(guest)["rx_dropped"] - before["rx_dropped"]
            print(f"{growth} pages unread of {pages}, {dropped} packets dropped")
        assert dropped > (100 if large else 1000)
        assert 0 < growth < pages * (2 if large else 3) // 4


# Counts the packets of each port: of the most and of the least.
LISTENERS = r"""exec perl -e '$| = 1; my $set = "";
    for my $port (6000..6199) {
        socket my $s, 2, 2, 17 or die; bind $s, pack("S n N x8", 2, $port, 0) or die "bind $!";
        push @s, $s; vec($set, fileno $s, 1) = 1;
    }
    print "ready\n";
    while (select my $in = $set, undef, undef, undef) {
        for (grep { vec $in, fileno $s[$_], 1 } 0..199) {
            recv $s[$_], my $some, 2000, 0; $n[$_]++; $most = $n[$_] if $n[$_] > $most;
        }
        my ($least) = sort { $a <=> $b } map { $_ // 0 } @n[0..199];
        print "$most $least\n";
    }'"""


def test_each_flow_passes_beside_a_flood(guest, server):
    """None shares its allowance with a flow of the flood for longer than a moment.

    With 200 flows, about six would share that of one of the flood's eight.
    """
    few = guest.spawn(LISTENERS)
    few.wait_output("ready")

    with unread(guest), frames.Wire(guest) as wire, tight(guest, server, 8000):
        # Small and few, so that what passes of them does not make memory critical.
        flood = to_ports(guest, wire, range(5000, 5008), 10)
        before = counters(guest)
        with stream(wire.send, flood, 4000):
            grown(guest, before, "rx_dropped", 2000)
            with stream(wire.send, to_ports(guest, wire, range(6000, 6200), 10), 100):
                until(lambda: few.output.split("\n")[-2].startswith("16 "), 60,
                      lambda: f"16 packets of a flow: {few.output[-20:]!r}")
            assert value(guest, "grade", "eth0") == "tight"
        least = int(few.output.split()[-1])
        print(f"each of 16 packets or more; of one flow {least} passed")
        assert least >= 8
    few.kill()


# Takes bursts of so many bytes, each at once when all of it is there, and then answers.
READER = r"""exec perl -e '$| = 1; my ($size, $some) = (shift, "");
    socket my $l, 2, 1, 6 or die; setsockopt $l, 1, 33, pack("i", 8 << 20) or die;
    bind $l, pack("S n N x8", 2, 5100, 0) or die "bind $!"; listen $l, 1;
    print "ready\n"; accept my $s, $l;
    while (1) {
        do { select undef, undef, undef, 0.002; ioctl $s, 0x541b, $some = pack "i", 0; }
            while unpack("i", $some) < $size;
        for (my $left = $size; $left; $left -= sysread $s, $some, $left) {}
        syswrite $s, "x";
    }' """
BURST = 1_500_000


def bursts_in_whole(guest, connection, most):
    """How many came in within 5 s and without a dropped packet, before the first that did not."""
    for whole in range(most):
        time.sleep(0.2)  # or two bursts fall into one window
        before = counters(guest)["rx_dropped"]
        connection.sendall(bytes(BURST))
        if not select.select([connection], [], [], 5)[0] or \
                counters(guest)["rx_dropped"] > before:
            return whole
        assert connection.recv(1) == b"x"
    return most


def test_what_is_read_soon_is_no_growth(guest, server):
    """Bursts of a stream, each of more than a quarter of the headroom and less than half.

    On a busy host one takes longer than a window now and then, and counts.
    """
    reader = guest.spawn(READER + str(BURST))
    reader.wait_output("ready")
    try:
        with socket.create_connection((guest.address4, 5100), 60) as connection:
            for _ in range(50):  # the window grows for a while
                connection.sendall(bytes(BURST))
                assert connection.recv(1) == b"x"
            for _ in range(3):
                with tight(guest, server, 1550) as pages:
                    whole = bursts_in_whole(guest, connection, 8)
                print(f"headroom {pages}: {whole} bursts of {BURST >> 12} pages came in whole")
                if whole >= 4:
                    return
                assert connection.recv(1) == b"x"  # once memory is ample
        pytest.fail("no four bursts in a row came in whole")
    finally:
        reader.kill()
