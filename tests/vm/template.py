# SPDX-License-Identifier: GPL-2.0
"""A template for a test in a guest. Say here what the file tests, in one line.

Copy it to tests/vm/test_NAME.py and change it. scripts/vm-test runs every file
whose name begins with test_; scripts/vm-test tests/vm/template.py runs this one.
"""

import pytest

from rig import servers
from rig.disk import Disk
from rig.wait import until


# shared_vm is one guest for all tests of the file, with the module in it. A test
# that changes the guest for good, or needs more memory, another network card or
# another kernel, takes the fixture vm instead and starts its own:
#
#     def test_something(vm):
#         guest = vm(memory=512, nic="e1000")
#         module.load(guest)              # from rig import module
#
# parametrize makes a test of each value. Its id is in the test's name, so that
# -k four-connections finds it.
@pytest.mark.parametrize("connections", [1, 4], ids=["one-connection", "four-connections"])
def test_data_is_read_back(shared_vm, connections):
    """State the behavior that must hold; it is the first line of a failure's report."""
    # A server runs on this machine, in the network namespace of the tests. The
    # with statement ends it and detaches the disk, whether the test passes or not.
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap", connections=connections) as disk:
        # run() fails the test if the last command does, and prints what it said.
        shared_vm.run(f"""
            head -c 65536 /dev/urandom > /tmp/data
            dd if=/tmp/data of={disk.path} bs=64k oflag=direct
            dd if={disk.path} bs=64k count=1 iflag=direct | cmp - /tmp/data
        """)
        # file() reads /sys/block/ballastN/..., here ballast/state.
        assert disk.file("ballast/state") == "live"


def test_requests_wait_for_the_server(shared_vm):
    """A read that is sent while the server is away ends when it is back."""
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap") as disk:
        server.stop()
        # spawn() does not wait: the job runs while the test goes on.
        reader = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct")
        # Never sleep for a fixed time. Wait for a condition, with a limit in
        # seconds and a name that the failure shows.
        until(lambda: disk.file("ballast/state") != "live", 30, "the disk to miss the server")
        server.start()
        assert reader.wait(60) == 0


# A kernel warning, oops or lockdep report on a guest's console fails the test by
# itself. A test that provokes one says so:
#
#     @pytest.mark.console_ok("page allocation failure")
