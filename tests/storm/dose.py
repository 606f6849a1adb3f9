#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""How large a burst of packets does a reserve of so many pages carry?

Started by make storm-dose. A guest swaps over ballast. Again and again, a burst of
GFP_ATOMIC allocations (dose/dose.c) takes a page for each packet until an allocation
fails. A larger burst would have failed too, a smaller one would not: so the bursts give
the probability that a refill fails, by the size of the burst, for each size of the reserve.
"""

import argparse
import datetime
import json
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "vm")]

import run  # noqa: E402
import storm  # noqa: E402
import variables  # noqa: E402
from rig import host, image, module, pyplot  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM, CommandFailed  # noqa: E402
from rig.wait import until  # noqa: E402

RESERVE = "/sys/class/net/eth0/ballast"
BURST = "/sys/module/dose/parameters/burst"
MOST = 20000    # packets of a burst; that many always fail
MEMORY = 256    # MiB
BELOW = 2000    # free pages at which a burst begins; a machine that swaps has 1,700 and more
SIZES = "0 140 280 561 1122"


def dose(guest, pages):
    """How many packets of a burst find memory, with a reserve of so many pages, all at hand."""
    size = f"{RESERVE}/size_pages"
    until(lambda: not guest.run(f"echo {pages} > {size}", check=False).status, 60,
          f"a reserve of {pages} pages")
    until(lambda: guest.run(f"cat {size} {RESERVE}/lent_pages").output.split() == [str(pages), "0"],
          60, "all blocks to be at hand")
    until(lambda: not guest.run(f"echo {MOST} > {BURST}", check=False).status, 60,
          f"fewer than {BELOW} free pages")
    return int(guest.run(f"cat {BURST}").output)


def measure(options, sizes, ballast, dosing, show):
    """show(number, {pages of the reserve: [packets of each burst that found memory]}) a round."""
    found = {pages: [] for pages in sizes}
    # One processor, so that nothing is freed during a burst.
    with NbdServer({"swap": 1 << 30}) as server, \
            VM(options.suite, memory=MEMORY, cpus=1, logs=Path(options.out) / "logs") as guest:
        guest.put("/run/ballast.ko", module.stripped(ballast))
        guest.put("/run/dose.ko", module.stripped(dosing))
        guest.run("insmod /run/ballast.ko && insmod /run/dose.ko "
                  f"below={BELOW}")
        with Disk(guest, server, export="swap") as disk:
            guest.run(f"mkswap {disk.path} && swapon {disk.path}")
            hogs = guest.spawn(f"exec stress-ng --vm 2 --vm-bytes {int(MEMORY * run.OVERCOMMIT)}M "
                               "--vm-keep --vm-method rand-set -t 0")
            swapped = "awk '/^pswpin / {print $2}' /proc/vmstat"
            until(lambda: int(guest.run(swapped).output) > 1000, 120, "the guest to swap")
            for number in range(options.runs):
                for pages in sizes[::-1] if number % 2 else sizes:
                    found[pages].append(dose(guest, pages))
                show(number, found)
            hogs.kill()
            hogs.wait(60)
            guest.run("swapoff -a", timeout=300)
        guest.run("rmmod dose ballast")


def failed(bursts, packets):
    """The share of bursts in which one of so many packets finds no memory."""
    return sum(burst < packets for burst in bursts) / len(bursts)


def table(found, about):
    lines = [f"{name}: {text}" for name, text in about.items()]
    lines += ["", f"{'reserve, pages':>14} {'bursts':>6} {'a tenth fails':>13} {'half fail':>9} "
              f"{'nine tenths':>11} {'more than without':>17}"]
    without = statistics.median(found[min(found)])
    for pages, bursts in sorted(found.items()):
        tenth, half, most = quantiles(bursts)
        lines.append(f"{pages:14} {len(bursts):6} {tenth:13.0f} {half:9.0f} {most:11.0f} "
                     f"{half - without:17.0f}")
    return "\n".join([*lines, "", LEGEND])


LEGEND = """\
Packets of a burst at which a refill fails in a tenth, half, and nine tenths of the bursts; how much
larger that is for half of them than with the smallest reserve.
"""


def quantiles(bursts):
    """Of which a tenth, half and nine tenths of them are smaller."""
    if len(bursts) == 1:
        return bursts * 3
    tenths = statistics.quantiles(bursts, n=10, method="inclusive")
    return tenths[0], statistics.median(bursts), tenths[-1]


def picture(found, about, path):
    """One curve for each size of the reserve."""
    plot = pyplot.load()
    if not plot:
        return
    figure, axes = plot.subplots(figsize=(10, 5))
    largest = max(max(bursts) for bursts in found.values())
    for pages, bursts in sorted(found.items()):
        steps = [0, *sorted(bursts), largest * 1.05]
        # One packet more than found memory, and the burst fails.
        axes.step(steps, [failed(bursts, step + 1) for step in steps], where="post",
                  label=f"reserve of {pages} pages")
    axes.set_xlim(0, largest * 1.05)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("packets of a burst, a page each, that no program reads")
    axes.set_ylabel("probability that a refill fails")
    axes.set_title(f"{about['date']}, ballast {about['ballast']}, {about['guest']}\n"
                   f"{about['command']}", fontsize=8)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plot.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--suite", default="bookworm", choices=image.SUITES)
    parser.add_argument("--sizes", type=variables.words(int), default=SIZES)
    parser.add_argument("--out", default="build/storm-dose")
    options = variables.parse(parser, sys.argv[1:])
    sizes = sorted(set(map(int, options.sizes)))
    if options.runs < 1 or not sizes or sizes[0] < 0:
        parser.error("--runs is at least 1, and --sizes are not negative")
    if not host.inside():
        image.get(options.suite)
        host.enter(json.dumps([str(module.build(options.suite).path), str(module.build(
            options.suite, source=HERE / "dose", name="dose").path)]))
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    about = {
        "date": datetime.date.today().isoformat(),
        "command": f"make storm-dose {variables.said(options, parser)}".strip(),
        "ballast": storm.version(),
        "guest": f"kernel {image.get(options.suite).release}, {MEMORY} MiB, virtio_net, "
                 "1 processor, QEMU tcg",
    }

    def show(number, found):
        text = table(found, about)
        (out / "table.txt").write_text(text)
        (out / "results.json").write_text(json.dumps({"about": about, "found": found}) + "\n")
        # Each time: the guest may not last until the last round.
        picture(found, about, out / "dose.svg")
        print(f"round {number + 1}\n{text}", flush=True)
    try:
        measure(options, sizes, *map(Path, json.loads(host.inside())), show)
    except (CommandFailed, TimeoutError) as error:
        print(f"no more rounds: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
