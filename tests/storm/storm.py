#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Storms: subjects under unrelated traffic while they are a guest's only swap.

Started by make storm. Goes into a network namespace of its own, as root or as
an ordinary user; what comes from the network is made before.
"""

import argparse
import datetime
import os
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import report  # noqa: E402
import run  # noqa: E402
import subjects  # noqa: E402
from rig import host, image, module  # noqa: E402
from rig.vm import CLOUD_NICS  # noqa: E402


def main():
    options = arguments()
    flavour = ("cloud-amd64" if options.nic in CLOUD_NICS and options.suite != "debug"
               else "amd64")
    if not host.inside():
        host.say(f"guest image: {image.get(options.suite, flavour).release}")
        if "nvme" in options.subjects:
            image.get()  # the target's
        host.enter(module.build(options.suite, flavour).path)
    ko = Path(host.inside())
    conditions = run.Conditions(suite=options.suite, nic=options.nic, memory=options.mem,
                                min_free=options.min_free, mtu=options.mtu,
                                sg=options.sg == "on", calm=options.calm, length=options.length,
                                after=options.after)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    about = describe(options, image.get(options.suite, flavour).release)
    results, dead = [], []
    total = options.runs * len(options.storms) * len(options.subjects)
    count = 0
    # Round by round: what changes on this machine changes for all subjects.
    for number in range(options.runs):
        for storm in options.storms:
            for subject in options.subjects:
                count += 1
                print(f"\n== {count} of {total}: {subjects.parse(subject).title}; "
                      f"storm {storm}: {run.TITLES[storm]}; load {os.getloadavg()[0]:.1f}",
                      flush=True)
                logs = out / "logs" / f"{subject}-{storm}-{number}"
                print(run.HEADING)
                result = run.run(subject, storm, conditions, ko, logs,
                                 lambda *second: print(run.line(*second), flush=True))
                results.append(result)
                print(run.outcome(result), flush=True)
                text = report.write(results, about, out)
                if subject == "ballast" and result["verdict"] != "lived":
                    dead.append(result)
    if results:
        print(f"\n{text}\nin {out}: table.txt, results.json, pictures; consoles in {out}/logs")
    for result in dead:
        print(f"ballast did not live: {result['logs']}")
    return bool(dead) or not results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)

    def words(check):
        def parse(text):
            names = text.replace(",", " ").split()
            for name in names:
                try:
                    check(name)
                except ValueError as error:
                    raise argparse.ArgumentTypeError(str(error)) from None
            return names
        return parse

    def storm(name):
        if name not in run.STORMS:
            raise ValueError(f"{name!r} is none of {', '.join(run.STORMS)}")

    parser.add_argument("--subjects", type=words(subjects.parse), default="ballast nbd")
    parser.add_argument("--storms", type=words(storm), default="c")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--suite", choices=image.SUITES, default="bookworm")
    parser.add_argument("--nic", default="virtio-net-pci")
    parser.add_argument("--mem", type=int, default=256, help="MiB")
    parser.add_argument("--min-free", type=int, default=0, help="vm.min_free_kbytes")
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--sg", choices=("on", "off"), default="on", help="scatter-gather")
    parser.add_argument("--calm", type=int, default=10, help="seconds before the storm")
    parser.add_argument("--length", type=int, default=25, help="seconds of the storm")
    parser.add_argument("--after", type=int, default=12, help="seconds after it")
    parser.add_argument("--out", default="build/storm")
    # make gives every variable, set or not.
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    options.command = "make storm"
    for name, value in vars(options).items():
        text = " ".join(value) if isinstance(value, list) else str(value)
        if name not in ("out", "command") and text != str(parser.get_default(name)):
            options.command += f" {name.upper()}={shlex.quote(text)}"
    return options


def describe(options, release):
    """What every table and picture says of its making."""
    return {
        "date": datetime.date.today().isoformat(),
        "command": options.command,
        "ballast": version(),
        "guest": f"kernel {release}, {options.mem} MiB, {options.nic}, MTU {options.mtu}, "
                 f"2 processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}"
                 + ("" if options.sg == "on" else ", no scatter-gather")
                 + (f", min_free_kbytes {options.min_free}" if options.min_free else ""),
    }


def version():
    """The commit; + if the module's source differs from it."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=host.REPO, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", *module.SOURCES)
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
