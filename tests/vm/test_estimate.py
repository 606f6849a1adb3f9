"""estimate_skb_pages() against packets that really came in, and the pages that went."""

import re
import socket

import pytest

from rig import module
from rig.disk import Disk
from rig.servers import Nbdkit
from rig.wait import until

RESERVE = "/sys/class/net/eth0/ballast"
PACKETS = 4000
# Holds every packet that comes to its port, and reads none.
SINK = """use Socket; socket(S, PF_INET, SOCK_DGRAM, 0);
setsockopt(S, SOL_SOCKET, 33, 1 << 29) or die; # SO_RCVBUFFORCE
bind(S, sockaddr_in(7, INADDR_ANY)) or die; $| = 1; print "ready\\n"; sleep 1000"""


def free_pages(guest):
    # What each processor keeps for itself is free too.
    return int(guest.run("echo 1 > /proc/sys/vm/compact_memory; sync; "
                         "awk '/^nr_free_pages/ {print $2}' /proc/vmstat").output)


def queued(guest):
    """Packets that the sink holds, and those it lost."""
    rows = guest.run("cat /proc/net/udp").output.splitlines()
    return next((int(row.split()[4].split(":")[1], 16), int(row.split()[-1]))
                for row in rows if ":0007 " in row.split()[1] + " ")


def measure(guest, size):
    """Pages that PACKETS packets of size bytes (IP header and on) take."""
    sink = guest.spawn(f"exec perl -e '{SINK}'")
    sink.wait_output("ready")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((guest.address4, 7))
        payload = bytes(size - 28)
        # Buffers that the ring holds are of the size that it has seen lately.
        for _ in range(1000):
            sock.send(payload)
        until(lambda: queued(guest)[0] > 0, 10, "packets to come")
        before, held = free_pages(guest), guest.run("cat /sys/class/net/eth0/statistics/rx_packets")
        sent = 0
        while sent < PACKETS:
            for _ in range(50):
                sock.send(payload)
            sent += 50
            until(lambda: int(guest.run("cat /sys/class/net/eth0/statistics/rx_packets").output)
                  >= int(held.output) + sent, 10, "packets to be taken")
        gone = before - free_pages(guest)
        assert queued(guest)[1] == 0, "packets were lost"
    sink.kill()
    return gone


@pytest.mark.parametrize("nic", ["virtio-net-pci", "e1000", "e1000e", "vmxnet3", "rtl8139"])
def test_estimate(vm, nic):
    guest = vm(memory=512, nic=nic, mtu=9000 if nic != "rtl8139" else 1500)
    module.load(guest)
    with Nbdkit("memory", "64M") as server, Disk(guest, server):
        for mtu in (68, 200, 576, 1000, 1500, 4000, 9000):
            if guest.run(f"ip link set eth0 mtu {mtu}", check=False).status:
                continue
            guest.run(f"echo {PACKETS} > {RESERVE}/packet_limit")
            said = guest.run(f"cat {RESERVE}/estimate").output
            estimate = int(re.search(r"struct sk_buff: (\d+) pages", said)[1])
            gone = measure(guest, mtu)
            print(f"{nic:16} MTU {mtu:5}: {gone:6} pages went, {estimate:6} estimated: "
                  f"{estimate / max(gone, 1):.2f}")
