#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the filter costs while the reserve is not in use. Started by make bench-filter.

Without ballast on its interface, with an idle disk attached over it, with that and without
the probes of receive softirqs, and with the interface guarded, in turn, a guest receives
iperf3's TCP, and another one 64-byte UDP packets. That one sends them itself (alone.py), so
the instructions of a packet are the same each time, and what ballast adds to them is exact.
What a packet of a network card takes without ballast is counted in a third guest, where it
depends on the host too.
"""

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "vm"))

import bench  # noqa: E402
import icount  # noqa: E402
from alone import Alone  # noqa: E402
from rig import host, image, module, traffic  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM  # noqa: E402
from rig.wait import until  # noqa: E402

GUARD = "/sys/class/ballast/guard"
CALM = "none"       # what the other subjects are compared with
SUBJECTS = (CALM, "disk", "disk, no softirqs", "guard")
PACKETS = 300000    # of the network card that are counted, at a time
BURST, BURSTS = 32, 2000    # packets that one softirq receives
OTHER = "198.51.100.2"      # their sender; the disk's server is another one
# Instructions for each packet that came out of the driver.
COUNT = icount.BUSY_FOR + """
def received():
    return int(open("/sys/class/net/eth0/statistics/rx_packets").read())

begun = received()
while received() < begun + 5000:
    time.sleep(0.01)
begun, was_busy = received(), busy_for()
while (now := received()) < begun + int(sys.argv[1]):
    time.sleep(0.05)
print((busy_for() - was_busy) / (now - begun))
"""
# A system call for a burst (103 is UDP_SEGMENT): veth cuts it, and one softirq receives it.
SEND = """
import socket, sys, time
sender, receiver, burst, bursts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.setsockopt(socket.IPPROTO_UDP, 103, 22)
line.bind((sender, 0))
line.connect((receiver, 9))
data = bytes(22 * burst)

def send(number):
    began = time.monotonic_ns()
    for _ in range(number):
        line.send(data)
    return time.monotonic_ns() - began

send(bursts // 10)
print(send(bursts) / bursts / burst)
"""
RECEIVE = """
import socket, time
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
line.bind(("", 9))
print("bound", flush=True)
time.sleep(1e6)
"""


def tcp(guest, seconds):
    """Mbit/s that iperf3's receiver got."""
    said = subprocess.run(["iperf3", "-c", guest.address4, "-t", str(seconds), "-J"],
                          stdout=subprocess.PIPE, check=True).stdout
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6


def card(guest, _):
    """Instructions of a 64-byte packet from its network card."""
    with traffic.sent(guest.address4, [("flood", 7)], 600):
        return float(guest.run(f"python3 /run/count {PACKETS}", timeout=300).output)


def exact(guest, _):
    """Instructions to send and to receive a 64-byte packet."""
    return float(guest.run(f"ip netns exec server python3 /run/burst {OTHER} {guest.address4} "
                           f"{BURST} {BURSTS}", timeout=300).output)


@contextmanager
def ordinary():
    """A guest with iperf3."""
    with VM(memory=512, name="filter") as guest:
        guest.spawn("exec iperf3 -s")
        until(lambda: ":1451 " in guest.run("cat /proc/net/tcp6").output, 20, "iperf3 to listen")
        yield guest


@contextmanager
def counting():
    """A guest of one processor whose clock counts instructions."""
    with bench.counting(None) as guest:
        guest.put("/run/count", COUNT.encode())
        yield guest


@contextmanager
def alone():
    """A guest that sends packets to itself."""
    with Alone(name="filter-alone", memory=512) as guest:
        guest.run("rmmod ballast")
        guest.run("ip netns exec server sh -ec "
                  f"'ip address add {OTHER}/32 dev far; ethtool -K far tx-udp-segmentation off'")
        guest.put("/run/burst", SEND.encode())
        guest.put("/run/receive", RECEIVE.encode())
        guest.spawn("exec python3 /run/receive").wait_output("bound", 60)
        yield guest


CARD, EXACT = "UDP from a card", "UDP, exactly"
# (guest, what it measures, of which subjects)
MEASURES = {
    "TCP, Mbit/s": (ordinary, tcp, SUBJECTS),
    CARD: (counting, card, (CALM,)),
    EXACT: (alone, exact, SUBJECTS),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--measures", default="tcp card exact")
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if not host.inside():
        image.get()
        host.enter(module.build().path)

    chosen = {name: measure for name, measure in MEASURES.items()
              if measure[1].__name__ in options.measures.split()}
    results = {name: {subject: [] for subject in subjects}
               for name, (_, _, subjects) in chosen.items()}
    with NbdServer({"swap": 1 << 30}) as server, ExitStack() as stack:
        guests = {name: stack.enter_context(start()) for name, (start, _, _) in chosen.items()}
        for guest in guests.values():
            guest.put("/run/ballast.ko", module.stripped(Path(host.inside())))
        for number in range(options.rounds):
            for name, (_, take, subjects) in chosen.items():
                for subject in subjects if number % 2 == 0 else reversed(subjects):
                    with using(subject, guests[name], server):
                        results[name][subject].append(take(guests[name], options.seconds))
                print(f"round {number + 1}  {name:17}" + "".join(
                    f"{subject} {values[-1]:8.1f}   "
                    for subject, values in results[name].items()), flush=True)
    print(f"\n{summary(results)}")


def summary(results):
    """A line for each subject: its ratio to what it was without, or what a packet takes more."""
    lines = []
    packet = statistics.median(results.get(CARD, {CALM: [0]})[CALM])
    for name, values in results.items():
        for subject in values.keys() - {CALM}:
            pairs = list(zip(values[subject], values[CALM]))
            if name == EXACT:
                # A count is one of two, some 19 apart, so a median jumps.
                more = [with_it - without for with_it, without in pairs]
                said = (f"{statistics.mean(more):+.1f} instructions, mean "
                        f"({min(more):+.1f} to {max(more):+.1f})")
                if packet:
                    said += f", {statistics.mean(more) / packet:.1%} of {packet:.0f}"
            else:
                ratios = [with_it / without for with_it, without in pairs]
                said = (f"ratio {statistics.median(ratios):.3f} "
                        f"({min(ratios):.3f} to {max(ratios):.3f})")
            lines.append(f"{name:17}{subject:18} {said}")
    return "\n".join(sorted(lines))


@contextmanager
def using(subject, guest, server):
    """The module loaded, and the subject there."""
    guest.run("insmod /run/ballast.ko "
              + ("softirq_reserves=N" if "no softirqs" in subject else ""))
    try:
        with ExitStack() as stack:
            if subject.startswith("disk"):
                stack.enter_context(guest.disk() if isinstance(guest, Alone) else
                                    Disk(guest, server, export="swap"))
            if subject == "guard":
                guest.run(f"echo eth0 > {GUARD}")
                stack.callback(guest.run, f"echo -eth0 > {GUARD}")
            yield
    finally:
        guest.run("rmmod ballast")


if __name__ == "__main__":
    sys.exit(main())
