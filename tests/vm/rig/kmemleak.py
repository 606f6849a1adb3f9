# SPDX-License-Identifier: GPL-2.0
"""What kmemleak finds, where a kernel has it: a guest of the debug suite, append=APPEND."""

APPEND = "kmemleak=on"
FILE = "/sys/kernel/debug/kmemleak"


def begin(guest):
    """Forget what boot left, which is not ours, and look only when asked."""
    guest.run("[ -e /sys/kernel/debug/tracing ] || mount -t debugfs none /sys/kernel/debug")
    if there(guest):
        guest.run(f"echo scan=off > {FILE}; echo scan > {FILE}; sleep 6; echo scan > {FILE}; "
                  f"echo clear > {FILE}", timeout=300)


def there(guest):
    return not guest.run(f"ls {FILE}", check=False).status


def leaks(guest):
    """Its report; it looks twice, since what is new is not called lost at once."""
    if not there(guest):
        return ""
    return guest.run(f"for n in 1 2; do sleep 6; echo scan > {FILE}; done; cat {FILE}",
                     timeout=600).output
