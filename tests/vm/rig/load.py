# SPDX-License-Identifier: GPL-2.0
"""Work for a disk, while something happens to it."""

import signal
from contextlib import contextmanager

from rig.wait import until


@contextmanager
def verifying(disk, jobs=2):
    """fio writes and verifies all the while, and must see no error.

    Yields a function: how many requests have been completed.
    """
    guest = disk.vm
    fio = guest.spawn(f"""exec fio --output-format=terse --group_reporting --direct=1 \
        --ioengine=libaio --iodepth=16 --rw=randrw --bsrange=4k-128k --verify=crc32c \
        --verify_backlog=64 --verify_fatal=1 --time_based --runtime=1d --size=24M \
        --filename={disk.path} """ + " ".join(
            f"--name=j{n} --offset={n * 32}M" for n in range(jobs)))
    completed = f"awk '{{print $1 + $5}}' {disk.sys}/stat"
    until(lambda: int(guest.run(completed).output) > 100, 20, "fio to be under way")
    yield lambda: int(guest.run(completed).output)
    until(lambda: disk.file("ballast/state") == "live", 60, "the disk to be live")
    now = int(guest.run(completed).output)
    until(lambda: int(guest.run(completed).output) > now + 50, 60, "fio to go on")
    assert fio.running, fio.output
    fio.kill(signal.SIGINT, 300)
    errors = fio.output
    assert "verify" not in errors and "error" not in errors.lower(), errors
