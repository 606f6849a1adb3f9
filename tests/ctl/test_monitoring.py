# SPDX-License-Identifier: GPL-2.0
"""docs/monitoring: the alert rules and the dashboard name metrics that ballastctl prints."""

import json
import re
from pathlib import Path

import pytest

MONITORING = Path(__file__).resolve().parents[2] / "docs/monitoring"


def expressions_of_rules():
    # "expr: one line", or "expr: >-" and the lines below it that are further in.
    text = (MONITORING / "ballast.rules.yml").read_text()
    return re.findall(r"^ {8}expr: (?:>-\n)?((?:.*\n)(?: {10}.*\n)*)", text, re.M)


def expressions_of_the_dashboard():
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in dashboard["templating"]["list"]
                if variable["type"] == "query")


@pytest.mark.parametrize("expressions, at_least", [(expressions_of_rules, 12),
                                                   (expressions_of_the_dashboard, 15)])
def test_every_metric_exists(ctl, tree, expressions, at_least):
    tree.disk()
    tree.swap()
    tree.reserve()
    labels = {}
    for name, label in re.findall(r"^(ballast_\w+)(?:\{(.*)\})? ", ctl("metrics").out, re.M):
        labels.setdefault(name, set()).update(re.findall(r"(\w+)=", label))
    found = list(expressions())
    assert len(found) >= at_least
    for expression in found:
        for name, selector in re.findall(r"\b(ballast_[a-z_]+)(?:\{([^}]*)\})?", expression):
            assert name in labels, f"{name} in {expression}"
            # Prometheus itself adds instance.
            for label in re.findall(r"(\w+)(?:=~|!=|=)", selector):
                assert label in labels[name] | {"instance"}, f"{label} in {expression}"
        assert "ballast_" in expression or "node_textfile" in expression
