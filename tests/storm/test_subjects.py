# SPDX-License-Identifier: GPL-2.0
"""Names of subjects, and what each switches off. Needs no guest."""

import dataclasses

import pytest

import subjects


@pytest.mark.parametrize("name, options, parameter", [
    ("ballast", "", ""),
    ("no-filter", "filter=off", ""),
    ("no-reserve", "reserve=0", ""),
    ("no-tcpmem", "", "protect_tcp_mem=N"),
    ("no-softirq", "", "softirq_reserves=N"),
    ("no-filter+no-reserve", "filter=off reserve=0", ""),
    ("no-softirq+no-filter+no-tcpmem", "filter=off", "softirq_reserves=N protect_tcp_mem=N"),
    ("ballast+no-filter", "filter=off", ""),
    ("nothing", "filter=off reserve=0", "softirq_reserves=N protect_tcp_mem=N"),
])
def test_parts_of_ballast(name, options, parameter):
    subject = subjects.parse(name)
    assert (subject.name, subject.disk, subject.ballast) == (name, "ballast0", True)
    assert (subject.options, subject.parameter) == (options, parameter)


def test_size_of_the_reserve():
    assert subjects.parse("ballast").sized(4096).options == "reserve=4096"
    assert subjects.parse("no-filter").sized(4096).options == "filter=off reserve=4096"
    assert subjects.parse("no-reserve").sized(4096).options == "reserve=0"
    assert subjects.parse("nbd").sized(0) is subjects.SUBJECTS["nbd"]
    assert subjects.parse("encrypted").sized(4096).options == "reserve=4096"
    for name in ("guard", "guard-no-reserve"):
        assert subjects.parse(name).sized(4096).after.startswith("echo 4096 > /sys/class/net/")
    for name in ("nbd", "nvme", "iscsi", "nfs", "zram-alone", "zswap-alone"):
        with pytest.raises(ValueError, match=name):
            subjects.parse(name).sized(4096)


def test_every_named_subject_is_found():
    for name, subject in subjects.SUBJECTS.items():
        assert subjects.parse(name) is subject


def test_parts_of_others():
    raid = subjects.parse("raid+no-filter")
    assert (type(raid), raid.options) == (subjects.Raid, "deadline=5 filter=off")
    assert subjects.parse("guard+no-softirq").parameter == "softirq_reserves=N"


@pytest.mark.parametrize("name", ["", "no-", "no-brakes", "filter", "no-filter+reserve",
                                  "no-filter+no-filter", "nbd+no-filter", "guard+no-reserve",
                                  "nothing+no-filter"])
def test_what_is_none_is_refused(name):
    with pytest.raises(ValueError):
        subjects.parse(name)


def test_a_slow_server():
    assert subjects.parse("nbd").limited("100M").rate == "100M"
    assert subjects.parse("nbd").limited("") is subjects.SUBJECTS["nbd"]
    assert subjects.parse("encrypted").limited("100M").rate == "100M"
    for name in ("nvme", "raid", "moving", "iscsi", "nfs", "zram-alone", "zswap-alone"):
        with pytest.raises(ValueError, match=name):
            subjects.parse(name).limited("100M")


def test_a_subject_of_its_own_is_limited_too():
    own = dataclasses.replace(subjects.parse("ballast"), options="allow=tcp:22")
    assert own.limited("60M").options == "allow=tcp:22"


def test_programs_of_this_machine(monkeypatch):
    subjects.parse("ballast").check(ipv6=True)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="iscsi needs tgtd: scripts/deps tgt"):
        subjects.parse("iscsi").check(ipv6=False)
    with pytest.raises(ValueError, match="nfs needs ganesha.nfsd: scripts/deps nfs-ganesha-vfs"):
        subjects.parse("nfs").check(ipv6=False)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="over IPv6"):
        dataclasses.replace(subjects.parse("iscsi"), needs=()).check(ipv6=True)
