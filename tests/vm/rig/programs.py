# SPDX-License-Identifier: GPL-2.0
"""Small programs in C, built static, for any guest and for the host."""

import hashlib
import os
import subprocess

from rig import host


def build(source):
    """The path of the program of X.c, and of X.h if there is one, built if it was not before.

    It may use <ballast/nbd.h>.
    """
    include = host.REPO / "include"
    parts = [part for part in (source, source.with_suffix(".h"), include / "ballast" / "nbd.h")
             if part.exists()]
    digest = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:12]
    binary = host.cache() / f"{source.parent.name}-{source.stem}-{digest}"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        part = f"{binary}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-s", f"-I{include}", "-o", part,
                        str(source)], check=True)
        os.rename(part, binary)
    return binary
