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
import statistics
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "tests" / "vm"), str(REPO / "tests" / "storm")]

import icount  # noqa: E402
import pictures  # noqa: E402
from figures import INSTRUCTIONS, evaluate, goals, number, table  # noqa: E402
from jobs import JOBS, SIZE, Limits, Swap, units  # noqa: E402
from rig import host, image, line, module, net  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import Nbdkit, NbdServer, QemuNbd  # noqa: E402
from rig.vm import VM  # noqa: E402
from subjects import SUBJECTS as STORM_SUBJECTS  # noqa: E402

MIB = 1 << 20
MEMORY = 512            # MiB, of the guest
# For the swap job. Newer kernels keep the slots of pages that are back in memory.
EXPORT = 1 << 30
BY_NAME = {job.name: job for job in JOBS}
TITLES = {"nbd": "in-tree nbd", "nvme": "NVMe/TCP", "limit": "limit", "ballast": "ballast",
          "verify-off": "verify=off", "zram": "zram", "zram-ballast": "zram, ballast"}
DISKS = {"nbd": "/dev/nbd0", "nvme": "/dev/nvme0n1", "ballast": "/dev/ballast0",
         "verify-off": "/dev/ballast1"}
PEERS = ("nbd", "nvme", "limit")
SUITES = [suite for suite in image.SUITES if suite != "debug"]
# Of the swap job only. With both, pages go to ballast once zram is full.
ZRAM = {"zram": ("/dev/zram0",), "zram-ballast": ("/dev/zram1", "/dev/ballast0")}
ZRAM_MIB = {"/dev/zram0": 1024, "/dev/zram1": 64}
# Fastest first, see docs/performance.md; the export is called bench wherever it has a name.
SERVERS = {
    "nbd-server": lambda: NbdServer({"bench": EXPORT}),
    "nbdkit": lambda: Nbdkit("memory", str(EXPORT)),
    "qemu-nbd": lambda: QemuNbd("bench", EXPORT),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--peers", default=" ".join(PEERS),
                        help="of: " + " ".join((*PEERS, *ZRAM)))
    parser.add_argument("--server", default=next(iter(SERVERS)), choices=SERVERS)
    parser.add_argument("--suite", default="bookworm", choices=SUITES,
                        help="the Debian release whose kernel the guest has")
    parser.add_argument("--rate", type=float, default=0, help="of the line, in Mbit/s")
    parser.add_argument("--delay", type=float, default=0, help="of the line, to and fro, in ms")
    parser.add_argument("--loss", type=float, default=0, help="of the line, each way, in percent")
    parser.add_argument("--only", default=" ".join(map(word, BY_NAME)), help="some of these jobs")
    parser.add_argument("--out", default="build/bench", help="where tables and pictures go")
    # make gives every variable, set or not.
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    for name in ("rate", "delay", "loss"):
        if not 0 <= getattr(options, name) < (100 if name == "loss" else 1e5):
            parser.error(f"--{name}: {getattr(options, name):g} is no {name} of a line")
    options.peers = options.peers.split()
    for peer in options.peers:
        if peer not in (*PEERS, *ZRAM):
            parser.error(f"--peers: {peer!r} is none of {', '.join((*PEERS, *ZRAM))}")
    options.only = chosen(parser, options.only.split(), BY_NAME)
    return options


def whole(options):
    """No job is left out."""
    return len(options.only) == len(JOBS)


def chosen(parser, words, names):
    """Those of the names that the words are."""
    known = {word(name): name for name in names}
    for one in words:
        if one not in known:
            parser.error(f"--only: {one!r} is none of {', '.join(known)}")
    return [known[one] for one in words]


def begin(what, numbers, peers=None, only=(), flags=(), server=True):
    """The options of one of the other measurements; numbers are those it has, and their defaults.

    only: the names of its jobs, if some of them may be left out; options.only has the rest.
    flags: NAME=yes or nothing. It goes on in the namespace, with its directory made.
    """
    parser = argparse.ArgumentParser(description=what,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    if peers is not None:
        parser.add_argument("--peers", type=str.split, default=peers.split())
    if only:
        names = list(map(word, only))
        parser.add_argument("--only", type=str.split, default=names,
                            help="of: " + " ".join(names))
    for name in flags:
        parser.add_argument(f"--{name}", choices=["yes"])
    if server:
        parser.add_argument("--server", default=next(iter(SERVERS)), choices=SERVERS)
    parser.add_argument("--out", type=Path,
                        default=Path(f"build/bench-{Path(sys.argv[0]).stem}"))
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    for name in numbers:
        if getattr(options, name) < 1:
            parser.error(f"--{name} is at least 1")
    if only:
        options.only = chosen(parser, options.only, only)
    if not host.inside():
        host.enter(module.build().path)
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def word(name):
    """A job's name as one word: 4k-read-depth-1."""
    return re.sub(r"[ ,]+", "-", name)


def write(out, name, text, data):
    """What begin()'s measurement has found, for a person and for a program."""
    (out / f"{name}.txt").write_text(text + "\n")
    (out / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def report(out, name, about, lines, results):
    """Write lines under what describe() says, and the results; returns the text."""
    text = "\n".join([f"{key}: {value}" for key, value in about.items() if value] + [""] + lines)
    write(out, name, text, {"about": about, "results": results})
    return text


def printer(lines):
    """A function that prints a row, {name: value}, and adds it to the lines."""
    def say(row):
        lines.append("   ".join(f"{name} {value}" for name, value in row.items()))
        print(lines[-1], flush=True)
    return say


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


def weather(guest, options):
    """The line as the options have it, on the guest's side and both ways."""
    if options.rate and not options.delay and not options.loss:
        return line.slow(guest, options.rate)
    how = [f"delay {options.delay / 2:g}ms" if options.delay else "",
           f"rate {options.rate:g}mbit" if options.rate else "",
           f"loss {options.loss:g}%" if options.loss else ""]
    return line.netem_both(guest, " ".join(filter(None, [*how, "limit 10000"]))) if any(how) \
        else contextlib.nullcontext()


def zram(guest, peers):
    """{subject: its swaps, the one to be filled first before}"""
    subjects = {name: devices for name, devices in ZRAM.items() if name in peers}
    if subjects:
        guest.run("modprobe zram num_devices=2\n" + "\n".join(
            f"echo {size}M > /sys/block/{Path(device).name}/disksize"
            for device, size in ZRAM_MIB.items()))
    return subjects


def run(guest, there, options, show):
    """{figure: {subject: [a value a round]}}, and {subject: [latencies a round]}"""
    figures = {name: {subject: [] for subject in TITLES} for name in units()}
    latencies = {subject: [] for subject in there}
    swaps = {**{subject: (path,) for subject, path in there.items()}, **zram(guest, options.peers)}

    def take(subject, values):
        for name, value in values.items():
            figures[name][subject].append(value)

    with Limits(guest) as limits, weather(guest, options):
        for number_of_round in range(options.rounds):
            if "limit" in options.peers:
                take("limit", limits.run(options.seconds))
            for job in map(BY_NAME.get, options.only):
                disks_of_job = swaps if isinstance(job, Swap) else there
                for subject in list(disks_of_job)[::-1 if number_of_round % 2 else 1]:
                    values, latency = job.run(guest, disks_of_job[subject], options.seconds)
                    take(subject, values)
                    if latency:
                        latencies[subject].append(latency)
                for name in job.units():
                    show(number_of_round, name, {subject: values[-1] for subject, values
                                                 in figures[name].items() if values})
    return figures, latencies


def counting(out, suite="bookworm", **options):
    """A guest of one processor whose clock counts instructions; see icount.py."""
    return VM(suite, memory=MEMORY, cpus=1, icount=True, name="count", logs=out,
              boot_timeout=300, **options)


def instructions(options, out):
    """{job: instructions of a request} of those that have a goal; the median of three."""
    if not whole(options):
        return {}
    counts = {name: [] for name in INSTRUCTIONS}
    with counting(out, options.suite) as guest:
        with disks(guest, (), SERVERS[options.server]) as (there, _):
            for _ in range(3):
                for name, values in counts.items():
                    values.append(icount.count(guest, there["ballast"], name))
    return {name: statistics.median(values) for name, values in counts.items()}


def main():
    options = arguments()
    if not host.inside():
        host.say(f"guest image: {image.get(options.suite).release}")
        host.enter(module.build(options.suite).path)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    with VM(options.suite, memory=MEMORY, name="bench", logs=out) as guest:
        with disks(guest, options.peers, SERVERS[options.server]) as (there, disk):
            about = describe(guest, there, options.server, command(options))
            print(f"{options.rounds} rounds of {len(options.only)} jobs, each {options.seconds} s "
                  "on each disk in turn\n", flush=True)
            figures, latencies = run(guest, there, options, show_round)
            if disk.file("ballast/reconnects") != "0":
                raise RuntimeError("the connection broke: these figures are none")
    counts = instructions(options, out)
    results = evaluate(figures)
    titles = {subject: title for subject, title in TITLES.items()
              if subject in there or subject in options.peers}
    # The last column is ballast's.
    titles["ballast"] = titles.pop("ballast")
    text = "\n\n".join(filter(None, [table(results, about, titles), goals(results, counts)]))
    (out / "table.txt").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps(
        {"about": about, "results": results, "latencies": latencies, "instructions": counts},
        separators=(",", ":")) + "\n")
    if whole(options):
        pictures.bars(results, titles, about, out / "bench.svg")
        pictures.latency(latencies, titles, about, out / "latency.svg")
    made = ", ".join(sorted(file.name for file in out.iterdir()))
    print(f"\n{text}\n\nin {out}: {made}")


def show_round(number_of_round, name, values):
    print(f"round {number_of_round + 1}  {name:24}" + "".join(
        f"{subject} {number(value):>7}   " for subject, value in values.items())
        + f"{units()[name]}   load {os.getloadavg()[0]:.1f}", flush=True)


def command(options):
    words = [f"make bench ROUNDS={options.rounds} RUNTIME={options.seconds}"]
    if options.peers != list(PEERS):
        words.append(f"PEERS='{' '.join(options.peers)}'")
    if options.server != next(iter(SERVERS)):
        words.append(f"SERVER={options.server}")
    if options.suite != "bookworm":
        words.append(f"SUITE={options.suite}")
    words += [f"{name.upper()}={getattr(options, name):g}" for name in ("rate", "delay", "loss")
              if getattr(options, name)]
    if not whole(options):
        words.append(f"ONLY='{' '.join(map(word, options.only))}'")
    return " ".join(words)


def describe(guest, there, server, said):
    """What a figure needs to be worth anything."""
    commit = subprocess.run(["git", "-C", REPO, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    # A disk that has several paths has no scheduler, but each path may.
    scheduler = {subject: guest.run(f"cd /sys/block/{Path(path).name}/queue; "
                                    "if [ -e scheduler ]; then cat scheduler; "
                                    "else echo of its paths; fi").output
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
