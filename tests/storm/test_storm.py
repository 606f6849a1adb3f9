# SPDX-License-Identifier: GPL-2.0
"""The storm in short: ballast does not lock up in (c), and what in-tree nbd does beside it."""

import dataclasses
import itertools

import pytest

import run
import samples
import summary
from rig import host, image, module

CONDITIONS = run.Conditions(calm=8, length=20, after=10)
PHASES = (0, 10), (10, 20), (20, 30)    # of the tests without a guest


def made_up(rate, seconds=range(31), gap=lambda second: 0):
    """Samples of a run: rate(second) pages a second swapped in."""
    said = samples.Samples()
    pages = list(itertools.accumulate(rate(second) for second in range(31)))
    for second in seconds:
        values = {name: 0 for name in samples.HEAD + tuple(samples.FILES)}
        values.update(uptime=second, swapped_in=pages[second], gap=gap(second))
        said.add(" ".join(str(value) for value in values.values()), 100.0 + second)
    return said


def judged(*arguments, **options):
    phases = [(100 + begin, 100 + end) for begin, end in PHASES]
    return samples.judge(made_up(*arguments, **options), *phases)


def test_who_swaps_on_lived():
    result = judged(lambda second: 1000 if second <= 10 else 800)
    assert result["verdict"] == "lived"
    assert result["ratio"] == {"storm": 0.8, "after": 0.8}


def test_who_swaps_at_a_tenth_starved():
    assert judged(lambda second: 1000 if second <= 20 else 90)["verdict"] == "starved"


def test_who_is_silent_is_dead():
    result = judged(lambda second: 1000, seconds=range(15))
    assert result["verdict"] == "deadlocked"
    assert result["gap"] >= 15
    # What was silent for a while, and then had swapped all the same, was only kept waiting.
    assert judged(lambda second: 1000, seconds=[*range(15), *range(20, 31)])["verdict"] == "lived"


def test_whose_requests_wait_is_dead():
    result = judged(lambda second: 1000 if second <= 12 else 0,
                    gap=lambda second: max(0, second - 12) * 1000)
    assert (result["verdict"], result["gap"]) == ("deadlocked", 18)


def test_a_run_without_swapping_says_nothing():
    assert judged(lambda second: 0)["verdict"] == "void"


def test_rates_beside_runs_without_a_storm():
    def result(storm, after):
        return {"seconds": {"after": 10, "end": 20},
                "series": {"time": list(range(-5, 21)), "out": [0] * 26,
                           "in": [5000] * 6 + [storm] * 10 + [after] * 10}}

    none = [result(1000, 500), result(1200, 600), result(1100, 400)]
    assert summary.beside_none([result(990, 500), result(880, 500)], none) == [0.85, 1.0]
    assert summary.beside_none([result(990, 500)], None) == (None, None)


@pytest.fixture(scope="module")
def storm(suite, flavour):
    """storm(subject): one run of storm (c), a line a second."""
    conditions = dataclasses.replace(CONDITIONS, suite=suite, flavour=flavour)
    kernel = image.get(suite, flavour or "cloud-amd64")
    ko = module.build(suite, kernel.flavour).path

    def start(subject):
        print(f"\n{subject}\n{run.HEADING}")
        result = run.run(subject, "c", conditions, ko, host.logs() / f"storm-quick-{subject}",
                         lambda *second: print(run.line(*second), flush=True))
        print(run.outcome(result), flush=True)
        return result
    return start


def test_ballast_does_not_lock_up(storm):
    """How fast it swapped is a timing: it is shown here and measured by make storm."""
    result = storm("ballast")
    assert result["verdict"] in ("lived", "starved")
    assert result["verify"] == "clean"
    assert not result["alarms"], "\n".join(result["alarms"])


def test_nbd_beside_it(storm):
    """Shows the peer, and that this was a storm; only ballast is on trial."""
    result = storm("nbd")
    if result["verdict"] == "lived":
        pytest.skip("in-tree nbd lived here: the storm was none")
