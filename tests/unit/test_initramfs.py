# SPDX-License-Identifier: GPL-2.0
"""boot/initramfs-attach, with files of its own in the place of /proc's, and without a kernel."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "boot" / "initramfs-attach"

# A second passes with each attempt.
BALLASTCTL = """#!/bin/sh
echo "$*" >> {work}/called
read -r now _ < /proc/uptime
echo "$((${{now%.*}} + 1)).5 1" > {work}/uptime
{script}
"""
RUN = """
mount -t tmpfs tmp /run && mount --bind {work}/cmdline /proc/cmdline &&
mount --bind {work}/uptime /proc/uptime || exit 99
PATH={work}:$PATH
{command}
"""


@pytest.fixture(params=["dash", "busybox ash"])
def attach(tmp_path, request):
    """attach(command line, what ballastctl does, script): its status, and the calls."""
    shell = request.param
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"needs {shell}")

    def run(cmdline, script="", command="$attach"):
        (tmp_path / "cmdline").write_text(f"{cmdline}\n")
        (tmp_path / "uptime").write_text("5.25 1\n")
        (tmp_path / "called").write_text("")
        for name, text in (("ballastctl", BALLASTCTL.format(work=tmp_path, script=script)),
                           ("sleep", "#!/bin/sh\n")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        command = command.replace("$attach", f"{shell} {SCRIPT}")
        done = subprocess.run(["unshare", "-rm", "sh", "-c",
                               RUN.format(work=tmp_path, command=command)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode != 99, done.stderr
        return done.returncode, (tmp_path / "called").read_text().splitlines()

    return run


@pytest.mark.parametrize("parameter, words", [
    ("nbd://192.0.2.1/swap", "nbd://192.0.2.1/swap"),
    ("nbd://[2001:db8::1]/a,swap,priority=3", "nbd://[2001:db8::1]/a --swap --priority 3"),
    ("nbd://192.0.2.1/*,allow=tcp:22,udp:123,timeout=5",
     "nbd://192.0.2.1/* allow=tcp:22,udp:123 timeout=5"),
])
def test_words(attach, parameter, words):
    assert attach(f"quiet rd.ballast={parameter} ro") == (0, [f"attach {words}"])


def test_nothing_to_do(attach):
    assert attach("quiet ro xrd.ballast=nbd://192.0.2.1/swap") == (0, [])


def test_only_what_is_missing_is_tried_again(attach):
    status, called = attach("rd.ballast=a rd.ballast=b rd.ballast=c",
                            "case $2 in b) exit 2 ;; "
                            "c) [ -e /run/twice ] || { : > /run/twice; exit 1; } ;; esac")
    assert status == 0
    assert called == ["attach a", "attach b", "attach c", "attach c"]


def test_half_a_minute(attach):
    status, called = attach("rd.ballast=a", "exit 1")
    assert status == 0 and len(called) == 30


def test_once(attach):
    """As dracut calls it."""
    assert attach("rd.ballast=a", "exit 1", "$attach once") == (1, ["attach a"])
    status, called = attach("rd.ballast=a", "exit 1", "until $attach once; do :; done")
    assert status == 0 and len(called) == 30
    assert attach("rd.ballast=a", "", "$attach once && $attach once") == (0, ["attach a"])
