# SPDX-License-Identifier: GPL-2.0
"""The capture of a storm: it keeps the UDP packets that the NIC receives, and no others."""

import run
from rig import host, traffic
from rig.vm import VM
from rig.wait import until

PORT = 7
PACKETS = 20


def received(guest):
    return int(guest.run("cat /sys/class/net/eth0/statistics/rx_packets").output)


def held(guest):
    """Bytes in the buffers of sockets that capture packets."""
    titles, *rows = guest.run("cat /proc/net/packet").output.splitlines()
    column = titles.split().index("Rmem")
    return sum(int(row.split()[column]) for row in rows)


def test_keeps_udp(request):
    with VM(logs=host.logs() / request.node.name) as guest:
        guest.put("/run/guest", run.tool(), 0o755)
        guest.spawn("exec /run/guest capture eth0 1000000 0").wait_output("ready")
        before = received(guest)
        with traffic.sent(guest.address4, [("connects", PORT)], 20):
            until(lambda: received(guest) > before + PACKETS, 20, "packets of TCP")
        assert held(guest) == 0
        with traffic.sent(guest.address4, [("udp", PORT)], 20, rate=100):
            until(lambda: held(guest) > PACKETS * 1400, 20, "packets of UDP in the capture")
