# SPDX-License-Identifier: GPL-2.0
"""What scripts/vm-test takes beside pytest's own options; a plugin of pytest.

Not in a conftest.py: pytest asks only those above the files that it is given.
"""

import pytest

from rig import image


def pytest_addoption(parser):
    parser.addoption("--suite", default="bookworm", choices=image.SUITES,
                     help="the Debian release that guests run")
    parser.addoption("--flavour", choices=image.FLAVOURS,
                     help="of its kernel; default: the one that a guest's NIC needs")


@pytest.fixture(scope="session")
def suite(request):
    return request.config.getoption("--suite")


@pytest.fixture(scope="session")
def flavour(request):
    return request.config.getoption("--flavour")
