# SPDX-License-Identifier: GPL-2.0
"""list, status, top and metrics: all that is there, in forms that can be read."""

import json
import re

import pytest

# An export may be called anything.
NASTY = b'a"b\\c\n\x1b[2J \xc3\xa9 \xff }'


def test_nothing(ctl):
    assert ctl("list") == (0, "", "")
    said = ctl("status")
    assert said.status == 0 and said.out.startswith("memory: 19.5 MiB free; watermarks: min 3.9")
    whole = json.loads(ctl("status", "--json").out)
    assert whole == {"loaded": True, "disks": [], "reserves": [], "guarded": [],
                     "memory": {"page_size": 4096, "free_pages": 5000, "min_pages": 1000,
                                "low_pages": 1250, "high_pages": 1500}}


def test_list(ctl, tree):
    tree.disk()
    tree.disk("ballast12", state="reconnecting", server="[2001:db8::1]:10809", export=NASTY)
    tree.swap()
    heading, *lines = ctl("list").out.splitlines()
    assert heading.split() == ["DISK", "STATE", "SIZE/MiB", "INFLIGHT", "SWAP/MiB", "SERVER",
                               "EXPORT"]
    rows = {line.split()[0]: line.split(maxsplit=6)[1:] for line in lines}
    assert rows["ballast0"] == ["live", "1024.0", "3", "1.0", "192.0.2.1:10809", "swap"]
    assert rows["ballast12"] == ["reconnecting", "1024.0", "3", "-", "[2001:db8::1]:10809",
                                 'a"b\\c\\x0a\\x1b[2J \u00e9 \\xff }']
    assert len(lines) == 2


def test_list_of_reserves(ctl, tree):
    tree.reserve()
    assert [line.split() for line in ctl("list").out.splitlines()] == [
        ["RESERVE", "GRADE", "PAGES", "LENT", "PACKETS", "DROPPED"],
        ["eth0", "tight", "561", "61", "768", "155"]]
    tree.disk()
    assert [line.split()[:1] for line in ctl("list").out.splitlines()] == [
        ["DISK"], ["ballast0"], [], ["RESERVE"], ["eth0"]]


def test_status(ctl, tree):
    tree.disk()
    tree.disk("ballast1")
    tree.swap()
    tree.reserve()
    out = ctl("status").out
    for part in ("ballast0: live, 1024.0 MiB, server 192.0.2.1:10809, export \"swap\"",
                 "connections: 2 by eth0, reconnects: 1", "swap: 1.0 MiB of 1024.0 MiB used",
                 "in flight: 3", "read: 100 requests, 0.4 MiB, 2.5 ms each",
                 "written: 200 requests, 2.0 MiB, 5.0 ms each", "flushed: 4 times, 5.0 ms each",
                 "eth0: reserve of 561 pages (2.2 MiB) for 768 packets, IN USE (tight)",
                 "was in use: 3 times, 12.3 s, 2.3 s of it critical",
                 "1000 packets kept (7 allowed, 90 unrelated), 155 dropped",
                 "budget 8, limit 5, malformed 2",
                 "received from the emergency reserves: 40 packets",
                 "500 available, 61 lent", "other socket 100, protocol 30, fragment 10, budget 8",
                 "memory:", "ballast1: live"):
        assert part in out
    tree.reserve(activations=1, rx_kept=1)
    out = ctl("status", "eth0").out
    assert "was in use: 1 time, 12.3 s" in out and "1 packet kept" in out
    one = ctl("status", "/dev/ballast0").out
    assert "ballast0" in one and "ballast1" not in one and "eth0:" not in one
    one = ctl("status", "eth0").out
    assert one.startswith("eth0: reserve") and "ballast" not in one and "memory" not in one


def test_status_json(ctl, tree):
    tree.disk(export=NASTY)
    tree.swap()
    tree.reserve(in_use=0)
    tree.write("sys/class/ballast/guard", "eth1\nbond0\n")
    whole = json.loads(ctl("status", "--json").out)
    assert whole["guarded"] == ["eth1", "bond0"]
    disk, = whole["disks"]
    assert disk["export"] == 'a"b\\c\n\x1b[2J \u00e9 \ufffd }'
    assert disk["size_bytes"] == 1 << 30 and disk["readonly"] is False
    assert (disk["read_requests"], disk["read_bytes"], disk["read_ms"]) == (100, 409600, 250)
    assert (disk["written_requests"], disk["written_bytes"]) == (200, 2048000)
    assert disk["swap"] == {"path": "/dev/ballast0", "size_bytes": 1048572 << 10,
                            "used_bytes": 1 << 20, "priority": -2, "encrypted": False}
    reserve, = whole["reserves"]
    assert reserve["in_use"] is False and reserve["grade"] == "tight"
    assert reserve["rx_dropped_other_socket"] == 100
    assert json.loads(ctl("status", "eth0", "--json").out) == {
        "loaded": True, "disks": [], "reserves": [reserve]}
    assert json.loads(ctl("status", "--json", "ballast0").out)["disks"] == [disk]


def test_interface_without_a_disk(ctl, tree):
    """It has a filter, but no blocks."""
    tree.reserve("eth1", size_pages=0, available_pages=0, lent_pages=0, packet_limit=0,
                 lend_below=0, grade="critical", lends=0, refills=0)
    out = ctl("status").out
    assert "eth1: no disk, only a filter, IN USE (critical)\n  was in use: 3 times" in out
    reserve, = json.loads(ctl("status", "--json").out)["reserves"]
    assert reserve["packet_limit"] == 0 and reserve["grade"] == "critical"
    values = samples(ctl("metrics").out)
    assert values['ballast_reserve_packet_limit{interface="eth1"}'] == 0
    assert values['ballast_reserve_grade{interface="eth1"}'] == 2
    assert " reserve eth1 critical size 0 lent 0 " in ctl("top", "-n1", "-d0.1").out


def test_reserve_of_an_earlier_release(ctl, tree):
    """It lacks the grade and its counters, and everything else is shown."""
    tree.reserve()
    lacking = ("grade", "critical_ms", "rx_unrelated", "rx_pfmemalloc", "rx_dropped_limit")
    for file in lacking:
        (tree.root / f"sys/class/net/eth0/ballast/{file}").unlink()
    assert "packets, IN USE (critical)" in ctl("status").out
    reserve, = json.loads(ctl("status", "--json").out)["reserves"]
    assert reserve["rx_kept"] == 1000 and not set(lacking) & set(reserve)
    text = ctl("metrics").out
    assert 'ballast_reserve_kept_packets_total{interface="eth0"} 1000\n' in text
    assert "reserve_grade{" not in text and 'reason="limit"' not in text
    assert " reserve eth0 critical size 561 " in ctl("top", "-n1", "-d0.1").out


def test_verify(ctl, tree):
    tree.disk()
    assert "verify: on, 32 blocks read back, 0 connections refused\n" in ctl("status").out
    tree.disk(verify="refused", verify_errors=3)
    out = ctl("status").out
    assert "verify: refused, 32 blocks read back, 3 connections refused" in out
    assert "does not have the pages that were swapped out to it" in out
    disk, = json.loads(ctl("status", "--json").out)["disks"]
    assert (disk["verify"], disk["verified"], disk["verify_errors"]) == ("refused", 32, 3)


def test_fences(ctl, tree):
    tree.disk()
    assert "fences: 1 old connection, 5 waiting requests, 2 expired\n" in \
        ctl("status").out
    disk, = json.loads(ctl("status", "--json").out)["disks"]
    assert (disk["fences"], disk["fences_held"], disk["fences_expired"]) == (1, 5, 2)


def test_module_of_an_earlier_release(ctl, tree):
    """It lacks the files of verify and of fences, and everything else is shown."""
    tree.disk()
    for file in ("verify", "verified", "verify_errors", "fences", "fences_held",
                 "fences_expired"):
        (tree.root / f"sys/block/ballast0/ballast/{file}").unlink()
    assert "ballast0: live" in ctl("status").out and "verify" not in ctl("status").out
    disk, = json.loads(ctl("status", "--json").out)["disks"]
    assert disk["reconnects"] == 1 and "verify" not in disk and "fences" not in disk
    metrics = samples(ctl("metrics").out)
    assert metrics['ballast_disk_reconnects_total{disk="ballast0"}'] == 1
    assert not [name for name in metrics if "verif" in name or "fence" in name]
    assert ctl("list").out.splitlines()[1].startswith("ballast0")


def test_not_loaded(ctl, tree):
    (tree.root / "sys/class/ballast").rename(tree.root / "sys/elsewhere")
    assert ctl("list") == (0, "", "")
    assert ctl("status").out.startswith("the module is not loaded")
    assert json.loads(ctl("status", "--json").out)["loaded"] is False
    assert "\nballast_up 0\n" in ctl("metrics").out


def test_disk_that_goes(ctl, tree):
    """A file that is not there any more is a disk that is not there any more."""
    tree.disk("ballast0")
    tree.disk("ballast1")
    (tree.root / "sys/block/ballast0/ballast/state").unlink()
    assert [line.split()[0] for line in ctl("list").out.splitlines()] == ["DISK", "ballast1"]
    assert len(json.loads(ctl("status", "--json").out)["disks"]) == 1


def test_many_disks(ctl, tree):
    for number in range(40):
        tree.disk(f"ballast{number}", export="x" * 4000)
    disks = json.loads(ctl("status", "--json").out)["disks"]
    assert len(disks) == 40 and all(len(disk["export"]) == 4000 for disk in disks)
    assert len(ctl("top", "-n1", "-d0.1").out.splitlines()) == 33


def test_top_lines(ctl, tree):
    tree.disk()
    tree.reserve()
    out = ctl("top", "-n", "2", "-d", "0.1").out
    lines = out.splitlines()
    assert len(lines) == 6
    assert all(re.match(r"\d\d:\d\d:\d\d (memory|disk|reserve) ", line) for line in lines)
    assert lines[0].endswith(" memory free 19.5 min 3.9 low 4.9 high 5.9 MiB "
                             "[######|#|#|#######################......]")
    assert lines[1].endswith(" disk ballast0 live read 0/s 0.00 MiB/s write 0/s 0.00 MiB/s "
                             "latency - ms inflight 3")
    assert lines[2].endswith(" reserve eth0 tight size 561 lent 61 kept 0/s dropped 0/s "
                             "other_socket 0/s protocol 0/s fragment 0/s budget 0/s limit 0/s "
                             "malformed 0/s")
    assert "\x1b" not in out


LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(ballast_[a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?)")


def samples(text):
    """Prometheus' text format, and what promtool checks of it: {name{labels}: value}."""
    values, typed, name = {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in typed, "all of a metric stands together"
            typed.add(name)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == name
            assert line.split()[3] == ("counter" if name.endswith("_total") else "gauge")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == name
            key = f"{match[1]}{{{match[2] or ''}}}"
            assert key not in values
            values[key] = float(match[3])
    assert text.endswith("\n")
    return values


def test_metrics(ctl, tree):
    tree.disk(export=NASTY)
    tree.disk("ballast1", state="failed", verify_errors=3)
    tree.swap()
    tree.reserve()
    values = samples(ctl("metrics").out)
    assert values["ballast_up{}"] == 1
    assert values['ballast_disk_info{disk="ballast0",server="192.0.2.1:10809",'
                  'export="a\\"b\\\\c\\n\x1b[2J \u00e9 \ufffd }",interface="eth0"}'] == 1
    assert values['ballast_disk_state{disk="ballast1",state="failed"}'] == 1
    assert values['ballast_disk_state{disk="ballast1",state="live"}'] == 0
    assert values['ballast_disk_bytes_total{disk="ballast0",direction="write"}'] == 2048000
    assert values['ballast_disk_request_seconds_total{disk="ballast0",direction="read"}'] == 0.25
    assert values['ballast_disk_swap_used_bytes{disk="ballast0"}'] == 1 << 20
    assert values['ballast_disk_swap_size_bytes{disk="ballast1"}'] == 0
    assert values['ballast_disk_verified_blocks_total{disk="ballast0"}'] == 32
    assert values['ballast_disk_verify_errors_total{disk="ballast0"}'] == 0
    assert values['ballast_disk_verify_errors_total{disk="ballast1"}'] == 3
    assert values['ballast_disk_fences{disk="ballast0"}'] == 1
    assert values['ballast_disk_fences_held_requests{disk="ballast0"}'] == 5
    assert values['ballast_disk_fences_expired_total{disk="ballast0"}'] == 2
    assert values['ballast_reserve_size_bytes{interface="eth0"}'] == 561 * 4096
    assert values['ballast_reserve_in_use_seconds_total{interface="eth0"}'] == 12.345
    assert values['ballast_reserve_critical_seconds_total{interface="eth0"}'] == 2.345
    assert values['ballast_reserve_unrelated_packets_total{interface="eth0"}'] == 90
    assert values['ballast_reserve_grade{interface="eth0"}'] == 1
    assert values['ballast_reserve_dropped_packets_total{interface="eth0",'
                  'reason="other_socket"}'] == 100
    assert values['ballast_memory_watermark_bytes{watermark="low"}'] == 1250 * 4096


def test_metrics_of_nothing(ctl):
    assert samples(ctl("metrics").out)["ballast_up{}"] == 1


def test_build_info(ctl, tree):
    """Which machines of a fleet have which release; an upgrade leaves the old module loaded."""
    tree.write("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n")
    tree.write("sys/module/ballast/version", "0.0.9\n")
    version = ctl("--version").out.split()[1]
    assert (f'ballast_build_info{{version="{version}",kernel="6.1.0-56-amd64",module="0.0.9"}} 1\n'
            in ctl("metrics").out)


def test_metrics_are_whole_or_none(ctl, tree):
    """To Prometheus a disk that is left out is a disk that is gone."""
    for number in range(400):
        tree.disk(f"ballast{number}")
    # What is tested is built with the sanitizer: no array may grow over 1 MiB.
    said = ctl("metrics", ASAN_OPTIONS="allocator_may_return_null=1:max_allocation_size_mb=1")
    assert (said.status, said.out) == (1, "")
    assert "no memory" in said.err


@pytest.mark.parametrize("command", [["list"], ["status"], ["metrics"], ["top", "-n1", "-d.1"],
                                     ["--help"]], ids=" ".join)
def test_full_disk(ctl, tree, command):
    """What can't be written is told."""
    import os
    import subprocess
    tree.disk()
    ctl("list")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([os.environ["BALLASTCTL"], *command], stdout=full,
                              stderr=subprocess.PIPE, timeout=20,
                              env={**os.environ, "BALLAST_ROOT": str(tree.root)})
    assert done.returncode == 1 and b"No space left" in done.stderr
