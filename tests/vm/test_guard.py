# SPDX-License-Identifier: GPL-2.0
"""A guarded interface: when requests of another driver's disk count as in flight, its
server after a restart, and its socket in a memory cgroup.

That a guard makes and ends a reserve is in test_reserve.py.
"""

import os
import re
import signal
from contextlib import contextmanager

import pytest

from rig import frames, module, net, servers
from rig.filter import counters, grown
from rig.wait import until
from test_doors import arp, stream
from test_flood import check_flood
from test_ingress import ALWAYS, in_use

GUARD = "/sys/class/ballast/guard"
RESERVE = "/sys/class/net/eth0/ballast"
MIB = 1 << 20


@pytest.fixture(scope="module")
def shared(module_vm, tmp_path_factory):
    local = tmp_path_factory.mktemp("disk") / "local"
    with open(local, "wb") as file:
        file.truncate(256 * MIB)
    # Slower than the guest, so that pages are under writeback all the time.
    guest = module_vm(name="guard", qemu=(
        "-drive", f"file={local},format=raw,if=virtio,throttling.bps-write={4 * MIB}"))
    module.load(guest)
    guest.run("modprobe nbd")
    return guest


@pytest.fixture
def guest(shared):
    shared.run(f"echo eth0 > {GUARD}")
    yield shared
    shared.run(f"nbd-client -d /dev/nbd0; echo -eth0 > {GUARD}; rm -f /mnt/fill; sync; "
               "echo 3 > /proc/sys/vm/drop_caches", check=False, timeout=120)


@pytest.fixture(scope="module")
def server():
    with servers.NbdServer({"swap": 256 * MIB}) as server:
        yield server


def value(guest, name):
    return guest.run(f"cat {RESERVE}/{name}").output.strip()


def vmstat(guest, name):
    return int(guest.run(f"awk '/^{name} /{{print $2}}' /proc/vmstat").output)


def connect(guest, server, options=""):
    guest.run(f"nbd-client {server.address} {server.port} /dev/nbd0 -N swap {options}")


def local_writes(guest):
    """A writer of the local disk, more than it takes."""
    job = guest.spawn("while dd if=/dev/zero of=/dev/vdb bs=64k count=320 conv=notrunc "
                      "status=none; do :; done")
    until(lambda: vmstat(guest, "nr_writeback") > 50, 60, "pages under writeback")
    return job


@contextmanager
def packets(guest):
    """Now and then one that the guard may look at."""
    with frames.Wire(guest) as wire:
        packet = frames.ether(wire.mac, frames.IPV4, frames.ip(
            net.HOST4, guest.address4, frames.UDP, frames.udp(1000, 7)))
        with stream(wire.send, [packet], 200):
            yield


def test_writeback_to_a_local_disk_is_no_alarm(guest):
    guest.run(ALWAYS)
    writer = local_writes(guest)
    with packets(guest):
        seen = [vmstat(guest, "nr_writeback") for _ in range(30)]
        assert (value(guest, "grade"), value(guest, "activations")) == ("calm", "0"), seen
        assert sum(pages > 0 for pages in seen) > 20, seen
    writer.kill()


def test_local_writeback_beside_an_idle_disk(guest, server):
    """After the last packet, as many pages as were under writeback then are waited for."""
    guest.run(ALWAYS)
    connect(guest, server)
    with packets(guest):
        guest.run("dd if=/dev/nbd0 of=/dev/null bs=64k count=100 iflag=direct status=none")
        until(lambda: int(value(guest, "activations")) > 0, 10, "the disk to be noticed")
        writer = local_writes(guest)
        until(lambda: value(guest, "grade") == "calm", 30, "the machine to be calm")
        before = value(guest, "activations")
        for _ in range(20):
            assert value(guest, "grade") == "calm"
        assert value(guest, "activations") == before and vmstat(guest, "nr_writeback") > 0
        writer.kill()


def test_stalled_server(guest, server):
    """It sends nothing, and requests wait: for as long as that lasts."""
    pid = server.process.pid
    connect(guest, server)
    guest.run(ALWAYS)
    with packets(guest):
        writer = guest.spawn("while dd if=/dev/zero of=/dev/nbd0 bs=64k count=400 conv=fsync "
                             "status=none; do [ ! -e /tmp/end ] || exit 0; done")
        until(lambda: vmstat(guest, "nr_writeback") > 0, 30, "pages under writeback")
        children = descendants(pid)
        for each in children:
            os.kill(each, signal.SIGSTOP)
        try:
            until(lambda: value(guest, "grade") == "critical", 30, "memory to be critical")
            assert vmstat(guest, "nr_writeback") > 0
            before = vmstat(guest, "nr_written")
            begun = int(value(guest, "critical_ms"))
            until(lambda: int(value(guest, "critical_ms")) > begun + 12000, 60, "12 s of it")
            assert value(guest, "grade") == "critical"
            print(vmstat(guest, "nr_writeback"), vmstat(guest, "nr_written") - before)
            check_next_hop(guest)
        finally:
            for each in children:
                os.kill(each, signal.SIGCONT)
        guest.run("touch /tmp/end")
        assert writer.wait(120) == 0, writer.output
        until(lambda: value(guest, "grade") == "calm", 30, "the machine to be calm")


def test_a_flood_while_memory_is_ample(guest, server):
    connect(guest, server)
    reader = guest.spawn("while dd if=/dev/nbd0 of=/dev/null bs=4k count=1 iflag=direct "
                         "status=none; do sleep 0.1; done")
    check_flood(guest)
    reader.kill()


def check_next_hop(guest):
    """ARP from the server's next hop, here itself, has no budget; that of a neighbor has."""
    with frames.Wire(guest) as wire:
        for sender, counter, count in ((net.HOST4, "rx_kept", 200),
                                       ("192.0.2.100", "rx_dropped_budget", 50)):
            before = counters(guest)
            wire.send(*[arp(wire, sender, guest.address4, wire.mac, 2)] * 200)
            growth = grown(guest, before, counter, count)
            assert sender != net.HOST4 or growth["rx_dropped_budget"] == 0, growth


def descendants(pid):
    """Processes that a server has started; it is in a process namespace of its own."""
    found, more = [], [pid]
    while more:
        listed = os.popen(f"pgrep -P {more.pop()}").read().split()
        found += map(int, listed)
        more += map(int, listed)
    return found


def test_server_restarted_while_memory_is_critical(guest, server):
    """The new connection's socket is a disk's only after the negotiation in user space."""
    with servers.Nbdkit("memory", "64M") as other, servers.NbdServer({"swap": MIB}) as unknown:
        client = guest.spawn(f"while :; do nbd-client {server.address} {server.port} /dev/nbd0 "
                             "-N swap -swap -nonetlink -nofork; sleep 0.2; done")
        # Without a connection its size may be 0, and then a read succeeds.
        read = ("[ $(timeout 5 dd if=/dev/nbd0 bs=64k count=20 iflag=direct status=none | wc -c) "
                "= 1310720 ]")
        until(lambda: guest.run(read, check=False).status == 0, 20, "the disk")
        with in_use(guest, other):
            guest.run(read)
            server.stop()
            until(lambda: guest.run(read, check=False).status, 30, "the connection to be lost")
            server.start()
            # A server that was never seen is not reached.
            assert guest.run(f"timeout 5 nbd-client {unknown.address} {unknown.port} /dev/nbd1 "
                             "-N swap", check=False).status == 124
            until(lambda: guest.run(read, check=False).status == 0, 60, "the disk to be back")
            assert value(guest, "grade") == "critical"
        client.kill()


def test_nbd_client_ends_with_its_connection(guest, server):
    """With -persist, too, and the guard has no part in that: something must start it again."""
    client = guest.spawn(f"exec nbd-client {server.address} {server.port} /dev/nbd0 -N swap "
                         "-persist -nonetlink -nofork 2>&1")
    until(lambda: guest.run("cat /sys/block/nbd0/size").output.strip() != "0", 20, "the disk")
    server.stop()
    try:
        assert client.wait(30) == 0
    finally:
        server.start()
    assert "Kernel call returned." in client.output


def sock_bytes(guest):
    return int(guest.run("awk '/^sock /{print $2}' /sys/fs/cgroup/nbd/memory.stat").output)


def tcp_pages(guest):
    return int(re.search(r"TCP:.* mem (\d+)", guest.run("cat /proc/net/sockstat").output)[1])


def test_socket_in_a_memory_cgroup(guest, server):
    """As under systemd: it is charged in advance, and so is the cgroup until it is closed."""
    guest.run("mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup; "
              "echo +memory > /sys/fs/cgroup/cgroup.subtree_control; mkdir -p /sys/fs/cgroup/nbd")
    before = tcp_pages(guest)
    guest.run("echo $$ > /sys/fs/cgroup/nbd/cgroup.procs; "
              f"exec nbd-client {server.address} {server.port} /dev/nbd0 -N swap")
    read = "dd if=/dev/nbd0 of=/dev/null bs=64k count=100 iflag=direct status=none"
    until(lambda: guest.run(read) and sock_bytes(guest) >= 2 * MIB, 20, "the cgroup's charge")
    # Of 512: each processor keeps up to 256 of what sockets have charged or returned lately.
    assert tcp_pages(guest) >= before + 200
    # Sockets that no process reads use up the limit; the disk goes on.
    limits = guest.run("cat /proc/sys/net/ipv4/tcp_mem").output
    guest.run("echo 1 2 3 > /proc/sys/net/ipv4/tcp_mem")
    try:
        guest.run(f"for i in $(seq 20); do {read} || exit; done", timeout=60)
    finally:
        guest.run(f"echo '{limits}' > /proc/sys/net/ipv4/tcp_mem")
    assert 2 * MIB <= sock_bytes(guest) < 4 * MIB
    guest.run("nbd-client -d /dev/nbd0")
    until(lambda: sock_bytes(guest) < MIB // 4, 20, "the cgroup's charge to be gone")
    until(lambda: tcp_pages(guest) < before + 256, 20, "the charge to be gone")
