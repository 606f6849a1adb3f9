# SPDX-License-Identifier: GPL-2.0
"""scripts/dist, on a copy of the tree whose packages are made in no time."""

import os
import re
import shutil
import subprocess
import tarfile

import pytest

from test_house import REPO, copy_sources

AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.org"]


# Manual pages that have a version.
PAGES = {"docs/man/page.5": '.TH X 5 2026-11-26 "ballast 0.0.1" "File Formats"\n',
         "docs/man/page.8": ".Dd 2026-11-26\n.Dt X 8\n.Os ballast 0.0.1\n"}


def run(argv, cwd, **environment):
    return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          env={**os.environ, **environment})


class Copy:
    def __init__(self, root):
        self.root = root / "tree"
        self.out = root / "dist"
        self.environment = {"GNUPGHOME": str(root / "gpg")}
        (root / "gpg").mkdir(mode=0o700)
        copy_sources(self.root)
        (self.root / "scripts/deb").write_text(
            '#!/bin/sh\necho package > "$1/ballast-utils.deb"\n: > "$1/log"\n')
        conf = (REPO / "dkms.conf").read_text()
        self.version = re.search(r'^PACKAGE_VERSION="(.*)"', conf, re.M)[1]
        run(["git", "init", "-q"], self.root)
        self.commit()

    def commit(self):
        run(["git", "add", "-A"], self.root)
        done = run(["git", *AUTHOR, "commit", "-q", "-m", "all"], self.root)
        assert not done.returncode, done.stderr

    def dist(self, *arguments):
        return run(["scripts/dist", str(self.out), *arguments], self.root, **self.environment)


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_release_without_a_key(copy):
    done = copy.dist()
    assert not done.returncode, done.stderr
    assert "not signed" in done.stderr
    tarball, = copy.out.glob("*.tar.gz")
    names = sorted(path.name for path in copy.out.iterdir())
    assert names == ["SHA256SUMS", tarball.name, "ballast-utils.deb"]
    assert not run(["sha256sum", "--strict", "-c", "SHA256SUMS"], copy.out).returncode
    top = tarball.name.removesuffix(".tar.gz")
    with tarfile.open(tarball) as archive:
        assert f"{top}/dkms.conf" in archive.getnames()
    first = tarball.read_bytes()
    assert not copy.dist().returncode
    assert tarball.read_bytes() == first, "another tarball of the same commit"


@pytest.mark.skipif(not shutil.which("gpg"), reason="needs gpg")
def test_signature(copy):
    made = run(["gpg", "--batch", "--passphrase", "", "--quick-gen-key", "a@example.org",
                "ed25519"], copy.root, **copy.environment)
    assert not made.returncode, made.stderr
    done = copy.dist("a@example.org")
    assert not done.returncode, done.stderr
    signatures = sorted(copy.out.glob("*.asc"))
    assert len(signatures) == 3
    for signature in signatures:
        assert not run(["gpg", "--verify", str(signature)], copy.root,
                       **copy.environment).returncode
    run(["gpgconf", "--kill", "gpg-agent"], copy.root, **copy.environment)


def test_another_version(copy):
    for path, old in (("debian/changelog", "ballast ("), ("NEWS", "ballast "),
                      ("packaging/rpm/ballast.spec", "Version:        "),
                      ("packaging/rpm/ballast.spec", " The ballast authors - "),
                      ("packaging/arch/PKGBUILD", "pkgver="), ("docs/man/page.5", '"ballast '),
                      ("docs/man/page.8", ".Os ballast ")):
        file = copy.root / path
        text = PAGES.get(path) or file.read_text()
        file.write_text(text.replace(old, f"{old}9.", 1))
        copy.commit()
        done = copy.dist()
        assert done.returncode == 1
        assert "dist: dkms.conf has version 0" in done.stderr
        assert f"but {path} has 9." in done.stderr
        assert not list(copy.out.parent.glob("dist*"))
        file.write_text(text.replace("0.0.1", copy.version))
    copy.commit()
    assert not copy.dist().returncode


def test_changes_and_a_key_that_is_not_there(copy):
    done = copy.dist("nobody@example.org")
    assert done.returncode == 1 and "gpg has no secret key nobody@example.org" in done.stderr
    (copy.root / "NEWS").write_text("")
    done = copy.dist()
    assert done.returncode == 1 and "not committed:\n M NEWS" in done.stderr
    assert not list(copy.out.parent.glob("dist*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_checkout_of_another_user(copy):
    for path in (copy.root, *copy.root.rglob("*")):
        os.chown(path, 1234, 1234)
    done = run(["scripts/dist", str(copy.out)], copy.root, **copy.environment,
               HOME=str(copy.out.parent))
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("name", ["precious", "ballast-src/precious", ".hidden"])
def test_another_directory_is_not_replaced(copy, name):
    (copy.out / name).parent.mkdir(parents=True)
    (copy.out / name).write_text("")
    part = copy.out.parent / "dist.part/precious"
    part.parent.mkdir()
    part.write_text("")
    done = copy.dist()
    top = name.split("/")[0]
    assert done.returncode == 1 and f"{copy.out}/{top}: is not of a release" in done.stderr
    assert (copy.out / name).exists() and part.exists()
    assert sorted(path.name for path in copy.out.parent.glob("dist*")) == ["dist", "dist.part"]


def test_a_file_is_not_replaced(copy):
    copy.out.write_text("precious")
    done = copy.dist()
    assert done.returncode == 1 and f"{copy.out}: is not a directory" in done.stderr
    assert copy.out.read_text() == "precious"


def test_slash_at_the_end(copy):
    for _ in range(2):
        done = run(["scripts/dist", f"{copy.out}/"], copy.root, **copy.environment)
        assert not done.returncode, done.stderr
    assert (copy.out / "SHA256SUMS").exists()
    assert [path.name for path in copy.out.parent.glob("dist*")] == ["dist"]
    assert copy.out.stat().st_mode & 0o777 == copy.root.stat().st_mode & 0o777
