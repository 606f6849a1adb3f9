# SPDX-License-Identifier: GPL-2.0
"""A request costs no more instructions than recorded in instructions.json."""

import pytest

import count
from alone import Alone
from rig import host


def test_no_request_costs_more_than_recorded():
    """See CONTRIBUTING.md for what to do if it does."""
    record = count.recorded()
    if count.qemu() != record["qemu"]:
        pytest.skip(f"recorded with QEMU {record['qemu']}, which counts string instructions "
                    f"otherwise than {count.qemu()}")
    with Alone(name="count", logs=host.logs() / "count") as guest:
        counts = count.count(guest, count.JOBS, 3)
        kernel = guest.image.release
    said = f"recorded on {record['kernel']}, this is {kernel}\n" + count.table(
        counts, record["jobs"])
    print(said)
    assert set(record["jobs"]) == set(count.JOBS)
    assert not count.over(counts, record["jobs"]), said


@pytest.mark.parametrize("more, fails", [(0.05, True), (0.031, True), (0.029, False), (-1, False)])
def test_what_is_too_much(more, fails):
    """Of what the server does not cost: a regression of ballast's must not vanish in the rest."""
    recorded = {"4k read, depth 1": {"all": 50000, "server": 20000}}
    counted = {"4k read, depth 1": {"all": 50000 + more * 30000, "server": 0}}
    assert bool(count.over(counted, recorded)) == fails
