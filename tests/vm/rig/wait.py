# SPDX-License-Identifier: GPL-2.0
"""Waiting for a condition, with a deadline: no test sleeps and hopes."""

import time


def until(condition, timeout, what, interval=0.02):
    """Return the first true value of condition(); TimeoutError says what did not come.

    what: a text, or a function that says it then.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            said = what() if callable(what) else what
            raise TimeoutError(f"waited {timeout} s for {said}")
        time.sleep(interval)


def never(condition, seconds, what):
    """condition() stays false for so long."""
    try:
        until(condition, seconds, what)
    except TimeoutError:
        return
    raise AssertionError(f"within {seconds} s there was {what}")
