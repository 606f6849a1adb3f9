# SPDX-License-Identifier: GPL-2.0
"""Fixtures of the tests that need guests. Start them with scripts/vm-test."""

import re
import shutil
import subprocess

import pytest

from rig import console, host, image as images, install, module, net, servers
from rig.vm import VM


def pytest_configure(config):
    config.addinivalue_line("markers", "console_ok(regex): the kernel may say this here")
    config.addinivalue_line("markers", "console_bad(regex): the kernel must not say this either")


def _log_dir(node):
    return host.logs() / re.sub(r"[^\w.-]+", "_", node.nodeid)


def _vm_factory(request):
    node = request.node
    logs = _log_dir(node)
    shutil.rmtree(logs, ignore_errors=True)
    started = []

    def start(suite=None, name=None, **options):
        options.setdefault("flavour", request.config.getoption("--flavour"))
        vm = VM(suite or request.config.getoption("--suite"),
                name=name or f"guest{len(started)}", logs=logs, **options)
        started.append(vm)
        return vm

    yield start
    for vm in started:
        vm.close()


@pytest.fixture(scope="session", autouse=True)
def network():
    net.up()
    return net


@pytest.fixture(scope="session")
def image(suite, flavour):
    """The image of --suite, in its default flavour."""
    return images.get(suite, flavour or "cloud-amd64")


@pytest.fixture
def vm(request):
    """vm(memory=..., nic=..., ...) starts a guest that ends with the test."""
    yield from _vm_factory(request)


@pytest.fixture(scope="module")
def module_vm(request):
    """The same, for guests that the tests of a file share."""
    yield from _vm_factory(request)


@pytest.fixture(scope="module")
def shared_vm(module_vm):
    """One guest for all tests of a file, with ballast.ko in it."""
    guest = module_vm(name="shared")
    module.load(guest)
    return guest


@pytest.fixture(scope="session")
def debs(tmp_path_factory):
    """A directory of .deb files for each of install.VERSIONS."""
    if not shutil.which("dh_dkms"):
        pytest.skip("needs scripts/deps debhelper dh-dkms libblkid-dev")
    base = tmp_path_factory.mktemp("debs")
    for version in install.VERSIONS:
        subprocess.run([host.REPO / "scripts" / "deb", base / version, version], check=True)
    return [base / version for version in install.VERSIONS]


@pytest.fixture(scope="module")
def server():
    """A server for all tests of a file that has none of its own."""
    with servers.Nbdkit("memory", "64M") as server:
        yield server


def _check_consoles(item):
    def patterns(name):
        return [pattern for mark in item.iter_markers(name) for pattern in mark.args]

    found = console.alarms(patterns("console_ok"), patterns("console_bad"))
    if found:
        pytest.fail("the kernel complained\n" + "\n".join(found), pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    outcome = yield
    if outcome.excinfo is None:
        _check_consoles(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield
    _check_consoles(item)
