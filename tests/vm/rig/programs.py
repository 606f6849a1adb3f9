# SPDX-License-Identifier: GPL-2.0
"""Small programs in C, built static, for any guest and for the host."""

import hashlib
import os
import subprocess

from rig import host


def build(source):
    """The path of source's program, built if it was not before."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    binary = host.cache() / f"{source.parent.name}-{source.stem}-{digest}"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        part = f"{binary}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", "-o", part, str(source)],
                       check=True)
        os.rename(part, binary)
    return binary
