#!/usr/bin/python3
"""Many storms in one table: summary.py OUT results.json...

Groups what make storm has left by subject, storm and conditions, and writes
OUT.txt and OUT.json.
"""

import json
import statistics
import sys
from pathlib import Path

# What the conditions are where nobody said otherwise; only others are shown.
USUAL = {"suite": "bookworm", "nic": "virtio-net-pci", "memory": 256, "min_free": 0, "mtu": 1500, "sg": True}
WORDS = {"suite": "{}", "nic": "{}", "memory": "{} MiB", "min_free": "min_free {}", "mtu": "MTU {}",
         "sg": "no scatter-gather"}
COLUMNS = (("subject", 11), ("storm", 5), ("conditions", 18), ("runs", 4), ("lived", 5),
           ("starved", 7), ("deadlocked", 10), ("corrupt", 7), ("gap", 5), ("calm/s", 6),
           ("during", 6), ("least", 5), ("after", 5), ("least ", 6), ("dropped", 8), ("lent", 5),
           ("failed", 6), ("unloaded", 8))
LEGEND = """\
lived, starved, deadlocked, corrupt: runs; corrupt: stress-ng found a wrong page. gap: longest time,
in seconds, without a completed request while some were in flight, of all runs. calm/s: pages
swapped in and out in a second before the storm, median; during, after: median of the runs' ratios to that,
and the least of them. dropped, lent: median packets, most pages. failed: a driver's
allocations that failed ("page allocation failure" on the console). unloaded: runs after which swap
was ended, the disk detached and the module unloaded at once; the others ended otherwise.
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


def row(key, results):
    def count(name, value):
        return sum(result[name] == value for result in results)

    ratios = {name: [result["ratio"][name] for result in results] for name in ("storm", "after")}
    return {
        "subject": key[0], "storm": key[1], "conditions": key[2], "runs": len(results),
        **{verdict: count("verdict", verdict) for verdict in ("lived", "starved", "deadlocked")},
        "corrupt": count("verify", "corrupt"),
        "gap": max(result["gap"] for result in results),
        "calm/s": middle([result["rate"]["calm"] for result in results], 0),
        "during": middle(ratios["storm"]), "least": least(ratios["storm"]),
        "after": middle(ratios["after"]), "least ": least(ratios["after"]),
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
    rows = [row(key, results) for key, results in groups.items()]
    lines = list(dict.fromkeys(f"{about['date']}, ballast {about['ballast']}: {about['command']}"
                               for about in abouts))
    lines += [f"guest: {abouts[0]['guest']}", ""]
    lines.append(" ".join(f"{name:>{width}}" for name, width in COLUMNS))
    for values in rows:
        lines.append(" ".join(f"{'-' if values[name] is None else values[name]:>{width}}"
                              for name, width in COLUMNS))
    text = "\n".join([*lines, "", LEGEND])
    out.with_suffix(".txt").write_text(text)
    out.with_suffix(".json").write_text(json.dumps({"about": abouts, "rows": rows}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
