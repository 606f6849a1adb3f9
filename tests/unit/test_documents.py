# SPDX-License-Identifier: GPL-2.0
"""The documents: links lead somewhere, and the map in how-it-works.md is the tree."""

import re

from test_house import KERNEL, REPO, name, sources

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)
MAP = REPO / "docs" / "how-it-works.md"


def documents():
    return [path for path in sources() if path.suffix == ".md"]


def anchors(path):
    """Those that a heading has on the pages of a repository."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    broken = []
    for path in documents():
        for link in LINK.findall(CODE.sub("", path.read_text())):
            if re.match(r"\w+:", link):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            if not target.exists() or anchor and anchor not in anchors(target):
                broken.append(f"{name(path)}: {link}")
    assert not broken, "broken links:\n" + "\n".join(broken)


def test_the_map_is_the_tree():
    """Each source file of the module is in the map, and no other."""
    files = {str(path.relative_to(KERNEL)) for path in sources()
             if KERNEL in path.parents and path.suffix == ".c"}
    text = MAP.read_text()
    rows = text[text.index("## The map"):text.index("## The failures")]
    assert set(re.findall(r"`([\w/]+\.c)`", rows)) == files
