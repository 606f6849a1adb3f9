# SPDX-License-Identifier: GPL-2.0
"""What is read from iperf3, and the table of make storm-calm. Needs no guest."""

import onset

SAID = """\
Connecting to host 192.0.2.10, port 5201
[  5] local 192.0.2.1 port 33224 connected to 192.0.2.10 port 5201
[ ID] Interval           Transfer     Bitrate         Retr  Cwnd
[  5]   0.00-1.00   sec  12.0 MBytes   100 Mbits/sec    0    400 KBytes
[  5]   1.00-2.00   sec  6.00 MBytes  50.0 Mbits/sec    0    400 KBytes
[  5]   2.00-3.00   sec  0.00 Bytes  0.00 Mbits/sec    3   1.41 KBytes
"""


def test_throughput():
    assert onset.throughput(SAID, 0, 2) == 75
    assert onset.throughput(SAID, 0.5, 2) == round(100 / 1.5, 1)
    # Nothing is said any more of a stream that has stopped.
    assert onset.throughput(SAID, 0, 10) == 15
    assert onset.throughput("", 0, 10) == 0


def test_table():
    question = {"sent": 300, "lost": 3, "slowest": None, "outage": 0.2}
    result = {"subject": "ballast", "stream": True, "ping": question, "session": question,
              "in_use_ms": None, "critical_ms": 4, "dropped": 5, "full": 0, "rate": 1000,
              "mbit": 30.0}
    text = onset.table([result, {**result, "subject": "no-filter", "mbit": 60.0}])
    assert text.endswith("by that without it: 0.50")
