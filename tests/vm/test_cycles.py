# SPDX-License-Identifier: GPL-2.0
"""Attaching and detaching leaves nothing behind, and an idle disk does nothing."""

import pytest

from rig import servers
from rig.disk import Disk

CYCLES = 200

# Several at a time: each waits for the server, for RCU and for others most of its time.
CYCLE = """
    cycle() {{
        for i in $(seq {cycles}); do
            echo server=192.0.2.1:{port} export=swap index=$1 connections=2 \
                > /sys/class/ballast/attach &&
            echo 1 > /sys/block/ballast$1/ballast/detach || return
        done
    }}
    cycle 6 & one=$!
    cycle 7 & two=$!
    cycle 8 & three=$!
    cycle 9 && wait $one && wait $two && wait $three
"""

# Memory of per-CPU page lists, caches and RCU's backlog goes up and down by itself, by
# up to a MiB; a leak goes up each time. So what was lost is to be lost three times over
# before it counts, and 200 cycles that leak half a page each are found.
TOLERANCE_KIB = 400
# Pages of tcp_mem: each of two processors keeps up to 256 for itself (since 6.0), now and
# before. A disk's charge, not returned, is more than that the first time.
TOLERANCE_CHARGED = 2 * 2 * 256
ROUNDS = 3

STATE = """
    for i in 1 2; do sync; echo 3 > /proc/sys/vm/drop_caches; sleep 0.5; done
    awk '/^(MemAvailable|SUnreclaim|KernelStack):/ {print $1, $2}' /proc/meminfo
    awk '/^TCP:/ {print "sockets:", $3 + $5; print "charged:", $NF}' /proc/net/sockstat
    echo threads: $(ps ax | grep -c '[[]ballast')
"""


def _state(guest):
    return {name: int(value) for name, value in
            (line.split(": ") for line in guest.run(STATE).output.splitlines())}


@pytest.mark.parametrize("load", [False, True], ids=["idle", "under-load"])
def test_cycles_leave_nothing(shared_vm, load):
    guest = shared_vm
    job = None
    with servers.NbdServer(options={"multithread": "true"}) as server, \
            servers.NbdServer() as other, Disk(guest, other, export="swap") as disk:
        if load:
            job = guest.spawn(f"fio --thread --name=load --filename={disk.path} --rw=randrw "
                              "--bs=4k --iodepth=8 --ioengine=libaio --direct=1 --size=64M "
                              "--time_based --runtime=600 --output=/tmp/fio")
        guest.run(CYCLE.format(cycles=5, port=server.port), timeout=120)  # warm up
        before = _state(guest)
        for _ in range(ROUNDS):
            guest.run(CYCLE.format(cycles=CYCLES // 4, port=server.port), timeout=400)
            after = _state(guest)
            print(f"before {before}\nafter  {after}")
            assert after["sockets"] == before["sockets"]
            assert after["threads"] == before["threads"]
            assert abs(after["charged"] - before["charged"]) <= TOLERANCE_CHARGED
            lost = max(before["MemAvailable"] - after["MemAvailable"],
                       after["SUnreclaim"] - before["SUnreclaim"])
            if lost < TOLERANCE_KIB:
                break
            before = after
        if job:
            assert job.running, job.output
            job.kill()
    assert lost < TOLERANCE_KIB


def test_cycles_leave_no_charge_of_sockets_without_one(shared_vm):
    """Sockets that bypass tcp_mem (since 6.19): when they close, the kernel subtracts nothing."""
    guest = shared_vm
    bypass = "/proc/sys/net/core/bypass_prot_mem"
    if not guest.run(f"ls {bypass} 2>/dev/null", check=False).output:
        pytest.skip("the kernel has no net.core.bypass_prot_mem (try --suite trixie-backports)")
    with servers.NbdServer(options={"multithread": "true"}) as server:
        guest.run(CYCLE.format(cycles=1, port=server.port), timeout=120)
        before = _state(guest)
        guest.run(f"echo 1 > {bypass}")
        try:
            guest.run(CYCLE.format(cycles=5, port=server.port), timeout=120)
            with Disk(guest, server, export="swap") as disk:
                read = f"dd if={disk.path} of=/dev/null bs=64k count=100 iflag=direct status=none"
                guest.run(read)
                # Such a socket does not depend on the limit, with or without a charge.
                limits = guest.run("cat /proc/sys/net/ipv4/tcp_mem; "
                                   "echo 1 2 3 > /proc/sys/net/ipv4/tcp_mem").output.strip()
                try:
                    guest.run(f"for i in $(seq 20); do {read} || exit; done", timeout=60)
                finally:
                    guest.run(f"echo '{limits}' > /proc/sys/net/ipv4/tcp_mem")
        finally:
            guest.run(f"echo 0 > {bypass}")
        after = _state(guest)
        print(f"before {before}\nafter  {after}")
        assert after["sockets"] == before["sockets"]
        assert abs(after["charged"] - before["charged"]) <= TOLERANCE_CHARGED


def test_idle_disk_does_nothing(shared_vm):
    """Over ten seconds the disk's thread is not switched to once."""
    guest = shared_vm
    with servers.NbdServer() as server, Disk(guest, server, export="swap"):
        switches = "for t in $(pgrep '^ballast0$'); do grep ctxt_switches /proc/$t/status; done"
        before = guest.run(switches).output
        guest.run("sleep 10")
        assert before and guest.run(switches).output == before
