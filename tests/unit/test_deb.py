# SPDX-License-Identifier: GPL-2.0
"""scripts/deb, on a copy of the tree, with a dpkg-buildpackage that builds nothing."""

import os
import subprocess

import pytest

from test_house import REPO, copy_sources, sources

BUILD = '#!/bin/sh\nfind . ! -type d | sort > "$BUILT"\n: > ../ballast-utils_1.deb\n'
# What a build leaves in a tree.
LEFT = ("ballast.ko", "src/kernel/main.o", "src/kernel/.main.o.cmd", "build/deb/log",
        "src/ctl/__pycache__/a.pyc", "Module.symvers")


class Copy:
    def __init__(self, root):
        self.root, self.out, self.built = root / "tree", root / "out", root / "built"
        self.files = sorted(f"./{path.relative_to(REPO)}" for path in sources())
        copy_sources(self.root)
        for name in LEFT:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("")
        program = root / "bin/dpkg-buildpackage"
        program.parent.mkdir()
        program.write_text(BUILD)
        program.chmod(0o755)
        self.environment = {**os.environ, "BUILT": str(self.built), "HOME": str(root),
                            "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def git(self):
        for argv in (["git", "init", "-q"], ["git", "add", "-A"]):
            subprocess.run(argv, cwd=self.root, check=True)

    def deb(self, out=None):
        return subprocess.run(["scripts/deb", out or self.out], cwd=self.root, text=True,
                              env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


@pytest.mark.parametrize("git", [True, False])
@pytest.mark.parametrize("out", [None, "build/deb"])
def test_files(copy, git, out):
    """In a checkout and in an unpacked tarball."""
    if git:
        copy.git()
    done = copy.deb(out)
    assert not done.returncode, done.stderr
    assert copy.built.read_text().splitlines() == copy.files


def test_tarball_in_the_checkout_of_another_project(copy):
    subprocess.run(["git", "init", "-q"], cwd=copy.root.parent, check=True)
    done = copy.deb()
    assert not done.returncode, done.stderr
    assert copy.built.read_text().splitlines() == copy.files


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_checkout_of_another_user(copy):
    copy.git()
    for path in (copy.root, *copy.root.rglob("*")):
        os.chown(path, 1234, 1234)
    done = copy.deb()
    assert not done.returncode, done.stderr
    assert copy.built.read_text().splitlines() == copy.files


def test_git_fails(copy):
    copy.git()
    (copy.root / ".git/index").write_text("damaged")
    done = copy.deb()
    assert done.returncode and "index" in done.stderr and not copy.built.exists()


def test_other_files_in_the_directory_stay(copy):
    for name in ("source/precious", "other.deb", "ballast-utils_0.deb"):
        (copy.out / name).parent.mkdir(parents=True, exist_ok=True)
        (copy.out / name).write_text("")
    done = copy.deb()
    assert not done.returncode, done.stderr
    assert sorted(path.name for path in copy.out.iterdir()) == [
        "ballast-utils_1.deb", "log", "other.deb", "source"]
    assert (copy.out / "source/precious").exists()
    assert done.stdout == f"{copy.out}/ballast-utils_1.deb\n"
