# SPDX-License-Identifier: GPL-2.0
"""What must not work: one line that names the argument, exit 2, and nothing is changed."""

import re
from pathlib import Path

import pytest
from rig import limits

URI = "nbd://192.0.2.1/swap"
LONG = "x" * 5000


def over(name, limit):
    word = f"{name}={limit + 1}"
    return ["attach", URI, word], word


# The arguments, and what the line must name.
BAD = [
    ([], "a command is missing"),
    ([""], "no such command"),
    (["attack"], "attack"),
    (["--verbose"], "--verbose"),
    (["a\nb"], r"a\x0ab"),
    (["\x1b[2Jx"], r"\x1b[2Jx"),
    (["é"], r"\xc3\xa9"),
    ([LONG], "xxx"),

    (["attach"], "nbd://SERVER"),
    (["attach", ""], "not of the form"),
    (["attach", "192.0.2.1"], "192.0.2.1"),
    (["attach", "http://192.0.2.1/swap"], "http://192.0.2.1/swap"),
    (["attach", "nbds://192.0.2.1/swap"], "TLS"),
    (["attach", "NBDS://192.0.2.1/swap"], "TLS"),
    (["attach", "nbd+unix:///swap?socket=/run/x"], "local socket"),
    (["attach", "nbd+vsock://3/x"], "TCP only"),
    (["attach", "nbd:192.0.2.1"], "not of the form"),
    (["attach", "nbd://"], "the server is missing"),
    (["attach", "nbd:///swap"], "the server is missing"),
    (["attach", "nbd://:10809/swap"], "the server is missing"),
    (["attach", "nbd://me@192.0.2.1/swap"], "user name"),
    (["attach", "nbd://2001:db8::1/swap"], "brackets"),
    (["attach", "nbd://[2001:db8::1/swap"], "bracket"),
    (["attach", "nbd://[2001:db8::1]x/swap"], "not of the form"),
    (["attach", "nbd://[192.0.2.1]/swap"], "not an IPv6 address"),
    (["attach", "nbd://[]/swap"], "not an IPv6 address"),
    (["attach", "nbd://[::1%]/swap"], "interface"),
    (["attach", "nbd://[::1%25]/swap"], "interface"),
    (["attach", "nbd://[::1%25a b]/swap"], "character"),
    (["attach", "nbd://192.0.2.1:0/swap"], "port"),
    (["attach", "nbd://192.0.2.1:65536/swap"], "port"),
    (["attach", "nbd://192.0.2.1:-1/swap"], "port"),
    (["attach", "nbd://192.0.2.1:1e3/swap"], "port"),
    (["attach", "nbd://192.0.2.1:123456789012/swap"], "port"),
    (["attach", "nbd://192.0.2.1/a%2"], "%2 is not %m, %H, %M, %% or"),
    (["attach", "nbd://192.0.2.1/a%2g"], "%2g is not %m, %H, %M, %% or"),
    (["attach", "nbd://192.0.2.1/a%zz"], "%z is not %m, %H, %M, %% or"),
    (["attach", "nbd://192.0.2.1/%h"], "%h is not"),
    (["attach", "nbd://192.0.2.1/a%"], "two hexadecimal digits"),
    (["attach", "nbd://%q/a"], "%q is not"),
    (["attach", "nbd://%M/a"], "%M can't be part of the server's name"),
    (["attach", f"nbd://192.0.2.1/%m{'x' * 4065}"], "longer than"),
    (["attach", "nbd://192.0.2.1/a%00b"], "control character"),
    (["attach", "nbd://192.0.2.1/a%0Ab"], "control character"),
    (["attach", "nbd://192.0.2.1/a\nb"], "control character"),
    (["attach", "nbd://192.0.2.1/a%22 index=5"], "quotation mark"),
    (["attach", "nbd://192.0.2.1/swap?tls=on"], "?"),
    (["attach", "nbd://192.0.2.1/swap#x"], "#"),
    (["attach", "nbd://host name/swap"], "character"),
    (["attach", "nbd://host%20index=5/swap"], "character"),
    (["attach", f"nbd://{LONG}/swap"], "too long"),
    (["attach", f"nbd://192.0.2.1/{LONG}"], "longer than"),

    (["attach", URI, "color=red"], "color=red"),
    (["attach", URI, "index"], "index"),
    (["attach", URI, "index="], "index="),
    (["attach", URI, "index=-1"], "index=-1"),
    over("index", limits.MAX_INDEX),
    (["attach", URI, "index=99999999999999999999"], "index=9"),
    (["attach", URI, "index=0x1"], "index=0x1"),
    (["attach", URI, "index= 1"], "index= 1"),
    (["attach", URI, "index=1 readonly"], "index=1 readonly"),
    (["attach", URI, "connections=0"], "connections=0"),
    over("connections", limits.MAX_CONNECTIONS),
    over("queue_depth", limits.MAX_QUEUE_DEPTH),
    over("timeout", limits.MAX_SECONDS),
    (["attach", URI, "deadline=soon"], "deadline=soon"),
    (["attach", URI, "readonly=1"], "readonly=1"),
    (["attach", URI, "readonly="], "readonly="),
    (["attach", URI, "filter=maybe"], "filter=maybe"),
    (["attach", URI, "verify=maybe"], "verify=maybe"),
    (["attach", URI, "reserve=lots"], "reserve=lots"),
    over("reserve", limits.MAX_RESERVE),
    (["attach", URI, "allow=22"], "allow=22"),
    (["attach", URI, "allow=tcp:0"], "allow=tcp:0"),
    (["attach", URI, "allow=tcp:22,"], "allow=tcp:22,"),
    (["attach", URI, "allow=tcp:2049@nfs"], "needs an address behind the @"),
    (["attach", URI, "allow=tcp:2049@2001:db8::5"], "needs an address behind the @"),
    (["attach", URI, "allow=tcp:2049@[::]"], "needs an address behind the @"),
    (["attach", URI, "allow=" + ",".join(["tcp:1"] * (limits.MAX_ALLOW + 1))],
     f"{limits.MAX_ALLOW} entries"),
    (["attach", URI, f"allow={LONG}"], "allow=x"),
    (["attach", URI, "deadline=1", "deadline=2"], "deadline=2"),
    (["attach", URI, "server=192.0.2.2"], "server=192.0.2.2"),
    (["attach", URI, "export=x"], "export=x"),
    (["attach", URI, "nbd://192.0.2.2/b"], "nbd://192.0.2.2/b"),
    (["attach", URI, ""], "no such option"),
    (["attach", URI, "--swapp"], "--swapp"),
    (["attach", URI, "--priority", "3"], "--priority"),
    (["attach", URI, "--swap", "--priority"], "--priority"),
    (["attach", URI, "--swap", "--priority", "high"], "high"),
    (["attach", URI, "--swap", "--priority=32768"], "32768"),
    (["attach", URI, "--swap", "--priority=-1"], "-1"),
    (["attach", URI, "--swap", "--priority="], "--priority"),
    (["attach", URI, "--swap", "readonly"], "readonly"),
    (["attach", URI, "--encrypt"], "--encrypt: requires --swap"),
    (["attach", URI, "--discard"], "--discard: requires --swap"),
    (["attach", URI, "--take"], "--take: requires --swap"),

    (["detach"], "DISK"),
    (["detach", ""], "not a disk"),
    (["detach", "ballast7"], "ballast7"),
    (["detach", "vda"], "vda"),
    (["detach", ".."], ".."),
    (["detach", "../../etc"], "../../etc"),
    (["detach", "/dev/../sys/block/ballast0"], "/dev/../sys/block/ballast0"),
    (["detach", "ballast0\n"], r"ballast0\x0a"),
    (["detach", LONG], "xxx"),
    (["detach", "ballast0", "ballast1"], "ballast1"),
    (["detach", "--forse", "ballast0"], "--forse"),

    (["list", "ballast0"], "ballast0"),
    (["list", "--json", "ballast0"], "ballast0"),
    (["status", "ballast7"], "ballast7"),
    (["status", "lo"], "lo"),
    (["status", ""], "neither"),
    (["status", "../lo"], "../lo"),
    (["status", "/dev/eth0"], "/dev/eth0"),
    (["status", "--xml"], "--xml"),
    (["status", "ballast0", "eth0"], "eth0"),
    (["status", LONG], "xxx"),
    (["top", "ballast0"], "ballast0"),
    (["top", "-d"], "-d"),
    (["top", "-d", "0"], "0"),
    (["top", "-d", "nan"], "nan"),
    (["top", "-d1s"], "1s"),
    (["top", "-d", "3601"], "3601"),
    (["top", "-n", "0"], "0"),
    (["top", "-n", "1.5"], "1.5"),
    (["top", "-n", "+5"], "+5"),
    (["top", "--jsn"], "--jsn"),
    (["top", "-n", "99999999999999999999"], "9999"),
    (["metrics", "--json"], "--json"),
    (["report", "x.zip"], "x.zip: the name must end with"),
    (["report", ".tar.gz"], ".tar.gz: the name must end with"),
    (["report", ""], "the name must end with"),
    (["report", "--all"], "--all"),
    (["report", "a.tar", "b.tar"], "b.tar"),
    (["report", "/no/such/directory/x.tar.gz"], "/no/such/directory/x.tar.gz: can't be written"),
    (["report", "/proc/x.tar"], "/proc/x.tar: can't be written"),
]


@pytest.mark.parametrize("arguments, names", BAD,
                         ids=[" ".join(words)[:40] or "none" for words, _ in BAD])
def test_refused(ctl, tree, arguments, names):
    tree.disk()
    tree.reserve()
    before = tree.all()
    said = ctl(*arguments)
    assert said.status == 2
    assert said.out == ""
    assert said.err.count("\n") == 1 and said.err.endswith("\n")
    assert said.err.startswith("ballastctl")
    assert names in said.err
    assert said.err[:-1].isprintable() and said.err.isascii()
    assert tree.all() == before


@pytest.mark.parametrize("command", [[], ["attach"], ["detach"], ["list"], ["status"], ["top"],
                                     ["metrics"], ["doctor"], ["report"], ["tune"], ["move"],
                                     ["guard"], ["events"]], ids=" ".join)
def test_help_fits_a_screen(ctl, command):
    said = ctl(*command, "--help")
    assert said.status == 0 and said.err == ""
    lines = said.out.splitlines()
    assert said.out.startswith("Usage: ballastctl")
    assert len(lines) <= 23, "a screen has 24 lines, one of them the prompt"
    assert max(map(len, lines)) <= 80


def test_help_says_what_list_prints(ctl, tree):
    """The disks and the reserves."""
    tree.disk()
    tree.reserve()
    assert {"ballast0", "eth0"} < set(ctl("list").out.split())
    line, = [line for line in ctl("--help").out.splitlines() if line.split()[:1] == ["list"]]
    assert "disks" in line and "reserves" in line


def test_version(ctl):
    conf = (Path(__file__).resolve().parents[2] / "dkms.conf").read_text()
    version = re.search(r'^PACKAGE_VERSION="(.+)"$', conf, re.M).group(1)
    assert ctl("--version").out == f"ballastctl {version}\n"
