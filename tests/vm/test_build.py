# SPDX-License-Identifier: GPL-2.0
"""The module builds without a word from the compiler or from sparse, on each kernel that we say."""

import os
import re

import pytest

from rig import image as images, module


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
