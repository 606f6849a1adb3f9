# SPDX-License-Identifier: GPL-2.0
"""What probe.py wrote, and what follows from it. Pure, like samples.py."""

from dataclasses import dataclass

KINDS = ("ping", "session")
PHASES = ("fill", "calm", "storm", "after")
GRACE = 1       # seconds: one sent so shortly before the end may be on its way


@dataclass
class Question:
    kind: str
    number: int
    sent: float
    took: float = None  # seconds until the answer; None: there was none


def parse(text):
    """All questions in the order in which they were sent; a last line that is not whole is not."""
    asked = {}
    for line in text.split("\n")[:-1]:
        kind, number, sign, at = line.split()
        key = kind, int(number)
        if sign == ">":
            asked[key] = Question(*key, float(at))
        elif key in asked and asked[key].took is None:
            asked[key].took = float(at) - asked[key].sent
    return list(asked.values())


def read(path):
    return parse(path.read_text())


def figures(asked, begun, end):
    """{kind: {phase: figures}}; begun says when each phase began, end when the last one ended."""
    edges = [*(begun[name] for name in PHASES), end]
    return {kind: {name: phase([one for one in asked if one.kind == kind], *edges[n:n + 2], end)
                   for n, name in enumerate(PHASES)} for kind in KINDS}


def phase(asked, begin, until, end):
    """Of what was sent from begin until then: how many, how many lost, the slowest in seconds."""
    asked = [one for one in asked if begin <= one.sent < until
             and (one.took is not None or one.sent < end - GRACE)]
    took = [one.took for one in asked if one.took is not None]
    return {"sent": len(asked), "lost": len(asked) - len(took),
            "slowest": round(max(took), 3) if took else None,
            "outage": round(outage(asked, end), 1)}


def outage(asked, end):
    """The longest time, in seconds, in which none was sent that was answered."""
    longest, since = 0, None
    for one in asked:
        if one.took is not None:
            since = None
        elif since is None:
            since = one.sent
        if since is not None:
            longest = max(longest, min(one.sent, end) - since)
    return longest
