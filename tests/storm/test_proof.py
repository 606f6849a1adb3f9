# SPDX-License-Identifier: GPL-2.0
"""Trials, their order, the p-value and the table. Needs no guest."""

import math

import pytest

import proof
import variables


def test_fisher():
    # Fisher's tea, tables with few terms, and the example of scipy.stats.fisher_exact().
    assert proof.fisher(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)
    assert proof.fisher(20, 20, 0, 20) == pytest.approx(2 / math.comb(40, 20))
    assert proof.fisher(20, 20, 14, 20) == pytest.approx(
        2 * math.comb(20, 6) / math.comb(40, 6))
    assert proof.fisher(8, 10, 1, 6) == pytest.approx(0.03497, abs=1e-5)
    assert proof.fisher(5, 5, 5, 5) == 1
    assert proof.fisher(0, 0, 3, 3) == 1


def test_a_line_is_that_of_make_storm():
    storm, conditions = variables.of_line("u RATE=60M PPS=50000 NICS=2 MRG=off")
    assert storm == "u"
    assert (conditions.rate, conditions.pps, conditions.mrg) == ("60M", 50000, False)
    assert (conditions.nics, conditions.storm_nic) == (2, 2)
    _, conditions = variables.of_line("u TCP_MEM=1000 THREADED=on CAPTURE=4096 RESERVE=8")
    assert (conditions.tcp_mem, conditions.threaded) == (1000, True)
    assert (conditions.capture, conditions.reserve) == (4096, 8)
    assert variables.of_line("c")[1] == variables.run.Conditions()


@pytest.mark.parametrize("line", ["x", "u RATE", "u BRAKES=1", "u NICS=9", "u MEM=much",
                                  "u NICS=1 STORM_NIC=2", "u NIC=e1000 QUEUES=2"])
def test_a_line_that_is_none(line):
    with pytest.raises(ValueError):
        variables.of_line(line)


def test_trials():
    first, second = proof.trials("filter: u  RATE=100M; guard/guard-no-reserve:c;")
    assert (first.text, first.arms) == ("filter: u RATE=100M", ("ballast", "no-filter"))
    assert (second.arms, second.storm) == (("guard", "guard-no-reserve"), "c")
    assert proof.trials(proof.TRIALS)


@pytest.mark.parametrize("text", ["filter", "brakes: u", "filter:", "ballast/none: u",
                                  "nvme/ballast: u RATE=1M"])
def test_trials_that_are_none(text):
    with pytest.raises(ValueError):
        proof.trials(text)


def test_an_arm_that_cannot_run_is_refused_before_the_first_run(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="iscsi needs tgtd"):
        proof.trials("filter: u; ballast/iscsi: c")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="nbd has no reserve"):
        proof.trials("ballast/nbd: c RESERVE=4096")


def result(verdict):
    return {"verdict": verdict}


def ko_of(_):
    return "ko"


def test_arms_take_turns_and_a_second_call_goes_on(tmp_path):
    wanted = proof.trials("filter: u; tcpmem: c")
    order = []
    while True:
        # A new one each time, as after an interruption.
        book = proof.Book(tmp_path / "results.json")
        turn = proof.next_run(wanted, book, ko_of, 2)
        if not turn:
            break
        book.add(*turn, "ko", result("lived"))
        order.append(turn[1])
    assert order == ["ballast", "no-filter", "ballast", "no-tcpmem",
                     "no-filter", "ballast", "no-tcpmem", "ballast"]
    assert proof.next_run(wanted, book, lambda _: "another", 2) == (wanted[0], "ballast")


def test_void_runs_do_not_count(tmp_path):
    wanted = proof.trials("filter: u")
    book = proof.Book(tmp_path / "results.json")
    book.add(wanted[0], "ballast", "ko", result("void"))
    assert proof.next_run(wanted, book, ko_of, 1) == (wanted[0], "ballast")


def test_table(tmp_path):
    wanted = proof.trials("filter: u; reserve: c")
    book = proof.Book(tmp_path / "results.json")
    for _ in range(5):
        book.add(wanted[0], "ballast", "ko", result("lived"))
        book.add(wanted[0], "no-filter", "ko", result("deadlocked"))
    book.add(wanted[1], "no-reserve", "ko", result("starved"))
    first, second = proof.table(wanted, book, ko_of).splitlines()[1:3]
    assert first.split() == ["filter:", "u", "5/0/0", "0/0/5", "0.0079", "0.0079", "yes"]
    assert second.split() == ["reserve:", "c", "0/0/0", "0/1/0", "1", "1", "no"]
