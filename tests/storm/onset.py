#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A machine in no danger begins to swap: does it still answer, and how fast is it reached?

Started by make storm-calm. Hogs want 1.7 times the memory. For 30 s from the first page
that is swapped out, ten pings a second and a line a second are answered, or not: without
other traffic, and beside a TCP stream of iperf3; with the filter and without it.
"""

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import answers  # noqa: E402
import probe  # noqa: E402
import run  # noqa: E402
import samples  # noqa: E402
import subjects  # noqa: E402
import variables  # noqa: E402
from rig import host, image, module, net  # noqa: E402
from rig.agent import GuestGone  # noqa: E402
from rig.vm import VM  # noqa: E402

SECONDS = 30
INTERVAL = re.compile(r"\] +([\d.]+)-([\d.]+) +sec +\S+ +\S+ +([\d.]+) Mbits/sec")
COLUMNS = (
    ("subject", 10, lambda r: r["subject"]),
    ("stream", 6, lambda r: "yes" if r["stream"] else "no"),
    ("pings", 5, lambda r: r["ping"]["sent"]),
    ("lost", 4, lambda r: r["ping"]["lost"]),
    ("slowest", 7, lambda r: r["ping"]["slowest"]),
    ("outage", 6, lambda r: r["ping"]["outage"]),
    ("lines", 5, lambda r: r["session"]["sent"]),
    ("lost", 4, lambda r: r["session"]["lost"]),
    ("slowest", 7, lambda r: r["session"]["slowest"]),
    ("in_use_ms", 9, lambda r: r["in_use_ms"]),
    ("critical", 8, lambda r: r["critical_ms"]),
    ("dropped", 7, lambda r: r["dropped"]),
    ("full", 5, lambda r: r["full"]),
    ("pages/s", 7, lambda r: r["rate"]),
    ("Mbit/s", 6, lambda r: r["mbit"]),
)
LEGEND = """\
pings, lines: sent in the 30 s from the first page swapped out; lost: never answered; slowest
answer, and outage, the longest time without an answer: in seconds. in_use_ms, critical
(ms of those), dropped: the reserve's, in that time. full: packets that the guest's NIC had no room
for, all the time; a ping may be among them. pages/s: swapped in and out, mean. Mbit/s: of the
stream, mean.
"""


@contextlib.contextmanager
def stream(guest, path):
    """iperf3 from the host end into the guest; yields when it was started."""
    server = guest.spawn("exec iperf3 -s --forceflush")
    server.wait_output("Server listening")
    with open(path, "wb") as file:
        client = host.start(["iperf3", "-c", guest.address4, "-t", "600", "-f", "m", "-i", "1",
                             "--forceflush"], stdout=file, stderr=subprocess.STDOUT)
        try:
            yield time.monotonic()
        finally:
            client.kill()
            client.wait()


def throughput(text, begin, end):
    """Mbit/s in that time, in seconds from the stream's beginning; what is not said is 0."""
    said = sum((min(float(until), end) - max(float(since), begin)) * float(mbit)
               for since, until, mbit in INTERVAL.findall(text)
               if float(until) > begin and float(since) < end)
    return round(said / (end - begin), 1)


class Watch:
    """The guest's lines, until SECONDS after it has begun to swap."""

    def __init__(self, guest, disk):
        self.samples = samples.Samples()
        self._taken = 0
        self._reporter = guest.spawn(f"exec chrt -f 1 /run/guest report {disk} swap "
                                     + " ".join(samples.FILES.values()))

    def _take(self):
        lines = self._reporter.output.split("\n")[:-1]
        for line in lines[self._taken:]:
            self.samples.add(line, time.monotonic())
        self._taken = len(lines)

    def until_swapping(self):
        """When it began; the line says so up to a second later."""
        deadline = time.monotonic() + run.PATIENCE
        while time.monotonic() < deadline:
            self._take()
            last = self.samples.last
            if last and last.swapped_out > self.samples.all[0].swapped_out:
                return last.time - last.span
            time.sleep(0.1)
        raise TimeoutError("the guest did not begin to swap")

    def go_on(self, end):
        while time.monotonic() < end:
            self._take()
            time.sleep(0.1)


def onset(name, streaming, suite, memory, ko, directory):
    """One run, as a dict."""
    directory.mkdir(parents=True, exist_ok=True)
    subject = subjects.parse(name)
    with contextlib.ExitStack() as stack:
        guest = stack.enter_context(VM(suite, memory=memory, logs=directory))
        guest.put("/run/guest", run.tool(), 0o755)
        guest.put("/run/ballast.ko", module.stripped(ko))
        stack.enter_context(subject.attach(guest, net.HOST4))
        guest.run(f"mkswap /dev/{subject.disk} && swapon /dev/{subject.disk}")
        guest.spawn(f"exec /run/guest echo {probe.PORT}").wait_output("ready")
        stack.enter_context(probe.running(guest.address4, directory / "answers"))
        began = streaming and stack.enter_context(stream(guest, directory / "iperf3"))
        watch = Watch(guest, subject.disk)
        hogs = guest.spawn(f"exec stress-ng --vm 2 --vm-bytes {int(memory * run.OVERCOMMIT)}M "
                           "--vm-keep --verify --vm-method rand-set -t 0")
        begin = watch.until_swapping()
        # Before the hogs end: what was asked last may yet be answered.
        watch.go_on(begin + SECONDS + answers.GRACE)
        full = net.counters(guest.network.taps[0])["tx"]["dropped"]
        with contextlib.suppress(TimeoutError, GuestGone):
            hogs.kill()
    end = begin + SECONDS
    asked = answers.read(directory / "answers")
    rates = watch.samples.rates(begin, end)
    return {
        "subject": name, "stream": streaming,
        **{kind: answers.phase([one for one in asked if one.kind == kind], begin, end,
                               end + answers.GRACE) for kind in answers.KINDS},
        **{figure: watch.samples.growth(figure, begin - 1, end)
           for figure in ("in_use_ms", "critical_ms", "activations", "dropped", "kept", "lends")},
        "full": full, "rate": round(statistics.mean(rates)),
        "mbit": throughput((directory / "iperf3").read_text(), begin - began, end - began)
        if streaming else None,
    }


def table(results):
    lines = [" ".join(f"{heading:>{width}}" for heading, width, _ in COLUMNS)]
    for result in results:
        cells = ("-" if show(result) is None else show(result) for _, _, show in COLUMNS)
        lines.append(" ".join(f"{cell:>{width}}" for cell, (_, width, _) in zip(cells, COLUMNS)))
    lines += ["", LEGEND]
    on, off = (statistics.median([r["mbit"] for r in results if r["stream"]
                                  and r["subject"] == name] or [0])
               for name in ("ballast", "no-filter"))
    if on and off:
        lines.append(f"throughput with the filter by that without it: {on / off:.2f}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--suite", default="bookworm", choices=image.SUITES)
    parser.add_argument("--mem", type=int, default=256, help="MiB")
    parser.add_argument("--out", default="build/storm-calm")
    options = variables.parse(parser, sys.argv[1:])
    if not host.inside():
        image.get(options.suite)
        host.enter(module.build(options.suite).path)
    out, results = Path(options.out), []
    for number in range(options.runs):
        for streaming in (False, True):
            for name in ("ballast", "no-filter"):
                logs = out / "logs" / f"{name}-{'stream' if streaming else 'pings'}-{number}"
                results.append(onset(name, streaming, options.suite, options.mem,
                                     Path(host.inside()), logs))
                (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
                (out / "table.txt").write_text(table(results) + "\n")
                print(f"\n{table(results)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
