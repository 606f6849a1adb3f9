# SPDX-License-Identifier: GPL-2.0
"""Traffic from the host end into a guest, each kind by a process of its own."""

import subprocess
import sys
from contextlib import contextmanager

from rig import host

SENDER = host.REPO / "tests" / "storm" / "traffic.py"


@contextmanager
def sent(address, streams, seconds, linger=0, rate=0):
    """streams: (kind, port), see SENDER, which says what the rest means too.

    rate 0: the kind's own.
    """
    processes = [host.start([sys.executable, SENDER, kind, address, str(port), str(seconds),
                             str(linger), *([str(rate)] if rate else [])],
                            stdout=subprocess.DEVNULL)
                 for kind, port in streams]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
