# SPDX-License-Identifier: GPL-2.0
"""The filter of a guest's interface: its counters, and memory that is critical at will."""

from contextlib import contextmanager

from rig import frames, net
from rig.wait import until

RESERVE = "/sys/class/net/eth0/ballast"
COUNTERS = ("rx_kept", "rx_allowed", "rx_dropped", "rx_dropped_bytes", "rx_dropped_other_socket",
            "rx_dropped_protocol", "rx_dropped_fragment", "rx_dropped_budget",
            "rx_dropped_malformed")
# Headroom is never half as much: critical whenever requests are in flight.
ALWAYS = f"""
    awk '/MemTotal/ {{print int($2 / 4)}}' /proc/meminfo > {RESERVE}/lend_below
    mountpoint -q /mnt || mount -t tmpfs -o size=100% tmpfs /mnt
    [ -e /mnt/fill ] ||
        head -c $(awk '/MemAvailable/ {{print int($2 * 700)}}' /proc/meminfo) /dev/zero > /mnt/fill
"""


# Longer than a few unrelated packets pass after memory became critical, in milliseconds.
OPEN = 600


def until_closed(guest, reserve=RESERVE):
    """Wait until memory has been critical for so long that every unrelated packet is dropped."""
    def look():
        grade, since = guest.run(f"cat {reserve}/grade {reserve}/critical_ms").output.split()
        return grade == "critical" and int(since)
    begun = until(look, 30, "memory to be critical")
    until(lambda: look() > begun + OPEN, 30, "it to be critical for a while")


def counters(guest, reserve=RESERVE):
    """The counters of an interface, by their names in sysfs."""
    said = guest.run(f"cd {reserve} && cat {' '.join(COUNTERS)}").output.split()
    return dict(zip(COUNTERS, map(int, said)))


def number(guest, name):
    """One file of the interface, counter or not."""
    return int(guest.run(f"cat {RESERVE}/{name}").output)


def grown(guest, before, name, by=1, timeout=10, reserve=RESERVE):
    """Wait until a counter has grown so much; what all have grown by."""
    def look():
        now = counters(guest, reserve)
        growth = {key: now[key] - before[key] for key in now}
        return growth if growth[name] >= by else None
    return until(look, timeout, f"{name} to grow by {by}; {counters(guest)}, before {before}")


@contextmanager
def attached(guest, address, port, prefix=""):
    """A disk that is read all the time, while memory is critical; prefix: of the attach."""
    guest.run(f"dmesg -C; {prefix} sh -c 'echo server={address}:{port} > "
              "/sys/class/ballast/attach' || { dmesg | tail -3; exit 1; }")
    load = None
    try:
        guest.run(ALWAYS)
        # Several, so that a request is in flight also while one of them starts dd again.
        load = guest.spawn("for i in 1 2 3; do while dd if=/dev/ballast0 of=/dev/null bs=64k "
                           "iflag=direct status=none; do :; done & done; wait")
        until_closed(guest)
        yield
    finally:
        if load:
            load.kill()
        guest.run("rm -f /mnt/fill; echo force > /sys/block/ballast0/ballast/detach")
    left = guest.run("ls -d /sys/class/net/*/ballast", check=False).output
    assert not left.startswith("/sys")


def reserves(guest):
    """The interfaces that have a reserve, and its size in pages."""
    rows = guest.run("cd /sys/class/net && for nic in */ballast; do "
                     "echo ${nic%/*} $(cat $nic/size_pages); done").output.splitlines()
    return {row.split()[0]: int(row.split()[1]) for row in rows}


def check_filter(guest, wire):
    """The disk is read, and a packet for another port is dropped."""
    before = counters(guest)
    for _ in range(20):
        wire.send_ip(frames.ip(net.HOST4, guest.address4, frames.UDP, frames.udp(1, 7)))
    growth = grown(guest, before, "rx_dropped_protocol", 20)
    guest.run("dd if=/dev/ballast0 of=/dev/null bs=64k count=20 skip=100 iflag=direct status=none")
    grown(guest, before, "rx_kept", growth["rx_kept"] + 20)
