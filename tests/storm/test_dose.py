# SPDX-License-Identifier: GPL-2.0
"""What make storm-dose computes from its bursts. Needs no guest."""

import dose

BURSTS = [300, 100, 200, 400]


def test_failed():
    assert [dose.failed(BURSTS, packets) for packets in (100, 101, 300, 401)] == [0, .25, .5, 1]


def test_table():
    text = dose.table({500: [burst + 500 for burst in BURSTS], 0: BURSTS}, {"date": "today"})
    rows = [line.split() for line in text.split("\n") if line.split()[:1] in (["0"], ["500"])]
    assert rows == [["0", "4", "130", "250", "370", "0"], ["500", "4", "630", "750", "870", "500"]]
