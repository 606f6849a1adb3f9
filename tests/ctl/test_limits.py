# SPDX-License-Identifier: GPL-2.0
"""Options, limits and file names are those of include/ballast/limits.h everywhere."""

import re
from pathlib import Path

import pytest
from conftest import RESERVE
from rig import limits

REPO = Path(__file__).resolve().parents[2]
URI = "nbd://192.0.2.1/swap"
ATTACH = "sys/class/ballast/attach"
# In the command line the URI stands for these two.
OPTIONS = set(limits.OPTIONS) - {limits.OPT_SERVER, limits.OPT_EXPORT}

RANGES = {
    limits.OPT_INDEX: (0, limits.MAX_INDEX),
    limits.OPT_CONNECTIONS: (1, limits.MAX_CONNECTIONS),
    limits.OPT_QUEUE_DEPTH: (1, limits.MAX_QUEUE_DEPTH),
    limits.OPT_TIMEOUT: (0, limits.MAX_SECONDS),
    limits.OPT_DEADLINE: (0, limits.MAX_SECONDS),
    limits.OPT_FENCE: (0, limits.MAX_SECONDS),
    limits.OPT_CONNECT_TIMEOUT: (1, limits.MAX_SECONDS),
    limits.OPT_RESERVE: (0, limits.MAX_RESERVE),
}
# Options whose value is no number.
WORDS = {limits.OPT_READONLY, limits.OPT_FILTER, limits.OPT_VERIFY, limits.OPT_ALLOW}
EDGES = [(name, edge) for name, edges in RANGES.items() for edge in edges]


@pytest.mark.parametrize("name, edge", EDGES)
def test_the_limit_itself_is_taken(ctl, tree, name, edge):
    tree.disk(f"ballast{edge if name == limits.OPT_INDEX else 0}")
    index = [] if name == limits.OPT_INDEX else ["index=0"]
    said = ctl("attach", URI, f"{name}={edge}", *index)
    assert (said.status, said.err) == (0, "")
    assert f" {name}={edge}" in tree.read(ATTACH)


@pytest.mark.parametrize("name, edge", EDGES)
def test_beyond_the_limit_is_refused_before_the_kernel_sees_it(ctl, tree, name, edge):
    low, high = RANGES[name]
    word = f"{name}={edge - 1 if edge == low else edge + 1}"
    said = ctl("attach", URI, word)
    assert said.status == 2 and said.out == ""
    assert said.err.startswith(f"ballastctl attach: {word}: is n")
    assert f"from {low} to {high}\n" in said.err
    assert tree.read(ATTACH) == ""


def test_every_option_with_a_number_has_its_range_above():
    assert set(RANGES) == OPTIONS - WORDS


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", ["-1", "1s", "0x10", "1.5", "18446744073709551617"])
def test_what_is_no_number_is_refused_with_option_and_value(ctl, tree, name, value):
    said = ctl("attach", URI, f"{name}={value}")
    assert said.status == 2 and said.out == ""
    assert said.err.startswith(f"ballastctl attach: {name}={value}: is n")
    assert tree.read(ATTACH) == ""


def test_as_many_entries_of_allow_as_there_may_be(ctl, tree):
    tree.disk()
    entries = [f"udp:{65535 - n}" for n in range(limits.MAX_ALLOW)]
    said = ctl("attach", URI, "index=0", "allow=" + ",".join(entries))
    assert (said.status, said.err) == (0, "")
    said = ctl("attach", URI, "index=0", "allow=" + ",".join([*entries, "tcp:1"]))
    assert said.status == 2 and f"more than {limits.MAX_ALLOW} entries" in said.err


@pytest.mark.parametrize("size", [limits.MAX_EXPORT, limits.MAX_EXPORT + 1])
def test_export_name(ctl, tree, size):
    tree.disk()
    said = ctl("attach", f"nbd://192.0.2.1/{'x' * size}", "index=0")
    if size <= limits.MAX_EXPORT:
        assert (said.status, said.err) == (0, "")
        assert f'export="{"x" * size}"' in tree.read(ATTACH)
    else:
        assert said.status == 2 and f"longer than the {limits.MAX_EXPORT} bytes" in said.err
        assert tree.read(ATTACH) == ""


def help_options(ctl):
    return re.findall(r"^  ([a-z_]+)(?:=\S+)?  ", ctl("attach", "--help").out, re.M)


def completion_options():
    text = (REPO / "src/ctl/completion.bash").read_text()
    words = re.search(r"--priority\s+((?:[a-z_]+=?\s+)+[a-z_]+=?)'", text).group(1).split()
    return [word.rstrip("=") for word in words]


def man_options():
    page = (REPO / "docs/man/ballastctl.8").read_text()
    part = page[page.index(".Ss attach\n"):page.index(".Ss detach\n")]
    return re.findall(r"^\.It Cm ([a-z_]+)", part, re.M)


def test_every_option_is_listed_once(ctl):
    for where, names in (("help", help_options(ctl)), ("completion", completion_options()),
                         ("manual page", man_options())):
        assert sorted(names) == sorted(OPTIONS), where


def sysfs_options():
    page = (REPO / "docs/sysfs.md").read_text()
    start = page.index("/sys/class/ballast/attach\n")
    part = page[start:page.index("Reading prints the usage", start)]
    return re.findall(r"^ {20}([a-z_]+)  ", part, re.M)


def test_docs_sysfs_lists_every_option_and_every_file():
    assert sorted(sysfs_options()) == sorted(limits.OPTIONS)
    page = (REPO / "docs/sysfs.md").read_text()
    files = re.findall(r"What: +/sys/(?:class/ballast|block/ballastN/ballast|"
                       r"class/net/IFACE/ballast)/(\w+)\n", page)
    assert set(files) == set(limits.FILES)


def test_limits_in_texts(ctl):
    """Numbers that a text has to spell out."""
    page = (REPO / "docs/man/ballastctl.8").read_text()
    sysfs = (REPO / "docs/sysfs.md").read_text()
    connections = f"1 to {limits.MAX_CONNECTIONS}"
    depth = f"1 to {limits.MAX_QUEUE_DEPTH}"
    for where, text in (("help", ctl("attach", "--help").out), ("manual page", page),
                        ("docs/sysfs.md", sysfs)):
        assert connections in text and depth in text, where
        assert str(limits.DEFAULT_QUEUE_DEPTH) in text, where
        for name, default in ((limits.OPT_FENCE, limits.DEFAULT_FENCE),
                              (limits.OPT_CONNECT_TIMEOUT, limits.DEFAULT_CONNECT_TIMEOUT)):
            described = text[text.index(name):][:500]
            assert re.search(rf"[Dd]efault:? {default}\b", described), (where, name)
    for where, text in (("manual page", page), ("docs/sysfs.md", sysfs)):
        for value in (limits.MAX_INDEX, limits.MAX_SECONDS, limits.DEFAULT_PORT):
            assert str(value) in text, where
    assert f"Up to {limits.MAX_ALLOW} ports" in page
    assert f"{limits.MAX_EXPORT} bytes at most" in sysfs


def test_the_tree_of_these_tests_has_the_files():
    assert set(RESERVE) < set(limits.FILES)


def test_size_of_a_buffer_is_where_doctor_looks_for_it():
    """doctor takes it from a reserve's estimate: the words that the module writes there."""
    kernel = "".join(path.read_text() for path in (REPO / "src/kernel").rglob("*.c"))
    assert "%u bytes of buffer" in kernel
    assert '" bytes of buffer"' in (REPO / "src/ctl/doctor_net.c").read_text()
