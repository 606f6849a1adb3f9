#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What the filter costs while the reserve is not in use. Started by make bench-filter.

One guest receives iperf3's TCP, and 64-byte UDP packets, more than it can take: without
ballast on its interface, with an idle disk attached over it, and with the interface
guarded, in turn. Prints the median of the ratios, round by round, to what was
received without.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "vm"))

from rig import host, image, module, traffic  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM  # noqa: E402
from rig.wait import until  # noqa: E402

GUARD = "/sys/class/ballast/guard"


def tcp(guest, seconds):
    """Mbit/s that iperf3's receiver got."""
    said = subprocess.run(["iperf3", "-c", guest.address4, "-t", str(seconds), "-J"],
                          stdout=subprocess.PIPE, check=True).stdout
    return json.loads(said)["end"]["sum_received"]["bits_per_second"] / 1e6


def small(guest, seconds):
    """64-byte packets a second that came out of the driver."""
    def received():
        return int(guest.run("cat /sys/class/net/eth0/statistics/rx_packets").output)

    with traffic.sent(guest.address4, [("flood", 7)], seconds + 1):
        first = received()
        until(lambda: received() > first + 100, 10, "packets to come")
        before, began = received(), time.monotonic()
        time.sleep(seconds)
        return (received() - before) / (time.monotonic() - began)


MEASURES = {"TCP, Mbit/s": tcp, "64-byte UDP, packets/s": small}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if not host.inside():
        image.get()
        host.enter(module.build().path)

    results = {measure: {"none": [], "disk": [], "guard": []} for measure in MEASURES}
    with NbdServer({"swap": 1 << 30}) as server, VM(memory=512, name="filter") as guest:
        module.load(guest)
        guest.spawn("exec iperf3 -s")
        until(lambda: ":1451 " in guest.run("cat /proc/net/tcp6").output, 20, "iperf3 to listen")
        for number in range(options.rounds):
            for measure, take in MEASURES.items():
                order = list(results[measure])
                for subject in order if number % 2 == 0 else reversed(order):
                    rate = with_subject(subject, guest, server,
                                        lambda: take(guest, options.seconds))
                    results[measure][subject].append(rate)
                last = {name: rates[-1] for name, rates in results[measure].items()}
                print(f"round {number + 1}  {measure:24}" + "".join(
                    f"{name} {rate:8.0f}   " for name, rate in last.items()), flush=True)
    print()
    for measure, rates in results.items():
        for subject in ("disk", "guard"):
            ratios = [with_it / without for with_it, without in zip(rates[subject], rates["none"])]
            print(f"{measure:24}{subject:6} median ratio {statistics.median(ratios):.3f} "
                  f"({min(ratios):.3f} to {max(ratios):.3f}) "
                  f"of {statistics.median(rates['none']):.0f}")


def with_subject(subject, guest, server, measure):
    if subject == "disk":
        with Disk(guest, server, export="swap"):
            return measure()
    if subject == "guard":
        guest.run(f"echo eth0 > {GUARD}")
        try:
            return measure()
        finally:
            guest.run(f"echo -eth0 > {GUARD}")
    return measure()


if __name__ == "__main__":
    sys.exit(main())
