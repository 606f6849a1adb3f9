# SPDX-License-Identifier: GPL-2.0
"""dkms.conf, which bash reads."""

import subprocess
from pathlib import Path

import pytest

CONF = Path(__file__).resolve().parents[2] / "dkms.conf"


@pytest.mark.parametrize("kernel, is_built", [
    ("4.19.0-27-amd64", False), ("5.4.0-200-generic", False), ("5.9.16", False),
    ("5.10.0-32-amd64", True), ("5.14.0-427.el9.x86_64", True), ("6.1.0-56-amd64", True),
    ("7.3.4+deb13-amd64", True), ("10.0.1", True)])
def test_kernels_that_it_is_built_for(kernel, is_built):
    script = f'. {CONF} && [[ {kernel} =~ $BUILD_EXCLUSIVE_KERNEL ]]'
    assert (subprocess.run(["bash", "-c", script]).returncode == 0) == is_built
