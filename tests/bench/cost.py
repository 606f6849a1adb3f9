# SPDX-License-Identifier: GPL-2.0
"""What the guest spends: its processors' time, context switches, interrupts."""

from dataclasses import dataclass


@dataclass
class Cost:
    seconds: float      # of all processors, in interrupts as well
    switches: int
    interrupts: int

    def __sub__(self, before):
        return Cost(self.seconds - before.seconds, self.switches - before.switches,
                    self.interrupts - before.interrupts)


def spent(guest):
    """All since the guest began."""
    rows = {}
    for line in guest.run("cat /proc/stat").output.splitlines():
        name, *numbers = line.split()
        rows[name] = numbers
    user, nice, system, _, _, irq, softirq = map(int, rows["cpu"][:7])
    return Cost((user + nice + system + irq + softirq) / 100, int(rows["ctxt"][0]),
                int(rows["intr"][0]))
