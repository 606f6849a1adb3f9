# SPDX-License-Identifier: GPL-2.0
"""The packages of other distributions: what they need, and what they run."""

import re
import shutil
import subprocess

import pytest

from test_house import REPO

SPEC = REPO / "packaging/rpm/ballast.spec"
ARCH = REPO / "packaging/arch"
RUN = """
mount -t tmpfs tmp /etc && mount -t tmpfs tmp /run && mkdir /etc/ballast || exit 99
{before}
PATH={path}
{script}
"""
REBUILD = "dracut --force --regenerate-all\n"


def section(name):
    """The script of a section of the spec file, without the macros."""
    text = re.search(rf"^%{name}\n(.*?)^%(?!{{)", SPEC.read_text(), re.M | re.S)[1]
    return text.replace("%{_sysconfdir}", "/etc").replace("%{name}", "ballast")


def scripts():
    """What is run after an installation, an upgrade and a removal."""
    trigger = section(r"transfiletriggerin -- [^\n]*")
    arch = f". {ARCH}/ballast-utils.install\n"
    return {"rpm": {"installed": f"set -- 1\n{trigger}", "upgraded": f"set -- 2\n{trigger}",
                    "removed": f"set -- 0\n{section('postun')}",
                    "old removed": f"set -- 1\n{section('postun')}"},
            "arch": {"installed": f"{arch}post_install 1", "upgraded": f"{arch}post_upgrade 2 1",
                     "removed": f"{arch}post_remove 1"}}


@pytest.fixture
def run(tmp_path):
    """run(script, before, programs): what it says and calls."""
    def run(script, before="", programs=("dracut",)):
        path = tmp_path / "bin"
        path.mkdir()
        (path / "grep").symlink_to(shutil.which("grep"))
        for name in programs:
            (path / name).write_text(f'#!/bin/sh\necho "{name} $*"\n')
            (path / name).chmod(0o755)
        done = subprocess.run(["unshare", "-rm", "bash", "-e", "-c",
                               RUN.format(before=before, path=path, script=script)], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        assert not done.returncode, done.stdout
        return done.stdout
    return run


@pytest.mark.parametrize("kind", ["rpm", "arch"])
@pytest.mark.parametrize("when", ["installed", "upgraded", "removed"])
def test_initramfs_is_rebuilt_if_it_has_ballast(run, kind, when):
    assert run(scripts()[kind][when], ": > /etc/ballast/initramfs") == REBUILD


@pytest.mark.parametrize("kind", ["rpm", "arch"])
@pytest.mark.parametrize("when", ["installed", "removed"])
@pytest.mark.parametrize("before, programs", [("", ["dracut"]),
                                              (": > /etc/ballast/initramfs", [])])
def test_initramfs_is_not_rebuilt(run, kind, when, before, programs):
    assert run(scripts()[kind][when], before, programs) == ""


def test_upgrade_of_the_rpm_rebuilds_once(run):
    assert run(scripts()["rpm"]["old removed"], ": > /etc/ballast/initramfs") == ""


def test_hook_that_is_gone(run):
    """mkinitcpio fails if it is named."""
    before = "echo 'HOOKS=(base net ballast filesystems)' > /etc/mkinitcpio.conf"
    said = run(scripts()["arch"]["removed"], before)
    assert said.startswith("ballast: remove the hook ballast from /etc/mkinitcpio.conf, then run ")


def test_libraries_that_the_build_requires():
    makefile = (REPO / "src/ctl/Makefile").read_text()
    libraries = re.findall(r"-l(\w+)", re.search(r"^LDLIBS := (.*)", makefile, re.M)[1])
    assert libraries
    required = re.findall(r"^BuildRequires: +(\S+)", SPEC.read_text(), re.M)
    assert {f"lib{library}-devel" for library in libraries} <= set(required)


@pytest.mark.skipif(not shutil.which("rpmspec"), reason="needs rpmspec")
def test_spec():
    done = subprocess.run(["rpmspec", "-q", "--requires", SPEC], text=True, capture_output=True)
    assert not done.returncode and not done.stderr, done.stderr
    assert {"kmod", "util-linux", "dkms"} <= set(done.stdout.split())
