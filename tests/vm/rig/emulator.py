# SPDX-License-Identifier: GPL-2.0
"""QEMU: the machine's own, or a newer one from backports if its own is too old.

QEMU before 8.1 runs two processors with threads of their own, and loses code that one
of them patches while the other is translating it. The other then takes a breakpoint that
Linux has removed. A kernel from 6.7 on dies of it; an older one repeats it, up to a minute.
Linux patches its code whenever a tracepoint or a static key is switched.

A guest with icount has one thread, and gets the machine's own QEMU: QEMU 10 counts each
round of a string instruction up to three times, which hides what a change costs.
"""

import functools
import re
import subprocess

from rig import host, image

SYSTEM = "qemu-system-x86_64"
FIRST = (8, 1)


def command(icount=False):
    """How a command line of QEMU begins."""
    return [SYSTEM] if icount else _newer()


@functools.cache
def version():
    """Of the machine's own: (7, 2)."""
    said = subprocess.run([SYSTEM, "--version"], check=True, stdout=subprocess.PIPE,
                          text=True).stdout
    return tuple(int(number) for number in re.search(r"version (\d+)\.(\d+)", said).groups())


@functools.cache
def _newer():
    if version() >= FIRST:
        return [SYSTEM]
    release = _release()
    if release not in image.EMULATORS:
        host.say(f"{SYSTEM} is older than {FIRST[0]}.{FIRST[1]} and {release} has no newer one: "
                 "guests with Linux 6.7 or newer may crash")
        return [SYSTEM]
    usr = image.get(f"{release}-backports", "cloud-amd64", "emulator").root / "usr"
    return [str(usr / "bin" / SYSTEM), "-L", str(usr / "share/qemu"), "-L",
            str(usr / "share/seabios")]


def _release():
    with open("/etc/os-release", encoding="utf-8") as file:
        names = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return names.get("VERSION_CODENAME", "").strip('"')
