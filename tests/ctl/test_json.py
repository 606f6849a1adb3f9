# SPDX-License-Identifier: GPL-2.0
"""--json: what is printed is what docs/ballastctl.schema.json and the manual page describe."""

import json
import re
import time
from pathlib import Path

import jsonschema
import pytest

REPO = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((REPO / "docs/ballastctl.schema.json").read_text())


def valid(text, name):
    """The value, if it is what the schema has under that name."""
    value = json.loads(text)
    jsonschema.validate(value, {**SCHEMA, "$ref": f"#/$defs/{name}"},
                        jsonschema.Draft201909Validator)
    return value


def test_the_schema_itself():
    jsonschema.Draft201909Validator.check_schema(SCHEMA)


def test_list(ctl, tree):
    assert valid(ctl("list", "--json").out, "list") == {"disks": [], "reserves": []}
    tree.disk(export='a"b\\\xff')
    tree.disk("ballast1", state="reconnecting")
    tree.swap()
    tree.reserve()
    whole = valid(ctl("list", "--json").out, "list")
    disks = {disk["name"]: disk for disk in whole["disks"]}
    assert disks["ballast0"]["swap"]["used_bytes"] == 1 << 20
    assert disks["ballast1"]["swap"] is None and disks["ballast1"]["state"] == "reconnecting"
    assert whole["reserves"] == [{"name": "eth0", "grade": "tight", "size_pages": 561,
                                  "lent_pages": 61, "packet_limit": 768, "rx_dropped": 155}]
    # The same values have the same names in both.
    status = json.loads(ctl("status", "--json").out)
    for kind in ("disks", "reserves"):
        for few, many in zip(whole[kind], status[kind]):
            assert few.items() <= many.items()


def test_attach(ctl, tree):
    tree.disk("ballast5", export="swap")
    said = ctl("attach", "nbd://192.0.2.1/swap", "--json", "index=5")
    assert (said.status, said.err) == (0, "")
    assert valid(said.out, "attach") == {
        "name": "ballast5", "server": "192.0.2.1:10809", "export": "swap",
        "size_bytes": 1 << 30, "readonly": False, "module_loaded": False, "formatted": False,
        "swap": None}


def test_attach_that_fails(ctl, tree):
    """What is wrong is on the standard error, and a program finds no half of an object."""
    said = ctl("attach", "nbd://192.0.2.1/swap", "--json")
    assert said.status == 1 and said.out == "" and said.err.count("\n") == 1


def test_top(ctl, tree):
    tree.disk()
    tree.reserve()
    now = time.time()
    lines = ctl("top", "--json", "-n2", "-d0.1").out.splitlines()
    assert len(lines) == 2, "a line for each sample"
    for line in lines:
        sample = valid(line, "top")
        assert now - 1 < sample["time"] < now + 60 and 0.05 < sample["seconds"] < 10
        assert sample["memory"]["free_pages"] == 5000
        assert sample["disks"][0]["latency_ms"] is None
        assert sample["reserves"][0]["rx_dropped_other_socket_per_second"] == 0


def test_top_once(ctl, tree):
    valid(ctl("top", "--once", "--json", "-d.1").out, "top")
    assert len(ctl("top", "--once", "-d.1").out.splitlines()) == 1


def test_top_counts(ctl, tree):
    """Rates are of the counters' growth between two samples."""
    import subprocess
    import os
    tree.disk()
    process = subprocess.Popen([os.environ["BALLASTCTL"], "top", "--json", "-n2", "-d1"],
                               stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "BALLAST_ROOT": str(tree.root)})
    first = valid(process.stdout.readline(), "top")
    assert first["disks"][0]["read_requests_per_second"] == 0
    tree.write("sys/block/ballast0/stat",
               "110 5 960 300 220 9 4080 1100 3 900 1250 0 0 0 0 4 20\n")
    second = valid(process.stdout.readline(), "top")
    assert process.wait(20) == 0
    disk, seconds = second["disks"][0], second["seconds"]
    assert disk["read_requests_per_second"] == pytest.approx(10 / seconds, rel=0.01)
    assert disk["read_bytes_per_second"] == pytest.approx(160 * 512 / seconds, rel=0.01)
    assert disk["written_requests_per_second"] == pytest.approx(20 / seconds, rel=0.01)
    assert disk["latency_ms"] == 5


@pytest.mark.parametrize("command", ["attach", "list", "top"])
def test_the_manual_has_each_member(command):
    text = (REPO / "docs/man/ballastctl.8").read_text()
    section = text[text.index(f".It Cm {command}\n", text.index(".Sh JSON")):]
    section = section[:section.index(".It Cm", 5)]
    for name in SCHEMA["$defs"][command]["properties"]:
        assert re.search(rf"\b{name}\b", section), name
