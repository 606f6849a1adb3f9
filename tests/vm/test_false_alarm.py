# SPDX-License-Identifier: GPL-2.0
"""A machine that is merely busy loses no packet to the filter.

Its page cache is at the brim and kswapd at work all the time, it receives at full
rate and writes to a local disk, and it may swap to ballast as it likes. For
BALLAST_SECONDS, 30 by default.
"""

import os
import re
import subprocess
import tempfile

from rig import host, module, servers
from rig.disk import Disk
from rig.wait import until

SECONDS = int(os.environ.get("BALLAST_SECONDS", "30"))
MEMORY = 256
RESERVE = "/sys/class/net/eth0/ballast"


def number(guest, what):
    return int(guest.run(what).output)


def test_a_busy_machine_loses_no_packet(vm):
    with tempfile.TemporaryDirectory(dir=servers.scratch().parent) as directory, \
            servers.NbdServer({"swap": 1 << 30}) as server:
        files = [f"{directory}/read", f"{directory}/write"]
        for path in files:
            with open(path, "wb") as file:
                file.truncate(4 * MEMORY << 20)
        guest = vm(memory=MEMORY, disks=files)
        module.load(guest)
        with Disk(guest, server, export="swap") as disk:
            guest.run(f"mkswap {disk.path} && swapon {disk.path}")
            jobs = [guest.spawn("while dd if=/dev/vdb of=/dev/null bs=1M status=none; do :; done"),
                    guest.spawn("while dd if=/dev/zero of=/dev/vdc bs=1M status=none; do :; done "
                                "2>/dev/null"),
                    guest.spawn("exec iperf3 -s")]
            scanned = "awk '/^pgscan_kswapd / {print $2}' /proc/vmstat"
            until(lambda: number(guest, scanned) > 10000, 60, "kswapd to be at work")
            until(lambda: ":1451 " in guest.run("cat /proc/net/tcp6").output, 20,
                  "iperf3 to listen")
            before = number(guest, scanned)
            client = host.start(["iperf3", "-c", guest.address4, "-t", str(SECONDS), "-f", "m"],
                                stdout=subprocess.PIPE, text=True)
            said, _ = client.communicate(timeout=SECONDS + 60)
            received = re.search(r"([\d.]+) Mbits/sec.*receiver", said)
            assert received, said
            kswapd = number(guest, scanned) - before
            found = {name: number(guest, f"cat {RESERVE}/{name}") for name in (
                "rx_dropped", "rx_kept", "activations", "in_use_ms", "lends")}
            swapped = guest.run("grep -E '^pswp' /proc/vmstat").output.split()
            print(f"{SECONDS} s: {received[1]} Mbit/s received, {kswapd} pages scanned by kswapd, "
                  f"{swapped}, {found}")
            for job in jobs:
                job.kill()
            assert kswapd > 100 * SECONDS
            assert found["rx_dropped"] == 0, found
            guest.run("swapoff -a")
