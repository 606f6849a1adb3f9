#!/usr/bin/python3
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

from figures import evaluate, number, table  # noqa: E402
from jobs import JOBS, SIZE, Limits, units  # noqa: E402
from rig import host, image, module, net  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM  # noqa: E402
from subjects import SUBJECTS as STORM_SUBJECTS  # noqa: E402

MIB = 1 << 20
MEMORY = 512            # MiB, of the guest
TITLES = {"nbd": "in-tree nbd", "nvme": "NVMe/TCP", "limit": "limit", "ballast": "ballast"}
DISKS = {"nbd": "/dev/nbd0", "nvme": "/dev/nvme0n1", "ballast": "/dev/ballast0"}
PEERS = ("nbd", "nvme", "limit")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--peers", default=" ".join(PEERS), help="of: " + " ".join(PEERS))
    parser.add_argument("--out", default="build/bench", help="where table.txt and results.json go")
    # make gives every variable, set or not.
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    options.peers = options.peers.split()
    for peer in options.peers:
        if peer not in PEERS:
            parser.error(f"--peers: {peer!r} is none of {', '.join(PEERS)}")
    return options


def fill(path):
    """Not a sparse file: a hole is read more quickly than data."""
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for _ in range(SIZE // MIB):
            file.write(block)


@contextlib.contextmanager
def disks(guest, peers):
    """({subject: its disk}, all of them attached; ballast's Disk; its server)"""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(NbdServer({"nbd": SIZE, "ballast": SIZE}))
        for path in server.files.values():
            fill(path)
        module.load(guest)
        if "nbd" in peers:
            guest.run(f"modprobe nbd && nbd-client {server.address} {server.port} /dev/nbd0 -N nbd")
            stack.callback(guest.run, "nbd-client -d /dev/nbd0")
        if "nvme" in peers:
            stack.enter_context(STORM_SUBJECTS["nvme"].attach(guest, net.HOST4))
            stack.callback(guest.run, "nvme disconnect -n storm")
            guest.run(f"dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count={SIZE // MIB} oflag=direct",
                      timeout=300)
        disk = stack.enter_context(Disk(guest, server, export="ballast"))
        there = {name: path for name, path in DISKS.items() if name in peers or name == "ballast"}
        yield there, disk, server


def run(guest, there, options, show):
    """{figure: {subject: [a value a round]}}"""
    figures = {name: {subject: [] for subject in TITLES} for name in units()}

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
                    take(subject, job.run(guest, there[subject], options.seconds))
                for name in filter(None, (job.name, job.cost)):
                    show(number_of_round, name, {subject: values[-1] for subject, values
                                                 in figures[name].items() if values})
    return figures


def main():
    options = arguments()
    if not host.inside():
        host.say(f"guest image: {image.get().release}")
        host.enter(module.build().path)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    with VM(memory=MEMORY, name="bench", logs=out) as guest:
        with disks(guest, options.peers) as (there, disk, server):
            about = describe(options, guest, there, server)
            print(f"{options.rounds} rounds of {len(JOBS)} jobs, each {options.seconds} s on each "
                  "disk in turn\n", flush=True)
            results = evaluate(run(guest, there, options, show_round))
            if disk.file("ballast/reconnects") != "0":
                raise RuntimeError("the connection broke: these figures are none")
    titles = {subject: title for subject, title in TITLES.items()
              if subject in there or subject in options.peers}
    text = table(results, about, titles)
    (out / "table.txt").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps({"about": about, "results": results}, indent=1)
                                      + "\n")
    print(f"\n{text}\n\nin {out}: table.txt, results.json")


def show_round(number_of_round, name, values):
    print(f"round {number_of_round + 1}  {name:20}" + "".join(
        f"{subject} {number(value):>7}   " for subject, value in values.items())
        + f"{units()[name]}   load {os.getloadavg()[0]:.1f}", flush=True)


def describe(options, guest, there, server):
    """What a figure needs to be worth anything."""
    commit = subprocess.run(["git", "-C", REPO, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    scheduler = {subject: guest.run(f"cat /sys/block/{Path(path).name}/queue/scheduler").output
                 for subject, path in there.items()}
    # In brackets where there is a choice.
    chosen = {subject: re.sub(r".*\[|\].*", "", text).strip() for subject, text in scheduler.items()}
    memory = os.statvfs(server.files["nbd"]).f_fsid == os.statvfs("/dev/shm").f_fsid
    return {
        "date": datetime.date.today().isoformat(),
        "command": f"make bench ROUNDS={options.rounds} RUNTIME={options.seconds}"
                   + ("" if options.peers == list(PEERS) else f" PEERS='{' '.join(options.peers)}'"),
        "ballast": commit.stdout.strip() or "unknown",
        "guest": f"kernel {guest.image.release}, {guest.memory} MiB, {guest.nic}, {guest.cpus} "
                 f"processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}",
        "server": f"nbd-server, one connection each, {SIZE // MIB} MiB of data "
                  + ("in memory" if memory else "on disk")
                  + ("; nvmet in a second guest, on a ram disk" if "nvme" in there else ""),
        "schedulers": ", ".join(f"{subject} {name}" for subject, name in chosen.items()),
    }


if __name__ == "__main__":
    sys.exit(main())
