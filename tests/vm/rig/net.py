# SPDX-License-Identifier: GPL-2.0
"""The private network between the guests and the host end.

A bridge joins the guests' taps; servers and traffic generators listen on its
addresses. It lives in the network namespace that scripts/vm-test made, and
nothing here is done anywhere else.
"""

import json
import subprocess
from pathlib import Path

BRIDGE = "ballast"
HOST4 = "192.0.2.1"
HOST6 = "2001:db8::1"
MAX_GUESTS = 200


def guest4(n):
    return f"192.0.2.{10 + n}"


def dhcp4(n):
    """n up to 9."""
    return f"192.0.2.{240 + n}"


def guest6(n):
    return f"2001:db8::{10 + n}"


def mac(n, nic=0):
    """The same guest address has always the same MAC: no neighbor entry goes stale."""
    return f"52:54:00:12:{nic:02x}:{n:02x}"


def ip(*words, check=True):
    done = subprocess.run(["ip", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(map(str, words))}: {done.stdout.strip()}")
    return done


def private():
    """Whether we are in a namespace of our own, where nothing but lo and ours exists."""
    names = {line.split(":")[1].strip().split("@")[0]
             for line in ip("-o", "link").stdout.splitlines()}
    return all(name in ("lo", BRIDGE) or name.startswith("guest") for name in names)


def up():
    """Bring the bridge up, once."""
    if ip("link", "show", BRIDGE, check=False).returncode == 0:
        return
    if not private():
        raise RuntimeError("not in a network namespace of its own: start it with scripts/vm-test")
    ip("link", "set", "lo", "up")
    for setting in ("all", "default"):
        # No duplicate address detection: the addresses are of use at once.
        sysctl(f"net/ipv6/conf/{setting}/accept_dad", 0)
    # No snooping: it drops neighbor discovery until it has learnt who listens.
    ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", 0, "mcast_snooping", 0)
    ip("link", "set", BRIDGE, "up")
    ip("address", "add", f"{HOST4}/24", "dev", BRIDGE)
    ip("address", "add", f"{HOST6}/64", "dev", BRIDGE, "nodad")


def host_mac():
    """The bridge's own."""
    # /sys shows the interfaces of the namespace of the process that mounted it.
    words = ip("-o", "link", "show", BRIDGE).stdout.split()
    return words[words.index("link/ether") + 1]


def counters(device):
    """As {"rx": {"packets": ...}, "tx": ...}."""
    return json.loads(ip("-s", "-j", "link", "show", device).stdout)[0]["stats64"]


def sysctl(name, value):
    Path("/proc/sys", name).write_text(str(value))


def set_mtu(mtu):
    """The host end's MTU. A guest's own tap has what its VM asked for."""
    up()
    ip("link", "set", BRIDGE, "mtu", mtu)


class Guest:
    """A guest's taps and addresses; its number is the first that is free."""

    def __init__(self, nics=1, mtu=1500, queues=1):
        up()
        kind = ["mode", "tap", *(["multi_queue"] if queues > 1 else [])]
        self.taps = []
        for n in range(MAX_GUESTS):
            added = ip("tuntap", "add", f"guest{n}.0", *kind, check=False)
            if added.returncode == 0:
                break
            if "busy" not in added.stdout and "exists" not in added.stdout:
                raise RuntimeError(f"cannot make a tap: {added.stdout.strip()} "
                                   "(is /dev/net/tun open to this user?)")
        else:
            raise RuntimeError("no guest number is free")
        self.n = n
        self.mtu = mtu
        self.queues = queues
        self.address4 = guest4(n)
        self.address6 = guest6(n)
        for nic in range(nics):
            tap = f"guest{n}.{nic}"
            if nic:
                ip("tuntap", "add", tap, *kind)
            self.taps.append(tap)
            sysctl(f"net/ipv6/conf/{tap}/disable_ipv6", 1)
            # A bridge takes its ports' least MTU, unless it was told.
            ip("link", "set", tap, "mtu", mtu, "master", BRIDGE, "up")

    def close(self):
        for tap in self.taps:
            ip("link", "delete", tap, check=False)
        self.taps = []
