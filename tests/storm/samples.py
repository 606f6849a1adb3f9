# SPDX-License-Identifier: GPL-2.0
"""What the reporter in the guest said, and what follows from it.

Pure: no guest, no clock. Times are seconds on the host's monotonic clock.
"""

import statistics
from dataclasses import dataclass

SILENT = 10     # seconds without a line: the machine is dead
STUCK = 15      # seconds without a completed request while some are in flight: likewise
STARVED = 0.1   # of the calm rate

RESERVE = "/sys/class/net/eth0/ballast/"
RESERVE2 = "/sys/class/net/eth1/ballast/"    # if there is one
# What every line begins with (see guest.c), then these files.
HEAD = ("uptime", "swapped_in", "swapped_out", "free", "completed", "inflight", "gap", "late")
FILES = {
    "in_use": RESERVE + "in_use",
    "lent": RESERVE + "lent_pages",
    "kept": RESERVE + "rx_kept",
    "dropped": RESERVE + "rx_dropped",
    "allowed": RESERVE + "rx_allowed",
    "activations": RESERVE + "activations",
    "in_use_ms": RESERVE + "in_use_ms",
    "critical_ms": RESERVE + "critical_ms",
    "lends": RESERVE + "lends",
    "rescues": RESERVE + "rescues",
    "packets": "/sys/class/net/eth0/statistics/rx_packets",
    "packets2": "/sys/class/net/eth1/statistics/rx_packets",
    "kept2": RESERVE2 + "rx_kept",
    "dropped2": RESERVE2 + "rx_dropped",
    "tcp_mem": "/proc/net/sockstat:mem",
    "udp_mem": "/proc/net/sockstat:19",     # the word; TCP has a mem before it
}


@dataclass
class Sample:
    """One line of the reporter, and the rates since the one before."""

    time: float     # when it was taken
    values: dict    # by the names above; -1: there is no such file
    span: float = 0.0
    rate_in: float = 0.0
    rate_out: float = 0.0

    def __getattr__(self, name):
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


class Samples:
    """All of a run's, in order."""

    def __init__(self):
        self.all = []
        self._offset = None

    def __iter__(self):
        return iter(self.all)

    @property
    def last(self):
        return self.all[-1] if self.all else None

    def add(self, line, arrived):
        """Take a line in; returns its Sample."""
        names = HEAD + tuple(FILES)
        words = line.split()
        if len(words) != len(names):
            raise ValueError(f"the reporter said {line!r}")
        values = {"uptime": float(words[0])}
        values.update((name, int(word)) for name, word in zip(names[1:], words[1:]))
        # A line may come late, but never early: the least difference is the clocks'.
        offset = arrived - values["uptime"]
        self._offset = offset if self._offset is None else min(self._offset, offset)
        sample = Sample(values["uptime"] + self._offset, values)
        if self.all:
            before = self.last
            sample.span = max(sample.uptime - before.uptime, 0.001)
            sample.rate_in = (sample.swapped_in - before.swapped_in) / sample.span
            sample.rate_out = (sample.swapped_out - before.swapped_out) / sample.span
        self.all.append(sample)
        return sample

    def within(self, begin, end):
        return [sample for sample in self.all if begin < sample.time <= end]

    def rates(self, begin, end):
        """Pages a second swapped in and out, of every second; 0 while there was no line.

        Both: hogs that verify have pages swapped in, those that write have them swapped
        out as well, and either is only half of what the disk does.
        """
        def at(time):
            return next((sample.rate_in + sample.rate_out for sample in self.all
                         if sample.time - sample.span < time <= sample.time), 0)

        return [at(begin + second + 0.5) for second in range(int(end - begin))]

    def silence(self, begin, end):
        """The longest time without a line."""
        times = [begin, *(sample.time for sample in self.within(begin, end)), end]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def growth(self, name, begin, end):
        """By how much a counter grew; None if there is none."""
        values = [sample.values[name] for sample in self.within(begin, end)]
        return values[-1] - values[0] if values and values[-1] >= 0 else None

    def most(self, name, begin, end):
        values = [sample.values[name] for sample in self.within(begin, end)]
        return max(values) if values and max(values) >= 0 else None


def judge(samples, calm, storm, after):
    """Verdict and figures of a run; the phases are (begin, end)."""
    rate = {name: statistics.median(samples.rates(*phase) or [0])
            for name, phase in (("calm", calm), ("storm", storm), ("after", after))}
    trial = (storm[0], after[1])
    silence = samples.silence(*trial)
    gap = (samples.most("gap", *trial) or 0) / 1000
    if not rate["calm"]:
        verdict = "void"
    elif silence >= SILENT or gap >= STUCK:
        verdict = "deadlocked"
    elif min(rate["storm"], rate["after"]) < STARVED * rate["calm"]:
        verdict = "starved"
    else:
        verdict = "lived"
    ratio = {name: round(rate[name] / rate["calm"], 2) if rate["calm"] else None
             for name in ("storm", "after")}
    return {
        "verdict": verdict,
        "rate": {name: round(value) for name, value in rate.items()},
        "ratio": ratio,
        # A dead machine does not say how long its requests have waited.
        "gap": round(max(gap, silence if verdict == "deadlocked" else 0), 1),
        "gap_calm": round((samples.most("gap", *calm) or 0) / 1000, 1),
        "late": round((samples.most("late", *trial) or 0) / 1000, 1),
        "silence": round(silence, 1),
        "lent": samples.most("lent", *trial),
        "tcp_mem": samples.most("tcp_mem", *after),
        "udp_mem": samples.most("udp_mem", *trial),
        "rescues": samples.most("rescues", calm[0], after[1]),
        **{name: samples.growth(name, *trial) for name in ("kept", "dropped", "allowed",
                                                           "activations", "in_use_ms", "lends",
                                                           "packets", "packets2", "kept2",
                                                           "dropped2")},
    }
