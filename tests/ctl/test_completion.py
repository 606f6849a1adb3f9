# SPDX-License-Identifier: GPL-2.0
"""bash completion: what it offers."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "src/ctl/completion.bash"


def offered(*words):
    """What Tab offers behind these words, the last of them begun."""
    done = subprocess.run(["bash", "-c", 'source "$1"; shift; COMP_WORDS=("$@") '
                           'COMP_CWORD=$(($# - 1)); _ballastctl; printf "%s\\n" "${COMPREPLY[@]}"',
                           "bash", str(SCRIPT), *words], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("words, expected", [
    (["ballastctl", "de"], {"detach"}),
    (["ballastctl", "s"], {"status"}),
    (["ballastctl", "attach", ""], {"nbd://", "--help"}),
    (["ballastctl", "attach", "nbd://x/y", "--"],
     {"--swap", "--encrypt", "--discard", "--take", "--priority", "--json",
      "--persist"}),
    (["ballastctl", "attach", "nbd://x/y", "qu"], {"queue_depth="}),
    (["ballastctl", "attach", "nbd://x/y", "filter", "="], {"on", "off"}),
    (["ballastctl", "attach", "nbd://x/y", "filter", "=", "of"], {"off"}),
    (["ballastctl", "attach", "nbd://x/y", "verify", "="], {"on", "off"}),
    (["ballastctl", "attach", "nbd://x/y", "--priority", ""], set()),
    (["ballastctl", "status", "--j"], {"--json"}),
    (["ballastctl", "list", "--j"], {"--json"}),
    (["ballastctl", "top", "--"], {"--once", "--json", "--help"}),
    (["ballastctl", "move", "ballast0", ""], {"nbd://"}),
    (["ballastctl", "guard", "nosuch0", ""], {"allow=", "reserve=", "off", "status",
                                              "--persist"}),
    (["ballastctl", "tune", ""], {"min-free-kbytes", "--help"}),
    (["ballastctl", "nonsense", ""], set()),
])
def test_completion(words, expected):
    assert offered(*words) == expected


def test_every_command():
    assert {"attach", "detach", "move", "guard", "list", "status", "top", "events", "metrics",
            "doctor", "report", "tune", "--help", "--version"} == offered("ballastctl", "")
