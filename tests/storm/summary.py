#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Many storms in one table: summary.py OUT results.json...

Groups what make storm has left by subject, storm and conditions, and writes
OUT.txt and OUT.json.
"""

import json
import statistics
import sys
from pathlib import Path

# The default conditions; only others are shown.
USUAL = {"suite": "bookworm", "nic": "virtio-net-pci", "memory": 256, "min_free": 0,
         "mtu": 1500, "sg": True, "nics": 1, "storm_nic": 1, "queues": 1, "ring": 0, "mrg": True,
         "rate": "", "pps": 0, "udp_mem": 0, "tcp_mem": 0, "threaded": False, "capture": 0,
         "reserve": 0}
WORDS = {"suite": "{}", "nic": "{}", "memory": "{} MiB", "min_free": "min_free {}", "mtu": "MTU {}",
         "sg": "no scatter-gather", "nics": "{} NICs", "storm_nic": "storm on NIC {}",
         "queues": "{} queues", "ring": "ring {}", "mrg": "no mergeable buffers",
         "rate": "server {}bit/s", "pps": "{} packets/s", "udp_mem": "udp_mem {}",
         "tcp_mem": "tcp_mem {}", "threaded": "threaded NAPI", "capture": "capture of {} KiB",
         "reserve": "reserve={}"}
COLUMNS = (("subject", 11), ("storm", 5), ("conditions", 18), ("runs", 4), ("lived", 5),
           ("starved", 7), ("deadlocked", 10), ("corrupt", 7), ("gap", 5), ("calm/s", 6),
           ("during", 6), ("least", 5), ("after", 5), ("least ", 6),
           ("storm/none", 10), ("after/none", 10), ("dropped", 8), ("lent", 5),
           ("failed", 6), ("unloaded", 8))
LEGEND = """\
lived, starved, deadlocked, corrupt: runs; corrupt: stress-ng found a wrong page. gap: longest time,
in seconds, without a completed request while some were in flight, of all runs. calm/s: pages
swapped in and out in a second before the storm, median; during, after: median of the runs' ratios
to that, and the least of them. storm/none, after/none: mean rates of those phases, the median of
the runs, by the same seconds of runs without a storm where there are such: the hogs write and
verify in turn, and that alone makes a rate rise and fall by a third. dropped, lent: median packets,
most pages. failed: a driver's allocations that failed ("page allocation failure" with GFP_ATOMIC).
unloaded: runs after which swap was ended, the disk detached and the module unloaded at once; the
others ended otherwise.
"""


def conditions(result):
    said = {**USUAL, **result["conditions"]}
    return ", ".join(WORDS[name].format(said[name]) for name, usual in USUAL.items()
                     if said[name] != usual) or "-"


def middle(values, digits=2):
    values = [value for value in values if value is not None]
    return round(statistics.median(values), digits) if values else None


def least(values):
    values = [value for value in values if value is not None]
    return min(values) if values else None


def mean_rate(result, begin, end):
    """Pages swapped in and out in a second, of all those seconds."""
    series = result["series"]
    rates = [came + went for time, came, went in zip(series["time"], series["in"], series["out"])
             if begin < time <= end]
    return statistics.mean(rates) if rates else 0


def phases(result):
    """The storm's seconds, and those after it; from the storm's beginning."""
    seconds = result["seconds"]
    return (0, seconds["after"]), (seconds["after"], seconds["end"])


def beside_none(results, none):
    """What the runs swapped in either phase, by those without a storm."""
    if not none:
        return None, None
    rates = [[statistics.median(mean_rate(result, *phases(result)[which]) for result in runs)
              for runs in (results, none)] for which in (0, 1)]
    return [round(with_it / without, 2) if without else None for with_it, without in rates]


def row(key, results, none):
    def count(name, value):
        return sum(result[name] == value for result in results)

    # With the same phases: at another time of a run the hogs do something else.
    none = [result for result in none if result["conditions"] == results[0]["conditions"]]
    storm, after = beside_none(results, none)
    ratios = {name: [result["ratio"][name] for result in results] for name in ("storm", "after")}
    return {
        "subject": key[0], "storm": key[1], "conditions": key[2], "runs": len(results),
        **{verdict: count("verdict", verdict) for verdict in ("lived", "starved", "deadlocked")},
        "corrupt": count("verify", "corrupt"),
        "gap": max(result["gap"] for result in results),
        "calm/s": middle([result["rate"]["calm"] for result in results], 0),
        "during": middle(ratios["storm"]), "least": least(ratios["storm"]),
        "after": middle(ratios["after"]), "least ": least(ratios["after"]),
        "storm/none": storm, "after/none": after,
        "dropped": middle([result["dropped"] for result in results], 0),
        "lent": max((result["lent"] or 0 for result in results), default=None),
        "failed": sum(result["allocation_failures"] for result in results),
        "unloaded": sum(bool(result.get("unloaded")) for result in results),
    }


def main():
    out, *paths = map(Path, sys.argv[1:])
    groups, abouts = {}, []
    for path in paths:
        data = json.loads(path.read_text())
        abouts.append(data["about"])
        for result in data["results"]:
            groups.setdefault((result["subject"], result["storm"], conditions(result)),
                              []).append(result)
    rows = [row(key, results, groups.get((key[0], "calm", key[2]), []))
            for key, results in groups.items()]
    lines = list(dict.fromkeys(f"{about['date']}, ballast {about['ballast']}: {about['command']}"
                               for about in abouts))
    lines += [f"guest: {abouts[0]['guest']}", ""]
    lines.append(" ".join(f"{name:>{width}}" for name, width in COLUMNS))
    for values in rows:
        lines.append(" ".join(f"{'-' if values[name] is None else values[name]:>{width}}"
                              for name, width in COLUMNS))
    text = "\n".join([*lines, "", LEGEND])
    out.with_suffix(".txt").write_text(text)
    out.with_suffix(".json").write_text(
        json.dumps({"about": abouts, "rows": rows}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
