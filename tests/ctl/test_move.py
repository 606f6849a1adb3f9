# SPDX-License-Identifier: GPL-2.0
"""move: what it writes, and what it refuses."""

import pytest

MOVE = "sys/block/ballast0/ballast/move"


@pytest.mark.parametrize("uri, words", [
    ("nbd://192.0.2.9/swap", 'server=192.0.2.9:10809 export="swap"'),
    ("nbd://[2001:db8::9]:99/my%20swap", 'server=[2001:db8::9]:99 export="my swap"'),
])
def test_uri(ctl, tree, uri, words):
    tree.disk()
    said = ctl("move", "/dev/ballast0", uri)
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("ballast0: moved to ") and said.out.endswith('swap"\n')
    assert tree.read(MOVE) == words


@pytest.mark.parametrize("arguments, status, why", [
    ([], 2, "DISK is missing"),
    (["ballast7", "nbd://192.0.2.9/x"], 2, "ballast7: is not a disk of ballast"),
    (["ballast0"], 2, "nbd://SERVER[:PORT]/EXPORT is missing"),
    (["ballast0", "http://192.0.2.9/x"], 2, "http://192.0.2.9/x: "),
    (["ballast0", "nbd://192.0.2.9/x", "index=1"], 2, "index=1: only DISK and a URI"),
    (["--now", "ballast0", "nbd://192.0.2.9/x"], 2, "--now: no such option"),
    (["ballast0", "nbd://nosuch.invalid/x"], 1, "nosuch.invalid: "),
])
def test_bad_arguments(ctl, tree, arguments, status, why):
    tree.disk()
    before = tree.all()
    said = ctl("move", *arguments)
    assert (said.status, said.out) == (status, "") and why in said.err
    assert tree.all() == before


def test_export_of_another_swap(ctl, tree):
    """Each would overwrite the other's pages."""
    tree.disk()
    tree.disk("ballast1", server="192.0.2.9:10809")
    tree.swap("ballast1")
    said = ctl("move", "ballast0", "nbd://192.0.2.9/swap")
    assert said.status == 1 and "is already swapped to, as ballast1" in said.err
    assert tree.read(MOVE) == ""
    assert ctl("move", "ballast0", "nbd://192.0.2.9/other").status == 0


def test_module_of_an_earlier_release(ctl, tree):
    tree.disk()
    (tree.root / MOVE).unlink()
    said = ctl("move", "ballast0", "nbd://192.0.2.9/swap")
    assert said.status == 1 and "the loaded module is of an earlier release" in said.err
