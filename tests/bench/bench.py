#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Benchmark: ballast, in-tree nbd and NVMe/TCP, in one guest, and the limits of its network.

Started by make bench. They take turns, and what counts is the ratio of what they did one
after the other: a machine that does other things as well does them to all. Goes into a
network namespace of its own, as root or as an ordinary user; what comes from the network
is made before.
"""

import argparse
import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tests" / "vm"), str(REPO / "tests" / "storm")]

import pictures  # noqa: E402
from figures import evaluate, number, table  # noqa: E402
from jobs import JOBS, SIZE, Limits, units  # noqa: E402
from rig import host, image, module, net  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import Nbdkit, NbdServer, QemuNbd  # noqa: E402
from rig.vm import VM  # noqa: E402
from subjects import SUBJECTS as STORM_SUBJECTS  # noqa: E402

MIB = 1 << 20
MEMORY = 512            # MiB, of the guest
TITLES = {"nbd": "in-tree nbd", "nvme": "NVMe/TCP", "limit": "limit", "ballast": "ballast",
          "verify-off": "verify=off"}
DISKS = {"nbd": "/dev/nbd0", "nvme": "/dev/nvme0n1", "ballast": "/dev/ballast0",
         "verify-off": "/dev/ballast1"}
PEERS = ("nbd", "nvme", "limit")
# Fastest first, see docs/performance.md; the export is called bench wherever it has a name.
SERVERS = {
    "nbd-server": lambda: NbdServer({"bench": SIZE}),
    "nbdkit": lambda: Nbdkit("memory", str(SIZE)),
    "qemu-nbd": lambda: QemuNbd("bench", SIZE),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--peers", default=" ".join(PEERS), help="of: " + " ".join(PEERS))
    parser.add_argument("--server", default=next(iter(SERVERS)), choices=SERVERS)
    parser.add_argument("--out", default="build/bench", help="where tables and pictures go")
    # make gives every variable, set or not.
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    options.peers = options.peers.split()
    for peer in options.peers:
        if peer not in PEERS:
            parser.error(f"--peers: {peer!r} is none of {', '.join(PEERS)}")
    return options


def begin(what, numbers, peers=None):
    """The options of one of the other measurements; numbers are those it has, and their defaults.

    It goes on in the namespace, with its directory made.
    """
    parser = argparse.ArgumentParser(description=what,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    if peers:
        parser.add_argument("--peers", type=str.split, default=peers.split())
    parser.add_argument("--server", default=next(iter(SERVERS)), choices=SERVERS)
    parser.add_argument("--out", type=Path,
                        default=Path(f"build/bench-{Path(sys.argv[0]).stem}"))
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    for name in numbers:
        if getattr(options, name) < 1:
            parser.error(f"--{name} is at least 1")
    if not host.inside():
        host.enter(module.build().path)
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def write(out, name, text, data):
    """What begin()'s measurement has found, for a person and for a program."""
    (out / f"{name}.txt").write_text(text + "\n")
    (out / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


@contextlib.contextmanager
def disks(guest, peers, make_server):
    """({subject: its disk}, all of them attached; ballast's Disk)"""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(make_server())
        module.load(guest)
        if "nbd" in peers:
            guest.run("modprobe nbd && nbd-client "
                      f"{server.address} {server.port} /dev/nbd0 -N bench")
            stack.callback(guest.run, "nbd-client -d /dev/nbd0")
        if "nvme" in peers:
            stack.enter_context(STORM_SUBJECTS["nvme"].attach(guest, net.HOST4))
            stack.callback(guest.run, "nvme disconnect -n storm")
        disk = stack.enter_context(Disk(guest, server, export="bench"))
        if "verify-off" in peers:
            stack.enter_context(Disk(guest, server, index=1, export="bench", verify="off"))
        there = {name: path for name, path in DISKS.items() if name in peers or name == "ballast"}
        # One export for nbd and ballast. A hole is read more quickly than data.
        for path in {there["ballast"], there.get("nvme", there["ballast"])}:
            guest.run(f"dd if=/dev/urandom of={path} bs=1M count={SIZE // MIB} oflag=direct",
                      timeout=300)
        yield there, disk


def run(guest, there, options, show):
    """{figure: {subject: [a value a round]}}, and {subject: [latencies a round]}"""
    figures = {name: {subject: [] for subject in TITLES} for name in units()}
    latencies = {subject: [] for subject in there}

    def take(subject, values):
        for name, value in values.items():
            figures[name][subject].append(value)

    with Limits(guest) as limits:
        for number_of_round in range(options.rounds):
            order = list(there)[::-1 if number_of_round % 2 else 1]
            if "limit" in options.peers:
                take("limit", limits.run(options.seconds))
            for job in JOBS:
                for subject in order:
                    values, latency = job.run(guest, there[subject], options.seconds)
                    take(subject, values)
                    if latency:
                        latencies[subject].append(latency)
                for name in job.units():
                    show(number_of_round, name, {subject: values[-1] for subject, values
                                                 in figures[name].items() if values})
    return figures, latencies


def main():
    options = arguments()
    if not host.inside():
        host.say(f"guest image: {image.get().release}")
        host.enter(module.build().path)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    with VM(memory=MEMORY, name="bench", logs=out) as guest:
        with disks(guest, options.peers, SERVERS[options.server]) as (there, disk):
            about = describe(guest, there, options.server, command(options))
            print(f"{options.rounds} rounds of {len(JOBS)} jobs, each {options.seconds} s on each "
                  "disk in turn\n", flush=True)
            figures, latencies = run(guest, there, options, show_round)
            if disk.file("ballast/reconnects") != "0":
                raise RuntimeError("the connection broke: these figures are none")
    results = evaluate(figures)
    titles = {subject: title for subject, title in TITLES.items()
              if subject in there or subject in options.peers}
    text = table(results, about, titles)
    (out / "table.txt").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps(
        {"about": about, "results": results, "latencies": latencies}, separators=(",", ":")) + "\n")
    pictures.bars(results, titles, about, out / "bench.svg")
    pictures.latency(latencies, titles, about, out / "latency.svg")
    print(f"\n{text}\n\nin {out}: table.txt, results.json, bench.svg, latency.svg")


def show_round(number_of_round, name, values):
    print(f"round {number_of_round + 1}  {name:24}" + "".join(
        f"{subject} {number(value):>7}   " for subject, value in values.items())
        + f"{units()[name]}   load {os.getloadavg()[0]:.1f}", flush=True)


def command(options):
    return (f"make bench ROUNDS={options.rounds} RUNTIME={options.seconds}"
            + ("" if options.peers == list(PEERS) else f" PEERS='{' '.join(options.peers)}'")
            + ("" if options.server == next(iter(SERVERS)) else f" SERVER={options.server}"))


def describe(guest, there, server, said):
    """What a figure needs to be worth anything."""
    commit = subprocess.run(["git", "-C", REPO, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    scheduler = {subject: guest.run(f"cat /sys/block/{Path(path).name}/queue/scheduler").output
                 for subject, path in there.items()}
    # In brackets where there is a choice.
    chosen = {subject: re.sub(r".*\[|\].*", "", text).strip()
              for subject, text in scheduler.items()}
    return {
        "date": datetime.date.today().isoformat(),
        "command": said,
        "ballast": commit.stdout.strip() or "unknown",
        "guest": f"kernel {guest.image.release}, {guest.memory} MiB, {guest.nic}, {guest.cpus} "
                 f"processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}",
        "server": f"{server}, one connection each, {SIZE // MIB} MiB of data in memory"
                  + ("; nvmet in a second guest, on a ram disk" if "nvme" in there else ""),
        "schedulers": ", ".join(f"{subject} {name}" for subject, name in chosen.items()),
    }


if __name__ == "__main__":
    sys.exit(main())
