# SPDX-License-Identifier: GPL-2.0
"""Pictures of what was measured, for docs; none without Debian's python3-matplotlib."""

import statistics

from rig import pyplot

BARS = ("latency of a 4k read", "randread 4k qd32", "randwrite 4k qd32", "read 128k qd16",
        "write 128k qd16", "swap", "time of a fault", "4k read: processor",
        "4k write: processor", "4k read: switches")
COLORS = {"nbd": "C7", "nvme": "C1", "zram": "C2", "zram-ballast": "C9", "ballast": "C0"}


def _pyplot():
    plot = pyplot.load()
    if plot:
        plot.rcParams["font.size"] = 8
    return plot


def _save(plot, figure, about, path):
    figure.text(0.01, 0.005, f"{about['date']}, ballast {about['ballast']}, {about['guest']}; "
                f"{about['command']}", fontsize=6, color="0.4")
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    plot.close(figure)


def bars(results, titles, about, path):
    """A panel for each figure, a bar for each disk, from its least to its most; limits drawn in."""
    plot = _pyplot()
    if not plot:
        return
    chosen = [result for name in BARS for result in results if result["figure"] == name]
    figure, panels = plot.subplots(2, (len(chosen) + 1) // 2, figsize=(11, 5.5))
    for panel in panels.flat[len(chosen):]:
        panel.axis("off")
    for panel, result in zip(panels.flat, chosen):
        subjects = [subject for subject in titles if subject in COLORS
                    and subject in result["median"]]
        medians = [result["median"][subject] for subject in subjects]
        spread = [[median - min(result["rounds"][subject])
                   for subject, median in zip(subjects, medians)],
                  [max(result["rounds"][subject]) - median
                   for subject, median in zip(subjects, medians)]]
        panel.bar([titles[subject] for subject in subjects], medians, yerr=spread, capsize=2,
                  color=[COLORS[subject] for subject in subjects], ecolor="0.3")
        if "limit" in result["median"]:
            panel.axhline(result["median"]["limit"], color="C3", linestyle="--", linewidth=1,
                          label="limit")
            panel.legend(loc="lower left", fontsize=6)
        less = result["unit"] in ("us", "")
        panel.set_title(f"{result['figure']}{', ' if result['unit'] else ''}{result['unit']}"
                        f"{' (less is better)' if less else ''}", fontsize=7)
        panel.tick_params(axis="x", labelsize=6)
    _save(plot, figure, about, path)


def latency(latencies, titles, about, path):
    """How long the given part of the reads took at most, one at a time."""
    plot = _pyplot()
    if not plot:
        return
    figure, axes = plot.subplots(figsize=(8, 4.5))
    for subject, rounds in latencies.items():
        percents = sorted({percent for one in rounds for percent in one})
        values = [statistics.median(one[percent] for one in rounds) for percent in percents]
        axes.plot([100 - percent for percent in percents], values, marker=".",
                  color=COLORS[subject], label=titles[subject])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.invert_xaxis()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    ticks = (50, 10, 1, 0.1, 0.01)
    axes.set_xticks(ticks, [f"{100 - tick:g} %" for tick in ticks])
    axes.set_xlabel("of the requests")
    axes.set_ylabel("took at most, us")
    axes.set_title("4k random read, one at a time")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(plot, figure, about, path)


def stages(results, names, titles, about, path):
    """A bar for each disk: the pieces of a request's time one after the other."""
    plot = _pyplot()
    if not plot:
        return
    figure, axes = plot.subplots(figsize=(10, 1.4 + 0.6 * len(results)))
    subjects = list(results)[::-1]
    left = [0.0] * len(subjects)
    for number, name in enumerate(names):
        widths = [results[subject]["stages"][name] for subject in subjects]
        axes.barh([titles[subject] for subject in subjects], widths, left=left,
                  color=f"C{number}", label=name)
        for at, (start, width) in enumerate(zip(left, widths)):
            axes.text(start + width / 2, at, f"{width:.0f}", ha="center", va="center", fontsize=6)
        left = [start + width for start, width in zip(left, widths)]
    axes.set_xlabel("us, traced; medians of each piece")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=4, fontsize=7, frameon=False)
    _save(plot, figure, about, path)


def fleet(results, titles, about, path):
    """What a server gives to so many clients together, how long each waits, and who is busy."""
    plot = _pyplot()
    if not plot:
        return
    figure, (together, wait, busy) = plot.subplots(1, 3, figsize=(11, 3.6))
    for number, (name, rows) in enumerate(results.items()):
        clients = [row["clients"] for row in rows]

        def draw(panel, what, style, label):
            panel.plot(clients, [row[what] for row in rows], style, marker=".",
                       color=f"C{number}", label=label)

        draw(together, "MiB/s", "-", titles[name])
        draw(wait, "ms, median", "-", f"{name}: median")
        draw(wait, "ms, 99 %", "--", f"{name}: 99 % of the slowest client")
        draw(busy, "processors of the guest", "-", f"{name}: all clients")
        draw(busy, "processors of the server", "--", f"{name}: server")
    for panel, title in ((together, "all clients together, MiB/s"), (wait, "a 4k read takes, ms"),
                         (busy, "processors busy")):
        panel.set_xscale("log")
        panel.set_xticks(clients, clients)
        panel.set_xticks([], minor=True)
        panel.set_xlabel("clients")
        panel.set_title(title)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=6)
    wait.set_yscale("log")
    wait.yaxis.set_major_formatter("{x:g}")
    together.set_ylim(bottom=0)
    busy.set_ylim(bottom=0)
    _save(plot, figure, about, path)
