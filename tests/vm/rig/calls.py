# SPDX-License-Identifier: GPL-2.0
"""Who calls a kernel function in a guest: kprobes, by way of tracefs."""

import contextlib
import re

TRACING = "/sys/kernel/tracing"


@contextlib.contextmanager
def traced(guest, *functions):
    """Yields calls(): "TASK FUNCTION" for each call of one of them since the last calls()."""
    guest.run(f"""for f in {' '.join(functions)}; do
            echo "p:calls/$f $f" >> {TRACING}/kprobe_events
        done
        echo > {TRACING}/trace; echo 1 > {TRACING}/events/calls/enable""")

    def calls():
        lines = guest.run(f"cat {TRACING}/trace; echo > {TRACING}/trace").output
        return [" ".join(found) for found in
                re.findall(r"^ *(\S+)-\d+ +\[.*?: (\w+): \(", lines, re.M)]

    try:
        yield calls
    finally:
        guest.run(f"echo 0 > {TRACING}/events/calls/enable; echo > {TRACING}/kprobe_events; "
                  f"echo > {TRACING}/trace")
