# SPDX-License-Identifier: GPL-2.0
"""What is made of the probe's lines. Needs no guest."""

import answers
import probe

BEGUN = {"fill": 100, "calm": 110, "storm": 120, "after": 130}


def asked(kind, took):
    """One question a second from 100.5 on; took(second) is when its answer came, or None."""
    lines = []
    for second in range(40):
        sent = 100.5 + second
        lines.append((sent, f"{kind} {second} > {sent}\n"))
        if took(second) is not None:
            lines.append((sent + took(second), f"{kind} {second} < {sent + took(second)}\n"))
    return "".join(line for _, line in sorted(lines))


def test_each_phase_has_its_own_figures():
    lost = (22, 23, 24, 27)
    text = asked("ping", lambda second: None if second in lost else 3 if second == 31 else 0.25)
    found = answers.figures(answers.parse(text + "session 7"), BEGUN, 140)["ping"]
    assert found["calm"] == {"sent": 10, "lost": 0, "slowest": 0.25, "outage": 0}
    assert found["storm"] == {"sent": 10, "lost": 4, "slowest": 0.25, "outage": 2}
    assert found["after"]["slowest"] == 3


def test_what_was_just_sent_is_not_lost():
    text = asked("session", lambda second: None)
    found = answers.figures(answers.parse(text), BEGUN, 140)
    assert found["session"]["after"] == {"sent": 9, "lost": 9, "slowest": None, "outage": 8}
    assert found["ping"]["calm"] == {"sent": 0, "lost": 0, "slowest": None, "outage": 0}


def test_an_answer_that_was_not_asked_for():
    assert answers.parse("ping 3 < 100.0\n") == []


def test_a_ping():
    packet = probe.request(70000)
    assert probe.checksum(packet) == 0
    header = bytes([0x45]) + bytes(19)
    assert probe.reply(header + packet) is None     # our own request
    assert probe.reply(header + b"\0" + packet[1:]) == 70000
    assert probe.reply(header + b"\0" + packet[1:10]) is None
