"""A bad line: packets lost, late, or out of order. It is slow, and nothing is lost or wrong."""

import os
import subprocess
import threading
from contextlib import contextmanager

import pytest

from rig import servers
from rig.disk import Disk
from rig.load import verifying
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
SECONDS = 4 * ROUNDS
REQUESTS = 100 * ROUNDS
pytestmark = pytest.mark.console_ok("ballast: ")


def nft(script):
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


@contextmanager
def loss(guest, percent):
    """On the guest's tap, both ways: the sender can't know."""
    tap = guest.network.taps[0]
    nft(f"""table netdev weather {{
        chain in {{
            type filter hook ingress device "{tap}" priority 0
            numgen random mod 100 < {percent} counter drop
        }}
        chain out {{
            type filter hook egress device "{tap}" priority 0
            numgen random mod 100 < {percent} counter drop
        }}
    }}""")
    try:
        yield
    finally:
        nft("delete table netdev weather")


@contextmanager
def netem(guest, how):
    """What the guest sends, and, where its kernel can, what it receives."""
    both = not guest.run(f"""tc qdisc add dev eth0 root netem {how} || exit 2
        modprobe ifb numifbs=1 && modprobe act_mirred && ip link set ifb0 up &&
        tc qdisc add dev eth0 handle ffff: ingress &&
        tc filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 \
            action mirred egress redirect dev ifb0 &&
        tc qdisc add dev ifb0 root netem {how}""", check=False).status
    print("both ways" if both else "only what the guest sends")
    try:
        yield
    finally:
        guest.run("tc qdisc del dev eth0 root; tc qdisc del dev eth0 ingress; "
                  "rmmod ifb", check=False)


WEATHER = {
    "5 % lost": lambda guest: loss(guest, 5),
    "200 ms late": lambda guest: netem(guest, "delay 100ms"),
    "out of order": lambda guest: netem(guest, "delay 10ms reorder 25% 50%"),
    "twice": lambda guest: netem(guest, "duplicate 5%"),
}


@pytest.mark.parametrize("kind", WEATHER)
@pytest.mark.parametrize("connections", [1, 4] if ROUNDS > 1 else [4])
def test_weather(shared_vm, kind, connections):
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap", connections=connections) as disk, \
            verifying(disk) as completed:
        with WEATHER[kind](shared_vm):
            began = completed()
            threading.Event().wait(SECONDS)
            until(lambda: completed() > began + REQUESTS, 300, "requests to be completed")
            done = completed() - began
            assert disk.file("ballast/state") in ("live", "reconnecting")
        print(f"{kind}: {done} requests, {disk.file('ballast/reconnects')} reconnects")
