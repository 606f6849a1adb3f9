#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Storms: subjects under unrelated traffic while they are a guest's only swap.

Started by make storm. Goes into a network namespace of its own, as root or as
an ordinary user; what comes from the network is made before.
"""

import argparse
import datetime
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import report  # noqa: E402
import run  # noqa: E402
import subjects  # noqa: E402
import variables  # noqa: E402
from rig import host, image, module  # noqa: E402


def main():
    options, conditions = arguments()
    flavour = variables.flavour(options)
    if not host.inside():
        host.say(f"guest image: {image.get(options.suite, flavour).release}")
        if "nvme" in options.subjects:
            image.get()  # the target's
        host.enter(module.build(options.suite, flavour).path)
    ko = Path(host.inside())
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
    """The options, and the conditions that they make."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=variables.words(subjects.parse), default="ballast nbd")
    parser.add_argument("--storms", type=variables.words(variables.storm), default="c")
    parser.add_argument("--runs", type=int, default=1)
    variables.add(parser)
    parser.add_argument("--out", default="build/storm")
    options = variables.parse(parser, sys.argv[1:])
    try:
        conditions = variables.conditions(options)
        for name in options.subjects:
            for storm in options.storms:
                run.prepared(name, storm, conditions)
    except ValueError as error:
        parser.error(str(error))
    options.command = f"make storm {variables.said(options, parser)}".strip()
    return options, conditions


def describe(options, release):
    """What every table and picture says of its making."""
    return {
        "date": datetime.date.today().isoformat(),
        "command": options.command,
        "ballast": version(),
        "guest": f"kernel {release}, {options.mem} MiB, {options.nic}, MTU {options.mtu}, "
                 f"2 processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}"
                 + ("" if options.sg == "on" else ", no scatter-gather")
                 + (f", min_free_kbytes {options.min_free}" if options.min_free else "")
                 + (", two NICs" if options.nics == 2 or options.storm_nic == 2 else "")
                 + (f", server {options.rate}bit/s" if options.rate else ""),
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
