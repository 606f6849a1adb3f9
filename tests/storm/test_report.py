# SPDX-License-Identifier: GPL-2.0
"""The tables of make storm. Needs no guest."""

import report

PHASE = {"sent": 100, "lost": 0, "slowest": 0.2, "outage": 0}
LOST = {**PHASE, "lost": 65, "slowest": None, "outage": 1.7}
RESULT = {
    "subject": "no-filter+no-reserve", "title": "ballast without filter, reserve", "storm": "u",
    "verdict": "deadlocked", "verify": "unknown", "rate": {"calm": 4000, "storm": 0, "after": 0},
    "ratio": {"storm": 0.0, "after": None}, "gap": 28.5, "late": 0.1, "dropped": None, "kept": 5,
    "lent": 561, "rescues": 0, "tcp_mem": 61, "udp_mem": 4687, "allocation_failures": 0,
    "lost": 7, "load": 1.5,
    "probe": {kind: {"fill": PHASE, "calm": PHASE, "storm": LOST, "after": PHASE}
              for kind in ("ping", "session")},
}


def test_each_run_is_a_line_in_both_tables():
    text = report.table([RESULT, RESULT], {"command": "make storm STORMS=u"})
    first, _, probed, _ = (line.split() for line in text.splitlines()
                           if line.lstrip().startswith("no-filter"))
    assert first[1:4] == ["u", "deadlocked", "unknown"]
    assert first[-5:] == ["61", "4687", "0", "7", "1.5"]
    assert probed[1:] == ["u", "0/65/0", "0.2/-/0.2", "0/1.7/0", "0/65/0", "0.2/-/0.2"]
