"""The module builds without a word from the compiler or from sparse, on each kernel that we say."""

import re

import pytest

from rig import image as images, module


@pytest.mark.parametrize("suite", ["bookworm", "trixie", "forky"])
def test_builds_clean(suite, request):
    if suite != request.config.getoption("--suite") and not images.describe(suite, "cloud-amd64").path.exists():
        pytest.skip(f"no image of {suite} is there, and making it takes minutes")
    built = module.build(suite, flags=("W=1", "C=1"))
    said = [line for line in built.output.splitlines() if re.search(r"warning|error", line, re.I)]
    assert not said, "\n".join(said)
