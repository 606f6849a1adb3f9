# SPDX-License-Identifier: GPL-2.0
"""The documents: links lead somewhere, and the map in how-it-works.md is the tree."""

import re
import subprocess

import pytest

from test_house import KERNEL, REPO, sources

MAP = REPO / "docs" / "how-it-works.md"


def assert_links_lead_somewhere(documents):
    done = subprocess.run([REPO / "scripts/check-links", *documents], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_links_lead_somewhere():
    assert_links_lead_somewhere([path for path in sources() if path.suffix == ".md"])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Where "make install" puts the documents, and /etc/ballast/README."""
    root = tmp_path_factory.mktemp("installed")
    for argv in (["make", "install-docs"], ["make", "-C", "boot", "install", "INITRAMFS="]):
        subprocess.run([*argv, f"DESTDIR={root}", "PREFIX=/usr"], cwd=REPO, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)
    return root


def test_links_of_installed_documents_lead_somewhere(installed):
    documents = list(installed.rglob("*.md"))
    assert len(documents) > 20
    assert_links_lead_somewhere(documents)


def test_paths_in_the_installed_readme_exist(installed):
    paths = re.findall(r"/usr/share/doc/[\w./-]*\w", (installed / "etc/ballast/README").read_text())
    assert paths and all((installed / path[1:]).is_file() for path in paths)


@pytest.mark.parametrize("text, link", [
    ("[a](b.md)", "b.md"), ("[a](#b)", "#b"), ("# B\n[a](#b)", None), ("`[a](b.md)`", None),
    ("![a](c/b.svg)", "c/b.svg"), ("[a](https://example.org/b)", None)])
def test_broken_links_are_found(tmp_path, text, link):
    document = tmp_path / "a.md"
    document.write_text(f"{text}\n")
    done = subprocess.run([REPO / "scripts/check-links", document], text=True, capture_output=True)
    assert done.returncode == (1 if link else 0)
    assert done.stdout == (f"{document}: broken link: {link}\n" if link else "")


def test_the_map_is_the_tree():
    """Each source file of the module is in the map, and no other."""
    files = {str(path.relative_to(KERNEL)) for path in sources()
             if KERNEL in path.parents and path.suffix == ".c"}
    text = MAP.read_text()
    rows = text[text.index("## The map"):text.index("## The failures")]
    assert set(re.findall(r"`([\w/]+\.c)`", rows)) == files
