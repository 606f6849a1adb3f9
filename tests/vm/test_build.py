# SPDX-License-Identifier: GPL-2.0
"""The module builds without a word from the compiler or from sparse, on each kernel that we say."""

import os
import re
import shutil

import pytest

from rig import host, image as images, module


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "bookworm-backports", "trixie",
                                   "trixie-backports", "forky"])
def test_builds_clean(suite, request):
    booted = images.describe(suite, "cloud-amd64").path.exists() or \
        suite == request.config.getoption("--suite")
    if not booted and "BALLAST_ALL_KERNELS" not in os.environ:
        pytest.skip(f"no image of {suite} is there, and making it takes a minute "
                    "(BALLAST_ALL_KERNELS=1 makes it)")
    built = module.build(suite, variant="" if booted else "build", flags=("W=1", "C=1"))
    said = [line for line in built.output.splitlines() if re.search(r"warning|error", line, re.I)]
    assert not said, "\n".join(said)


def test_builds_without_ipv6(tmp_path):
    """A kernel for a small machine may be without it."""
    image = images.get("bookworm", "cloud-amd64")
    config, = image.root.glob("usr/src/*/include/generated/autoconf.h")
    for name in module.SOURCES:
        copy = shutil.copytree if (host.REPO / name).is_dir() else shutil.copy
        copy(host.REPO / name, tmp_path / name)
    (tmp_path / "include/no-ipv6.h").write_text("".join(
        f"#undef {name}\n" for name in re.findall(r"#define (CONFIG_IPV6\w*)",
                                                  config.read_text())))
    built = module.build("bookworm", source=tmp_path,
                         flags=("W=1", "KCFLAGS=-include /mnt/include/no-ipv6.h"))
    said = [line for line in built.output.splitlines() if re.search(r"warning|error", line, re.I)]
    assert not said, "\n".join(said)
