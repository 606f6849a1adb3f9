#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Where a request's time goes: started by make bench-trace.

One 4k read at a time, and one page that comes from swap, traced by the kernel's own events
and by ballast's, on ballast and on its peers in one guest. A request's time is cut where
those events were; what counts is the median of each piece. Tracing takes time as well:
shares mean something, and one disk's beside another's; the sum is longer than without.
"""

import gzip
import re
import statistics
from collections import Counter
from dataclasses import dataclass

import bench
import pictures
from jobs import FAULT, HERE, SIZE
from rig import programs
from rig.vm import VM

# What lies between two events, of a load whose first and last are its own. The server's answer
# comes in between the third and fourth.
STAGES = (
    ("system call, block layer", "first", "block_rq_issue"),
    ("driver, TCP and IP, out", "block_rq_issue", "net_dev_start_xmit"),
    ("network card, out", "net_dev_start_xmit", "net_dev_xmit"),
    ("network and server", "net_dev_xmit", "irq_handler_entry"),
    ("network card, in", "irq_handler_entry", "netif_receive_skb"),
    ("IP, TCP and driver, in", "netif_receive_skb", "block_rq_complete"),
    ("end of request, wake-up", "block_rq_complete", "last"),
)
# Of ballast alone, within those.
OWN = (
    ("the submitter is free again", "net_dev_xmit", "ballast_rq_sent"),
    ("IP, TCP, reply into the pages", "netif_receive_skb", "ballast_rq_answered"),
    ("ends the request", "ballast_rq_answered", "block_rq_complete"),
)
LAST = ("irq_handler_entry", "netif_receive_skb")  # of several the last counts: the answer
EVENTS = ("block/block_rq_issue", "block/block_rq_complete", "net/net_dev_start_xmit",
          "net/net_dev_xmit", "net/netif_receive_skb", "irq/irq_handler_entry", "ballast")
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
    {load}
    echo 1 > tracing_on
    sleep {seconds}
    echo 0 > tracing_on
    {end}
    gzip -c trace > /run/trace.gz
    echo > set_event
    echo > trace
"""


@dataclass(frozen=True)
class Load:
    """Requests one at a time, until they are ended: each from event first to event last."""

    title: str
    first: str
    last: str
    events: tuple
    begin: str
    end: str
    seconds: int


LOADS = {
    "read": Load(
        "a 4k read", "sys_enter_pread64", "sys_exit_pread64",
        ("syscalls/sys_enter_pread64", "syscalls/sys_exit_pread64"), """
    fio --name=trace --filename={disk} --rw=randread --bs=4k --ioengine=psync --direct=1 \
        --size={size} --time_based --runtime=4 --norandommap --randrepeat=0 > /dev/null &
    sleep 2""", "wait", 1),
    # fault.c asks for its faults before and after each page; no readahead, or reads overlap.
    "fault": Load(
        "a page from swap", "page_fault_user", "sys_enter_getrusage",
        ("exceptions/page_fault_user", "syscalls/sys_enter_getrusage"), """
    echo 0 > /proc/sys/vm/page-cluster
    mkswap {disk} > /dev/null
    swapon {disk}
    rm -f /run/filled
    """ + FAULT % (64, 1000000, "") + """ > /dev/null 2> /run/filled &
    load=$!
    until [ -s /run/filled ]; do sleep 0.01; done""", """
    kill $load
    wait $load || :
    swapoff {disk}
    echo 3 > /proc/sys/vm/page-cluster""", 3),
}


def trace(guest, disk, load):
    """The requests of load.seconds: [{event: when, in us}]"""
    begin, end = (part.format(disk=disk, size=SIZE) for part in (load.begin, load.end))
    guest.run(TRACE.format(events=" ".join((*EVENTS, *load.events)), load=begin, end=end,
                           seconds=load.seconds), timeout=120)
    requests, now = [], None
    for line in gzip.decompress(guest.get("/run/trace.gz")).decode(errors="replace").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        event, at = found["event"], float(found["time"]) * 1e6
        if event.startswith("sys_"):
            way = "exit" if "->" in found["rest"] else "enter"
            event = f"sys_{way}_{event.removeprefix('sys_')}"
        if event == load.first:
            now = {"first": at}
        if now is None or (event == "irq_handler_entry" and "input" not in found["rest"]):
            continue
        if event in LAST and "block_rq_complete" in now:
            continue
        if event in LAST or event not in now:
            now[event] = at
        if event == load.last:
            requests.append({**now, "last": at})
            now = None
    return requests


def in_order(requests):
    """Those that have all events, in order; and what became of each."""
    fate, counted = Counter(), []
    for request in requests:
        times = [request.get(first) for _, first, _ in STAGES] + [request.get(STAGES[-1][2])]
        if None in times:
            fate["without an event"] += 1
        elif times != sorted(times):
            fate["in another order"] += 1
        else:
            fate["counted"] += 1
            counted.append(request)
    if not counted:
        raise RuntimeError(f"no request has all events: {dict(fate)}, {requests[:3]}")
    return counted, dict(fate)


def pieces(requests, stages):
    """Medians of what lies between the events, in us."""
    return {name: statistics.median(request[last] - request[first] for request in requests
                                    if first in request and last in request)
            for name, first, last in stages}


def measure(guest, there, load):
    """{subject: its pieces, and what became of the requests}"""
    results = {}
    for subject, path in there.items():
        requests, fate = in_order(trace(guest, path, load))
        results[subject] = {"stages": pieces(requests, STAGES), "fate": fate}
        if subject == "ballast":
            results[subject]["own"] = pieces(requests, OWN)
    return results


def text(load, results):
    titles = [bench.TITLES[subject] for subject in results]
    lines = [f"{load.title + ', us, medians':32}" + "".join(f"{title:>14}" for title in titles)]
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
    options = bench.begin(__doc__, {}, "nbd nvme", only=list(LOADS))
    with VM(memory=bench.MEMORY, name="trace", logs=options.out) as guest:
        guest.put("/run/fault", programs.build(HERE / "fault.c").read_bytes(), 0o755)
        with bench.disks(guest, options.peers, bench.SERVERS[options.server]) as (there, _):
            about = bench.describe(guest, there, options.server, "make bench-trace"
                                   + (f" ONLY={options.only[0]}" if len(options.only) == 1
                                      else ""))
            results = {name: measure(guest, there, LOADS[name]) for name in options.only}
    lines = ["\n\n".join(text(LOADS[name], found) for name, found in results.items())]
    print(bench.report(options.out, "trace", about, lines, results))
    for name, found in results.items():
        pictures.stages(found, [stage for stage, _, _ in STAGES], bench.TITLES, about,
                        options.out / ("trace.svg" if name == "read" else f"trace-{name}.svg"))


if __name__ == "__main__":
    main()
