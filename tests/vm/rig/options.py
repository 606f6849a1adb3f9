# SPDX-License-Identifier: GPL-2.0
"""What scripts/vm-test takes beside pytest's own options; a plugin of pytest.

Not in a conftest.py: pytest asks only those above the files that it is given.
"""

import pytest

from rig import image

# Files that take more than a minute and a half, in make check. Where several files run at a
# time these begin first, so that none of them is left alone at the end.
LONGEST = ("test_packages", "test_verify", "test_edges", "test_doctor", "test_outages",
           "test_move", "test_reconnect", "test_build", "test_long_outages", "test_storm",
           "test_checker", "test_encrypt", "test_fencing", "test_tunnels", "test_io",
           "test_watching", "test_count")


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


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # one of several
        items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST
                   else len(LONGEST))
