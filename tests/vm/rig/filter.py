# SPDX-License-Identifier: GPL-2.0
"""The filter of a guest's interface: its counters, and memory that is critical at will."""

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


def counters(guest, reserve=RESERVE):
    """The counters of an interface, by their names in sysfs."""
    said = guest.run(f"cd {reserve} && cat {' '.join(COUNTERS)}").output.split()
    return dict(zip(COUNTERS, map(int, said)))


def grown(guest, before, name, by=1, timeout=10, reserve=RESERVE):
    """Wait until a counter has grown so much; what all have grown by."""
    def look():
        now = counters(guest, reserve)
        growth = {key: now[key] - before[key] for key in now}
        return growth if growth[name] >= by else None
    return until(look, timeout, f"{name} to grow by {by}; {counters(guest)}, before {before}")
