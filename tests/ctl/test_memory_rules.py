# SPDX-License-Identifier: GPL-2.0
"""The arithmetic of doctor and tune: what vm.min_free_kbytes should be, and can be now."""

import ctypes
import subprocess
from ctypes import POINTER, Structure, c_bool, c_int, c_ulong
from pathlib import Path

import pytest

CTL = Path(__file__).resolve().parents[2] / "src" / "ctl"
MIB = 1 << 10
GIB = 1 << 20
FINE, BROKEN, LOW, WASTE = range(4)


class Figures(Structure):
    _fields_ = [(name, c_ulong) for name in
                ("total", "free", "inactive_file", "dirty", "writeback", "scale")]


class Raise(Structure):
    _fields_ = [("reclaimable", c_ulong), ("high", c_ulong), ("needed", c_ulong),
                ("possible", c_bool)]


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    library = tmp_path_factory.mktemp("rules") / "rules.so"
    subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
                    "-o", library, CTL / "memory_rules.c"], check=True)
    rules = ctypes.CDLL(library)
    for name, result, *arguments in (
            ("min_free_recommended", c_ulong, c_ulong),
            ("min_free_ceiling", c_ulong, c_ulong),
            ("min_free_judge", c_int, c_ulong, c_ulong),
            ("min_free_auto", c_ulong, c_ulong, c_ulong),
            ("min_free_high", c_ulong, c_ulong, c_ulong, c_ulong),
            ("min_free_reclaimable", c_ulong, POINTER(Figures)),
            ("min_free_raise", Raise, c_ulong, POINTER(Figures)),
            ("min_free_step", c_ulong, c_ulong, c_ulong)):
        function = getattr(rules, name)
        function.restype, function.argtypes = result, arguments
    return rules


@pytest.mark.parametrize("memory, recommended, ceiling", [
    (16 * MIB, 1024, 1024),         # the floor, whatever the rest says
    (64 * MIB, 1024, 3276),         # the kernel's own: 4 * sqrt(65536)
    (256 * MIB, 2048, 13107),
    (1 * GIB, 4096, 52428),
    (4 * GIB, 16 * MIB, 209715),    # from 1 GiB on a 256th is more
    (40 * GIB, 160 * MIB, GIB),
    (128 * GIB, 512 * MIB, 128 * GIB // 40),
    (2048 * GIB, 512 * MIB, 2048 * GIB // 40),
])
def test_recommended_and_ceiling(rules, memory, recommended, ceiling):
    assert rules.min_free_recommended(memory) == recommended
    assert rules.min_free_ceiling(memory) == ceiling


@pytest.mark.parametrize("value, memory, verdict", [
    (1023, GIB, BROKEN),
    (1024, 64 * MIB, FINE),
    (0, 16 * MIB, BROKEN),
    (1844, 256 * MIB, FINE),                 # what a stock kernel sets there
    (67584, 4 * GIB, FINE),                  # with transparent huge pages
    (67584, 24 * GIB, FINE),
    (67584, 40 * GIB, LOW),
    (512 * MIB, 128 * GIB, FINE),
    (90112, 128 * GIB, LOW),
    (GIB, 40 * GIB, FINE),
    (GIB + 1, 40 * GIB, WASTE),
    (13108, 256 * MIB, WASTE),
    (52429, GIB, WASTE),
])
def test_judge(rules, value, memory, verdict):
    assert rules.min_free_judge(value, memory) == verdict


def test_neither_rule_contradicts_the_other(rules):
    memory = 4 * MIB
    while memory < 1 << 34:
        recommended = rules.min_free_recommended(memory)
        assert rules.min_free_judge(recommended, memory) == FINE, memory
        assert 1024 <= recommended <= rules.min_free_ceiling(memory) or recommended == 1024
        memory += memory // 7


def test_auto(rules):
    assert rules.min_free_auto(512, 256 * MIB) == 2048
    assert rules.min_free_auto(67584, 4 * GIB) == 67584, "in order: it stays"
    assert rules.min_free_auto(2 * GIB, 40 * GIB) == 160 * MIB
    assert rules.min_free_auto(67584, 128 * GIB) == 512 * MIB


def test_high_is_three_halves_of_min_or_as_the_scale_has_it(rules):
    assert rules.min_free_high(512 * MIB, 4 * GIB, 10) == 768 * MIB
    # 0.1 % of 128 GiB for each gap is more than a quarter of 64 MiB
    assert rules.min_free_high(64 * MIB, 128 * GIB, 10) == 64 * MIB + 2 * (128 * GIB // 10000 * 10)


def test_the_raise_that_hangs_a_machine_is_refused(rules):
    """From 512 MiB to 5 GiB with 1 GiB free, however much page cache there is."""
    for total in (16 * GIB, 40 * GIB, 256 * GIB):
        for cache in (0, GIB, 4 * GIB, total // 2):
            memory = Figures(total=total, free=GIB, inactive_file=cache, scale=10)
            found = rules.min_free_raise(5 * GIB, memory)
            assert not found.possible, (total, cache)
            assert found.needed > found.high >= 7 * GIB


def test_a_large_idle_machine_can_have_what_is_recommended(rules):
    memory = Figures(total=128 * GIB, free=350 * MIB, inactive_file=60 * GIB, scale=10)
    assert rules.min_free_raise(512 * MIB, memory).possible


def test_what_is_easily_freed(rules):
    def reclaimable(**figures):
        return rules.min_free_reclaimable(Figures(**figures))

    assert reclaimable(free=GIB, inactive_file=GIB) == GIB // 2
    assert reclaimable(free=GIB, inactive_file=GIB, dirty=GIB // 2) == GIB // 4
    assert reclaimable(free=GIB, inactive_file=GIB, dirty=GIB // 2, writeback=GIB) == 0
    assert reclaimable(free=MIB, inactive_file=GIB) == 3 * MIB
    assert reclaimable(free=0, inactive_file=GIB) == 0


def test_a_step_leaves_min_under_the_old_low(rules):
    value, steps = 0, 0
    while value < 5 * GIB:
        following = rules.min_free_step(value, 5 * GIB)
        assert value < following <= 5 * GIB
        assert value < 1024 or following <= value * 5 // 4
        value, steps = following, steps + 1
    assert value == 5 * GIB and steps < 150
