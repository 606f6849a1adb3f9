#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Where a request's time goes: started by make bench-trace.

One 4k read at a time, traced by the kernel's own events and by ballast's, on ballast and
on its peers in one guest. A request's time is cut where those events were; what counts
is the median of each piece. Tracing takes time as well: shares mean something, and one
disk's beside another's; the sum is longer than without.
"""

import gzip
import re
import statistics
from collections import Counter

import bench
import pictures
from jobs import SIZE
from rig.vm import VM

# What lies between two events. The server's answer comes in between the third and fourth.
STAGES = (
    ("system call, block layer", "sys_enter_pread64", "block_rq_issue"),
    ("driver, TCP and IP, out", "block_rq_issue", "net_dev_start_xmit"),
    ("network card, out", "net_dev_start_xmit", "net_dev_xmit"),
    ("network and server", "net_dev_xmit", "irq_handler_entry"),
    ("network card, in", "irq_handler_entry", "netif_receive_skb"),
    ("IP, TCP and driver, in", "netif_receive_skb", "block_rq_complete"),
    ("end of request, wake-up", "block_rq_complete", "sys_exit_pread64"),
)
# Of ballast alone, within those.
OWN = (
    ("the submitter is free again", "net_dev_xmit", "ballast_rq_sent"),
    ("IP, TCP, reply into the pages", "netif_receive_skb", "ballast_rq_answered"),
    ("ends the request", "ballast_rq_answered", "block_rq_complete"),
)
LAST = ("irq_handler_entry", "netif_receive_skb")  # of several the last counts: the answer
EVENTS = ("syscalls/sys_enter_pread64", "syscalls/sys_exit_pread64", "block/block_rq_issue",
          "block/block_rq_complete", "net/net_dev_start_xmit", "net/net_dev_xmit",
          "net/netif_receive_skb", "irq/irq_handler_entry", "ballast")
LINE = re.compile(r" +.+-\d+ +\[\d+\] \S+ +(?P<time>\d+\.\d+): (?P<event>\w+)(?P<rest>.*)")
TRACE = """
    set -e
    cd /sys/kernel/tracing
    echo 0 > tracing_on
    echo mono > trace_clock
    echo 8192 > buffer_size_kb
    echo > set_event
    for event in {events}; do echo 1 > events/$event/enable; done
    echo > trace
    fio --name=trace --filename={disk} --rw=randread --bs=4k --ioengine=psync --direct=1 \
        --size={size} --time_based --runtime={seconds} --norandommap --randrepeat=0 > /dev/null &
    sleep 2
    echo 1 > tracing_on
    sleep 1
    echo 0 > tracing_on
    wait
    gzip -c trace > /run/trace.gz
    echo > set_event
    echo > trace
"""


def trace(guest, disk):
    """The requests of a second: [{event: when, in us}]"""
    guest.run(TRACE.format(events=" ".join(EVENTS), disk=disk, size=SIZE, seconds=4), timeout=120)
    requests, now = [], None
    for line in gzip.decompress(guest.get("/run/trace.gz")).decode(errors="replace").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        event, at = found["event"], float(found["time"]) * 1e6
        if event == "sys_pread64":
            event = "sys_exit_pread64" if "->" in found["rest"] else "sys_enter_pread64"
        if event == "sys_enter_pread64":
            now = {}
        if now is None or (event == "irq_handler_entry" and "input" not in found["rest"]):
            continue
        if event in LAST and "block_rq_complete" in now:
            continue
        if event in LAST or event not in now:
            now[event] = at
        if event == "sys_exit_pread64":
            requests.append(now)
            now = None
    return requests


def pieces(requests, stages):
    """Medians of what lies between the events, in us; and what became of the requests."""
    fate = Counter()
    taken = {name: [] for name, _, _ in stages}
    for request in requests:
        times = [request.get(first) for _, first, _ in stages] + [request.get(stages[-1][2])]
        if None in times:
            fate["without an event"] += 1
        elif times != sorted(times):
            fate["in another order"] += 1
        else:
            fate["counted"] += 1
            for (name, first, last) in stages:
                taken[name].append(request[last] - request[first])
    if not fate["counted"]:
        raise RuntimeError(f"no request has all events: {dict(fate)}, {requests[:3]}")
    return {name: statistics.median(values) for name, values in taken.items()}, dict(fate)


def text(results, about):
    titles = [bench.TITLES[subject] for subject in results]
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"{'us, medians':32}" + "".join(f"{title:>14}" for title in titles)]
    for name, _, _ in STAGES:
        lines.append(f"{name:32}" + "".join(
            f"{result['stages'][name]:14.0f}" for result in results.values()))
    lines.append(f"{'sum':32}" + "".join(
        f"{sum(result['stages'].values()):14.0f}" for result in results.values()))
    lines += ["", "of ballast:"] + [f"{name:32}{value:14.0f}" for name, value
                                    in results["ballast"]["own"].items()]
    lines += ["", *(f"{bench.TITLES[subject]}: requests {result['fate']}"
                    for subject, result in results.items())]
    return "\n".join(lines)


def main():
    options = bench.begin(__doc__, {}, "nbd nvme")
    results = {}
    with VM(memory=bench.MEMORY, name="trace", logs=options.out) as guest:
        server = bench.SERVERS[options.server]
        with bench.disks(guest, options.peers, server) as (there, _):
            about = bench.describe(guest, there, options.server, "make bench-trace")
            for subject, path in there.items():
                requests = trace(guest, path)
                stages, fate = pieces(requests, STAGES)
                results[subject] = {"stages": stages, "fate": fate}
                if subject == "ballast":
                    results[subject]["own"] = {stage[0]: pieces(requests, [stage])[0][stage[0]]
                                               for stage in OWN}
    said = text(results, about)
    print(said)
    pictures.stages(results, [name for name, _, _ in STAGES], bench.TITLES, about,
                    options.out / "trace.svg")
    bench.write(options.out, "trace", said, {"about": about, "results": results})


if __name__ == "__main__":
    main()
