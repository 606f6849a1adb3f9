# SPDX-License-Identifier: GPL-2.0
"""Waiting for a condition, with a deadline: no test sleeps and hopes."""

import time


def until(condition, timeout, what, interval=0.02):
    """Return the first true value of condition(); TimeoutError says what did not come."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(interval)
