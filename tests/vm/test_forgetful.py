# SPDX-License-Identifier: GPL-2.0
"""Servers that have data of its own for each connection; test_verify.py has the reconnects."""

import pytest

from rig import servers
from rig.disk import Disk
from rig.vm import CommandFailed

pytestmark = pytest.mark.console_ok("ballast: ")

SIZE = 512 << 20

PER_CONNECTION = {
    "nbdkit-tmpdisk": lambda: servers.Nbdkit("tmpdisk", str(SIZE),
                                             "command=truncate -s $size $disk"),
    "nbd-server-copyonwrite": lambda: servers.NbdServer({"swap": SIZE}, {"copyonwrite": "true"}),
}


@pytest.mark.parametrize("name", PER_CONNECTION)
def test_data_of_each_connection_among_several(shared_vm, name):
    """Two connections see two disks: such an attach fails, or the export does not allow it."""
    options = {"export": "swap"} if "nbd-server" in name else {}
    with PER_CONNECTION[name]() as server:
        try:
            disk = Disk(shared_vm, server, connections=2, **options)
        except CommandFailed as error:
            assert "the export allows only one" in str(error)
            return
        with disk:
            shared_vm.run(f"""for cpu in 1 2; do
                tr '\\0' $cpu < /dev/zero | taskset $cpu dd of={disk.path} bs=64k count=1 \
                    iflag=fullblock oflag=direct status=none; done""")
            seen = {shared_vm.run(f"taskset {cpu} dd if={disk.path} bs=1 count=1 skip=4096 "
                                  f"iflag=skip_bytes status=none; echo 1 > /proc/sys/vm/drop_caches"
                                  ).output for cpu in (1, 2)}
            assert seen == {"2"}, f"each connection sees its own: {seen}"
