# SPDX-License-Identifier: GPL-2.0
"""From figures to a table: medians, spreads, the ratios round by round, and what they must be."""

import statistics

from jobs import units

# Ratios of ballast's figure to the others': at least, or at most where less is better.
LEAST = {
    ("randread 4k qd32", "nbd"): 1.5, ("randread 4k qd32", "nvme"): 1.1,
    ("randwrite 4k qd32", "nbd"): 1.5, ("randwrite 4k qd32", "nvme"): 1.1,
    ("read 128k qd16", "nbd"): 1.2, ("read 128k qd16", "nvme"): 1.0,
    ("read 128k qd16", "limit"): 0.9,
    ("write 128k qd16", "nbd"): 1.2, ("write 128k qd16", "nvme"): 1.0,
    ("write 128k qd16", "limit"): 1.08,
    ("swap", "nbd"): 1.3, ("swap", "nvme"): 1.7,
}
MOST = {
    ("latency of a 4k read", "nbd"): 0.75, ("latency of a 4k read", "nvme"): 1.0,
    ("latency of a 4k read", "limit"): 1.8,
    ("4k read: processor", "nbd"): 0.7, ("4k read: processor", "nvme"): 0.9,
    ("4k write: processor", "nbd"): 0.7, ("4k write: processor", "nvme"): 0.9,
    ("time of a fault", "nbd"): 0.6,
}
# Instructions of a request, at most.
INSTRUCTIONS = {"4k read, depth 32": 17000, "128k read, depth 16": 70000}
# What is left to reach, beside the peers' cells: those of the ratios that goals() has a line for.
GOALS = (
    ("128k read against iperf3", "read 128k qd16", "limit"),
    ("128k write against iperf3", "write 128k qd16", "limit"),
    ("4k read, depth 1, against a TCP round trip", "latency of a 4k read", "limit"),
    ("time of a fault, against in-tree nbd", "time of a fault", "nbd"),
    ("swap pages/s against NVMe/TCP", "swap", "nvme"),
)


def evaluate(figures):
    """For each figure: medians, spreads, and the medians of the rounds' ratios to each other."""
    results = []
    for name, unit in units().items():
        rounds = {subject: values for subject, values in figures[name].items() if values}
        if "ballast" not in rounds:
            continue    # its job was left out
        ratios = {other: [ours / theirs for ours, theirs in zip(rounds["ballast"], values)]
                  for other, values in rounds.items() if other != "ballast"}
        results.append({
            "figure": name, "unit": unit, "rounds": rounds, "ratios": ratios,
            "median": {subject: statistics.median(values) for subject, values in rounds.items()},
            "spread": {subject: spread(values) for subject, values in rounds.items()},
            "ratio": {other: statistics.median(values) for other, values in ratios.items()},
            "verdict": {other: verdict(name, other, statistics.median(values))
                        for other, values in ratios.items()},
        })
    return results


def verdict(name, other, ratio):
    """pass, short, or nothing where nothing is asked; of the ratio as it is printed."""
    ratio = round(ratio, 2)
    if (name, other) in LEAST:
        return "pass" if ratio >= LEAST[name, other] else "short"
    if (name, other) in MOST:
        return "pass" if ratio <= MOST[name, other] else "short"
    return ""


def goals(results, counts):
    """The table of what is to be reached; counts: {job: instructions of a request}."""
    by_name = {result["figure"]: result for result in results}
    rows = []
    for what, name, other in GOALS:
        result = by_name.get(name)
        if result and other in result["ratio"]:
            least = (name, other) in LEAST
            goal = (LEAST if least else MOST)[name, other]
            rows.append((what, f"{result['ratio'][other]:.2f}", f"{goal} or "
                         + ("more" if least else "less"), result["verdict"][other]))
    for what, count in counts.items():
        rows.append((f"instructions: {what}", f"{count:,.0f}", f"{INSTRUCTIONS[what]:,} or less",
                     "pass" if count <= INSTRUCTIONS[what] else "short"))
    beside = [verdict for result in results for other, verdict in result["verdict"].items()
              if verdict and (result["figure"], other) not in [goal[1:] for goal in GOALS]]
    if beside:
        rows.append(("all other cells that have a goal", f"{beside.count('pass')} of {len(beside)}",
                     "all", "short" if "short" in beside else "pass"))
    if not rows:
        return ""
    rows.insert(0, ("what ballast must reach", "now", "goal", ""))
    return "\n".join(f"{what:44}{now:>10}   {goal:20}{verdict}".rstrip()
                     for what, now, goal, verdict in rows)


def spread(values):
    """From the least to the most, as a part of the median."""
    return (max(values) - min(values)) / statistics.median(values)


def table(results, about, titles):
    """titles: {subject: what it is called}, ballast's last."""
    others = [subject for subject in titles if subject != "ballast"]
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", " " * 32 + "".join(f"{title:>18}" for title in titles.values())
              + "".join(f"{'/ ' + titles[other]:>22}" for other in others)]
    for result in results:
        line = f"{result['figure']:24}{result['unit']:>8}"
        for subject in titles:
            line += (f"{number(result['median'][subject]):>10}{result['spread'][subject]:8.0%}"
                     if subject in result["median"] else f"{'-':>18}")
        for other in others:
            line += (f"{result['ratio'][other]:10.2f}{spread(result['ratios'][other]):6.0%}"
                     f"{result['verdict'][other]:>6}" if other in result["ratio"] else f"{'-':>22}")
        lines.append(line)
    lines += ["", "Medians of the rounds, and from the least to the most as a part of that; then "
              "ballast's", "figure by the other's, the median of the rounds' own, and whether that "
              "is what we ask of",
              "ourselves. Limits: a byte's round trip over TCP for one 4k read, iperf3 for 128k."]
    return "\n".join(lines)


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
