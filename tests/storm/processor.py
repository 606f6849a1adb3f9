#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What a storm takes of the processors by itself: started by make storm-processor.

A guest that neither swaps nor has ballast counts, on each of its processors, before
and during each storm. A swap rate that a processor limits can't keep more than that.
"""

import argparse
import re
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import run  # noqa: E402
from rig import host, image, traffic  # noqa: E402
from rig.vm import VM  # noqa: E402


def count(guest, seconds):
    """What two processors got done in a second."""
    said = guest.run(f"stress-ng --cpu 2 --cpu-method int64 --metrics-brief -t {seconds} 2>&1",
                     timeout=seconds + 60).output
    operations, took = re.search(r"\bcpu +(\d+) +([\d.]+)", said).groups()
    return int(operations) / float(took)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storms", default="a c d f g")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if not host.inside():
        image.get()
        host.enter("no module")
    for storm in options.storms.split():
        ratios = []
        for _ in range(options.rounds):
            with VM(memory=512, name="processor") as guest:
                guest.put("/run/guest", run.tool(), 0o755)
                for port, size in ((7, run.UDP_BUFFER), (9, run.TCP_BUFFER)):
                    guest.spawn(f"exec /run/guest sink {port} {size}").wait_output("ready")
                before = count(guest, options.seconds)
                address = guest.address6 if storm in run.IPV6 else guest.address4
                with traffic.sent(address, run.STORMS[storm], options.seconds + 4):
                    time.sleep(2)
                    ratios.append(count(guest, options.seconds) / before)
        print(f"storm {storm} ({run.TITLES[storm]}): processors get "
              f"{statistics.median(ratios):.2f} done of what they did before "
              f"({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
