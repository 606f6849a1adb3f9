# SPDX-License-Identifier: GPL-2.0
"""What is made of the results: a table, JSON, and a picture a storm."""

import json

import answers
import run
from rig import pyplot

# Heading, width, and what to show of a result.
COLUMNS = (
    ("subject", 11, lambda r: r["subject"]),
    ("storm", 5, lambda r: r["storm"]),
    ("verdict", 10, lambda r: r["verdict"]),
    ("pages", 7, lambda r: r["verify"]),
    ("calm/s", 6, lambda r: r["rate"]["calm"]),
    ("storm/s", 7, lambda r: r["rate"]["storm"]),
    ("after/s", 7, lambda r: r["rate"]["after"]),
    ("during", 6, lambda r: _ratio(r["ratio"]["storm"])),
    ("after", 5, lambda r: _ratio(r["ratio"]["after"])),
    ("gap", 5, lambda r: r["gap"]),
    ("late", 5, lambda r: r["late"]),
    ("dropped", 8, lambda r: _or_dash(r["dropped"])),
    ("kept", 7, lambda r: _or_dash(r["kept"])),
    ("lent", 5, lambda r: _or_dash(r["lent"])),
    ("rescues", 7, lambda r: _or_dash(r["rescues"])),
    ("tcp_mem", 7, lambda r: _or_dash(r["tcp_mem"])),
    ("udp_mem", 7, lambda r: _or_dash(r["udp_mem"])),
    ("failed", 6, lambda r: r["allocation_failures"]),
    ("lost", 6, lambda r: _or_dash(r.get("lost"))),
    ("load", 4, lambda r: r["load"]),
)
# Of probe.py's questions: heading, width, and the figure of each phase.
PROBE = (
    ("pings lost", 15, "ping", "lost"), ("slowest", 19, "ping", "slowest"),
    ("outage", 16, "ping", "outage"), ("lines lost", 13, "session", "lost"),
    ("slowest ", 19, "session", "slowest"),
)
LEGEND = """\
calm/s, storm/s, after/s: pages swapped in and out in a second, medians of the phase's seconds;
during, after: those of storm and after as ratios to calm. gap: longest time, in seconds, without
a completed request while some were in flight, from the storm's beginning on; late: longest time
that the reporter, looking every 0.1 s, was kept from it. dropped, kept: packets while the reserve
was in use; lent: pages, at most; tcp_mem: pages that TCP held after the storm, at most;
udp_mem: those that UDP held, at most. failed: "page allocation failure" with GFP_ATOMIC on the
console. lost: packets that did not get into the guest because its NIC was full; the disk's may be
among them, and no reserve helps against that. load: of the host, at the end, over a minute; well
over 2, others had the processors, and rates and gaps are theirs too.
starved: under a tenth of the calm rate. deadlocked: no sign for 10 s, or no completed request for
15 s. pages: what stress-ng's verification found; unknown when it could not be ended.
"""
PROBE_LEGEND = """\
Ten pings a second, and a line a second over a TCP connection to a program that sends it back:
how many were never answered, the slowest answer and the longest time without one, in seconds; of
the calm, the storm and the time after it.
"""


def _ratio(value):
    return "-" if value is None else f"{value:.2f}"


def _or_dash(value):
    return "-" if value is None else value


def table(results, about):
    lines = [f"{name}: {text}" for name, text in about.items()]
    lines += ["storms: " + "; ".join(f"{letter}: {run.TITLES[letter]}" for letter in
                                     dict.fromkeys(r["storm"] for r in results)), ""]
    lines.append(" ".join(f"{name:>{width}}" for name, width, _ in COLUMNS))
    for result in results:
        lines.append(" ".join(f"{str(show(result)):>{width}}" for _, width, show in COLUMNS))
    lines += ["", LEGEND, *probe_table(results)]
    return "\n".join(lines)


def probe_table(results):
    """Lines: what became of the probe's questions."""
    width = max(len(result["subject"]) for result in results)
    lines = [f"{'subject':>{width}} storm "
             + " ".join(f"{heading.strip():>{wide}}" for heading, wide, *_ in PROBE)]
    for result in results:
        cells = ("/".join(str(_or_dash(result["probe"][kind][phase][figure]))
                          for phase in answers.PHASES[1:]) for _, _, kind, figure in PROBE)
        lines.append(f"{result['subject']:>{width}} {result['storm']:>5} "
                     + " ".join(f"{cell:>{wide}}" for cell, (_, wide, *_) in zip(cells, PROBE)))
    return [*lines, "", PROBE_LEGEND]


def write(results, about, directory):
    """All of it, into directory; returns the table."""
    text = table(results, about)
    (directory / "table.txt").write_text(text)
    kept = [{**result, "series": _columns(result["series"]), "logs": None, "hogs": None}
            for result in results]
    (directory / "results.json").write_text(
        json.dumps({"about": about, "results": kept}, separators=(",", ":")) + "\n")
    for storm in dict.fromkeys(result["storm"] for result in results):
        picture([r for r in results if r["storm"] == storm], storm, about,
                directory / f"storm-{storm}.svg")
    return text


def _columns(series):
    """The same with every name said once."""
    return {name: [sample[name] for sample in series] for name in series[0]}


def picture(results, storm, about, path):
    """Swap rate over time, one line a run, subjects by color, the storm shaded."""
    plot = pyplot.load()
    if not plot:
        return
    figure, axes = plot.subplots(figsize=(10, 5))
    names = list(dict.fromkeys(result["subject"] for result in results))
    labeled = set()
    for result in results:
        name = result["subject"]
        times, rates = _line(result)
        axes.plot(times, rates, color=f"C{names.index(name)}", linewidth=1.2, alpha=0.8,
                  label=None if name in labeled else result["title"])
        labeled.add(name)
    seconds = results[0]["seconds"]
    axes.axvspan(0, seconds["after"], color="0.88", zorder=0,
                 label=f"storm {storm}: {run.TITLES[storm]}")
    axes.set_xlim(seconds["calm"] - 2, seconds["end"])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds from the storm's beginning")
    axes.set_ylabel("pages swapped in and out in a second")
    axes.set_title(f"{about['date']}, ballast {about['ballast']}, {about['guest']}\n"
                   f"{about['command']}", fontsize=8)
    axes.legend(loc="upper right", fontsize=8, ncol=1 if len(names) < 4 else 2)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plot.close(figure)


def _line(result):
    """Times and rates; what gave no line swapped nothing."""
    times, rates = [], []
    for sample in result["series"]:
        if times and sample["time"] - times[-1] > 3:
            times += [times[-1] + 1, sample["time"] - 1]
            rates += [0, 0]
        times.append(sample["time"])
        rates.append(sample["in"] + sample["out"])
    end = result["seconds"]["end"]
    if times and end - times[-1] > 3:
        times += [times[-1] + 1, end]
        rates += [0, 0]
    return times, rates
