#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The demos. Started by make demo and make demo-calm.

demo.py          in-tree nbd and ballast through storm (u), side by side
demo.py --calm   a minute of swapping over ballast, without a storm
"""

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import calm  # noqa: E402
import run  # noqa: E402
from rig import host, image, module  # noqa: E402

# Without its filter ballast locks up, too: docs/storm.
CONDITIONS = run.Conditions(calm=8, length=20, after=10, rate="100M", udp_mem=60000)
OUT = host.REPO / "build" / "demo"

INTRO = """
A virtual machine of 256 MiB whose only swap is a disk on the network runs two programs that want
1.7 times its memory, and verify what they read back. The disk's server is limited to 100 Mbit/s.
After 8 s another machine sends 25,000 packets of UDP a second for 20 s, to sockets that no
program reads. To free memory the machine must swap out. That takes memory for packets, and the
storm's packets take it as well: does the machine survive?
First the kernel's own nbd, then ballast next to nbd's figures. It takes about three minutes.
"""
PHASES = {"fill": "filling memory", "calm": "calm", "storm": "STORM", "after": "after it"}
NOTHING = "     no answer"


def one(sample):
    """The columns for one second."""
    if sample is None:
        return f"{NOTHING:30}"
    waiting = f"{sample.gap / 1000:4.1f} s" if sample.gap >= 500 else "   -  "
    return f"{sample.rate_in:8.0f}{sample.free * 4 / 1024:10.1f}   {waiting:9}"


HEAD = "    in/s  free MiB   stalled  "


def first(seconds):
    """Shows nbd, and keeps its samples in seconds for later."""
    print(f"\n{'':22}in-tree nbd\n   s{'':16}{HEAD}")

    def show(phase, at, sample):
        seconds.setdefault((phase == "fill", round(at)), sample)
        print(f"{at:4.0f}  {PHASES[phase]:14}{one(sample)}", flush=True)
    return show


def second(seconds):
    print(f"\n{'':22}in-tree nbd, recorded{'':11}ballast, now\n"
          f"   s{'':16}{HEAD}  {HEAD}  packets dropped")

    def show(phase, at, sample):
        key = (phase == "fill", round(at))
        left = one(seconds[key]) if key in seconds else " " * 30
        dropped = f"{sample.dropped:15}" if sample else ""
        print(f"{at:4.0f}  {PHASES[phase]:14}{left}  {one(sample)}  {dropped}", flush=True)
    return show


def outcome(title, result):
    verdict = {"lived": "LIVED", "starved": "STARVED", "deadlocked": "LOCKED UP"}.get(
        result["verdict"], "did not swap, so the demo shows nothing")
    pages = {"clean": "no page corrupted", "corrupt": "PAGES CORRUPTED"}.get(
        result["verify"], "its programs could not be stopped")
    return (f"{title:12} {verdict:10} {result['rate']['calm']} pages/s before the storm, "
            f"{result['rate']['storm']} during, {result['rate']['after']} after; "
            f"stalled for {result['gap']} s; {pages}")


def storm():
    if not host.inside():
        image.get()
        host.enter(module.build().path)
    ko = Path(host.inside())
    print(INTRO)
    seconds = {}
    nbd = run.run("nbd", "u", CONDITIONS, ko, OUT / "nbd", first(seconds))
    ballast = run.run("ballast", "u", CONDITIONS, ko, OUT / "ballast", second(seconds))
    print("\n" + outcome("in-tree nbd", nbd))
    print(outcome("ballast", ballast))
    print(f"\nThe kernels' logs are in {OUT}; more storms: make storm (tests/storm/README.md)")
    return ballast["verdict"] != "lived"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calm", action="store_true", help="no storm, and ballast only")
    return calm.main() if parser.parse_args().calm else storm()


if __name__ == "__main__":
    sys.exit(main())
