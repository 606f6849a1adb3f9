#!/usr/bin/python3
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
    flavour = "cloud-amd64" if options.nic in CLOUD_NICS else "amd64"
    if "BALLAST_STORM_INSIDE" not in os.environ:
        host.say(f"guest image: {image.get(flavour=flavour).release}")
        if "nvme" in options.subjects:
            image.get()  # the target's
        enter(module.build(flavour=flavour).path)
    ko = Path(os.environ["BALLAST_STORM_INSIDE"])
    conditions = run.Conditions(nic=options.nic, memory=options.mem, min_free=options.min_free,
                                mtu=options.mtu, sg=options.sg == "on", calm=options.calm,
                                length=options.length, after=options.after)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    about = describe(options, image.get(flavour=flavour).release)
    results, dead = [], []
    total = options.runs * len(options.storms) * len(options.subjects)
    count = 0
    # Round by round: what changes on this machine changes for all subjects.
    for number in range(options.runs):
        for storm in options.storms:
            for subject in options.subjects:
                count += 1
                print(f"\n== {count} of {total}: {subjects.SUBJECTS[subject].title}; storm {storm}: "
                      f"{run.TITLES[storm]}; load {os.getloadavg()[0]:.1f}", flush=True)
                logs = out / "logs" / f"{subject}-{storm}-{number}"
                try:
                    result = run.run(subject, storm, conditions, ko, logs,
                                     lambda text: print(text, flush=True))
                except subjects.Skip as reason:
                    print(f"skipped: {reason}")
                    continue
                results.append(result)
                print(outcome(result), flush=True)
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

    def words(known):
        def parse(text):
            names = text.replace(",", " ").split()
            for name in names:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
            return names
        return parse

    parser.add_argument("--subjects", type=words(subjects.SUBJECTS), default="ballast nbd")
    parser.add_argument("--storms", type=words(run.STORMS), default="c")
    parser.add_argument("--runs", type=int, default=1)
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
    given = [word for word in sys.argv[1:] if not word.endswith("=")]
    return parser.parse_args(given)


def enter(ko):
    """Start again in a network namespace where nothing else is."""
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    os.environ["BALLAST_STORM_INSIDE"] = str(ko)
    os.execvp("unshare", [*unshare, "--", sys.executable, "-B", *sys.argv])


def describe(options, release):
    """What every table and picture says of its making."""
    defaults = {"subjects": "ballast nbd", "storms": "c", "runs": 1, "nic": "virtio-net-pci",
                "mem": 256, "min_free": 0, "mtu": 1500, "sg": "on", "calm": 10, "length": 25,
                "after": 12, "out": "build/storm"}
    command = ["make storm"]
    for name, default in defaults.items():
        value = getattr(options, name)
        value = " ".join(value) if isinstance(value, list) else value
        if value != default and name != "out":
            command.append(f"{name.upper()}={shlex.quote(str(value))}")
    return {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(command),
        "ballast": version(),
        "guest": f"kernel {release}, {options.mem} MiB, {options.nic}, MTU {options.mtu}, "
                 f"2 processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}",
    }


def version():
    """The commit; + if the module's source differs from it."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=host.REPO, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", *module.SOURCES)
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def outcome(result):
    return (f"-- {result['subject']}: {result['verdict']}; pages {result['verify']}; "
            f"{result['rate']['calm']} pages/s before, {result['rate']['storm']} during, "
            f"{result['rate']['after']} after; longest gap {result['gap']} s")


if __name__ == "__main__":
    sys.exit(main())
