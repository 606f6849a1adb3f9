#!/usr/bin/python3
"""Benchmark: ballast and in-tree nbd, in one guest and against one server.

Started by make bench. The two take turns, and what counts is the ratio of
what they did one after the other: a machine that does other things as well
does them to both. Goes into a network namespace of its own, as root or as an
ordinary user; what comes from the network is made before.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "vm"))

from rig import host, image, module  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM  # noqa: E402

MIB = 1 << 20
SIZE = 256 * MIB
MEMORY = 512            # MiB, of the guest
PAUSE = 1               # seconds of each measurement that don't count

# What is measured: fio's rw, bs and iodepth, and what counts.
JOBS = {
    "randread 4k qd1": ("randread", "4k", 1, "iops"),
    "randread 4k qd32": ("randread", "4k", 32, "iops"),
    "randwrite 4k qd32": ("randwrite", "4k", 32, "iops"),
    "read 128k qd16": ("read", "128k", 16, "bw_bytes"),
    "write 128k qd16": ("write", "128k", 16, "bw_bytes"),
}
UNITS = {"iops": ("IOPS", 1), "bw_bytes": ("MB/s", 1e6)}
SUBJECTS = {"nbd": "/dev/nbd0", "ballast": "/dev/ballast0"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--out", default="build/bench", help="where table.txt and results.json go")
    # make gives every variable, set or not.
    options = parser.parse_args([word for word in sys.argv[1:] if not word.endswith("=")])
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    return options


def enter(ko):
    """Start again in a network namespace where nothing else is."""
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    os.environ["BALLAST_BENCH_INSIDE"] = str(ko)
    os.execvp("unshare", [*unshare, "--", sys.executable, "-B", *sys.argv])


def fill(path):
    """Not a sparse file: a hole is read more quickly than data."""
    block = os.urandom(MIB)
    with open(path, "wb") as file:
        for _ in range(SIZE // MIB):
            file.write(block)
    return path


def measure(guest, name, device, seconds):
    rw, block, depth, value = JOBS[name]
    said = guest.run(f"fio --name=bench --filename={device} --rw={rw} --bs={block} "
                     f"--iodepth={depth} --ioengine=libaio --direct=1 --time_based "
                     f"--runtime={seconds} --ramp_time={PAUSE} --norandommap --randrepeat=0 "
                     "--output-format=json", timeout=120 + 10 * seconds).output
    job = json.loads(said[said.index("{"):])["jobs"][0]
    if job["error"]:
        raise RuntimeError(f"fio: error {job['error']} of {device}")
    half = job["write" if "write" in rw else "read"]
    return half[value] / UNITS[value][1]


def run(guest, options, show):
    """{job: {subject: [a figure a round]}}"""
    figures = {name: {subject: [] for subject in SUBJECTS} for name in JOBS}
    for number in range(options.rounds):
        order = list(SUBJECTS)[::-1 if number % 2 else 1]
        for name in JOBS:
            for subject in order:
                figures[name][subject].append(
                    measure(guest, name, SUBJECTS[subject], options.seconds))
            show(number, name, {subject: done[-1] for subject, done in figures[name].items()})
    return figures


def evaluate(figures):
    """For each job: medians, spreads, and the median of the rounds' ratios."""
    results = []
    for name, done in figures.items():
        ratios = [ours / theirs for ours, theirs in zip(done["ballast"], done["nbd"])]
        results.append({
            "job": name, "unit": UNITS[JOBS[name][3]][0], "rounds": done, "ratios": ratios,
            "median": {subject: statistics.median(values) for subject, values in done.items()},
            "spread": {subject: spread(values) for subject, values in done.items()},
            "ratio": statistics.median(ratios), "ratio_spread": spread(ratios),
        })
    return results


def spread(values):
    """From the least to the most, as a part of the median."""
    return (max(values) - min(values)) / statistics.median(values)


def table(results, about):
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"{'':20}{'':>6}{'in-tree nbd':>18}{'ballast':>18}{'ballast / nbd':>18}",
              f"{'':20}{'':>6}" + f"{'median':>10}{'spread':>8}" * 3]
    for result in results:
        line = f"{result['job']:20}{result['unit']:>6}"
        for subject in SUBJECTS:
            line += f"{number(result['median'][subject]):>10}{result['spread'][subject]:8.0%}"
        lines.append(line + f"{result['ratio']:10.2f}{result['ratio_spread']:8.0%}")
    lines += ["", "The ratio is the median of the rounds' own; a spread is from the least to the most,",
              "as a part of the median."]
    return "\n".join(lines)


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def main():
    options = arguments()
    if "BALLAST_BENCH_INSIDE" not in os.environ:
        host.say(f"guest image: {image.get().release}")
        enter(module.build().path)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    with NbdServer({name: SIZE for name in SUBJECTS}) as server, \
            VM(memory=MEMORY, name="bench", logs=out) as guest:
        for path in server.files.values():
            fill(path)
        module.load(guest)
        guest.run(f"modprobe nbd && nbd-client {server.address} {server.port} /dev/nbd0 -N nbd")
        with Disk(guest, server, export="ballast") as disk:
            about = describe(options, guest, server)
            print(f"{options.rounds} rounds of {len(JOBS)} jobs, each {options.seconds} s on either "
                  "disk in turn\n", flush=True)
            results = evaluate(run(guest, options, show_pair))
            if disk.file("ballast/reconnects") != "0":
                raise RuntimeError("the connection broke: these figures are none")
        guest.run("nbd-client -d /dev/nbd0")
    text = table(results, about)
    (out / "table.txt").write_text(text + "\n")
    (out / "results.json").write_text(json.dumps({"about": about, "results": results}, indent=1)
                                      + "\n")
    print(f"\n{text}\n\nin {out}: table.txt, results.json")


def show_pair(number_of_round, name, pair):
    unit = UNITS[JOBS[name][3]][0]
    print(f"round {number_of_round + 1}  {name:20}{number(pair['nbd']):>8}{number(pair['ballast']):>8} "
          f"{unit:5}{pair['ballast'] / pair['nbd']:6.2f}   load {os.getloadavg()[0]:.1f}",
          flush=True)


def describe(options, guest, server):
    """What a figure needs to be worth anything."""
    commit = subprocess.run(["git", "-C", REPO, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    scheduler = {subject: guest.run(f"cat /sys/block/{Path(path).name}/queue/scheduler").output
                 for subject, path in SUBJECTS.items()}
    chosen = {subject: text[text.index("[") + 1:text.index("]")] for subject, text in scheduler.items()}
    where = os.stat(server.files["nbd"])
    memory = os.statvfs(server.files["nbd"]).f_fsid == os.statvfs("/dev/shm").f_fsid
    return {
        "date": datetime.date.today().isoformat(),
        "command": f"make bench ROUNDS={options.rounds} RUNTIME={options.seconds}",
        "ballast": commit.stdout.strip() or "unknown",
        "guest": f"kernel {guest.image.release}, {guest.memory} MiB, {guest.nic}, {guest.cpus} "
                 f"processors, QEMU {os.environ.get('BALLAST_ACCEL', 'tcg')}",
        "server": f"nbd-server, one connection each, {where.st_size // MIB} MiB of data "
                  + ("in memory" if memory else "on disk"),
        "schedulers": ", ".join(f"{subject} {name}" for subject, name in chosen.items()),
    }


if __name__ == "__main__":
    sys.exit(main())
