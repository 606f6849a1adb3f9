# SPDX-License-Identifier: GPL-2.0
"""The processor's time stamp counter, by which guests tell the time."""

import ctypes
import functools
import mmap
import platform
import time

# rdtsc; shl $32, %rdx; or %rdx, %rax; ret
RDTSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")


def _read(rdtsc):
    """(nanoseconds, ticks) of one moment: of several attempts the one that took least."""
    attempts = []
    for _ in range(20):
        before = time.monotonic_ns()
        ticks = rdtsc()
        after = time.monotonic_ns()
        attempts.append((after - before, (before + after) // 2, ticks))
    return min(attempts)[1:]


@functools.cache
def khz():
    """Its frequency; None on another machine than a PC."""
    if platform.machine() != "x86_64":
        return None
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(RDTSC)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(
        ctypes.addressof(ctypes.c_char.from_buffer(code)))
    began, first = _read(rdtsc)
    time.sleep(0.1)
    ended, last = _read(rdtsc)
    return (last - first) * 1000000 // (ended - began)
