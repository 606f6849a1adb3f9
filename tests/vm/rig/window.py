# SPDX-License-Identifier: GPL-2.0
"""Memory that the host shares with a guest, through which files get there at once.

It is a PCI device's, which no driver takes. The guest reads it by the file that sysfs has
for it (agent.c: take), so that neither a disk nor a NIC more is there than a test asked for.
"""

import threading

SIZE = 4 << 20


class Window:
    """The host's end."""

    def __init__(self, path):
        self._file = open(path, "w+b", buffering=0)     # pylint: disable=consider-using-with
        self._file.truncate(SIZE)
        self._lock = threading.Lock()

    def arguments(self):
        """For QEMU, behind all other devices, whose places stay as they were."""
        return ["-object", f"memory-backend-file,id=window,share=on,size={SIZE},"
                           f"mem-path={self._file.name}",
                "-device", "ivshmem-plain,memdev=window"]

    def put(self, run, path, data):
        """Write a file by run(script), which returns the status; false: the guest can't read it.

        A kernel in lockdown lets nobody.
        """
        with self._lock:
            for at in range(0, len(data) or 1, SIZE):
                part = data[at:at + SIZE]
                self._file.seek(0)
                self._file.write(part)
                # The parent is the agent.
                if run(f"exec /proc/$PPID/exe take {len(part)} {'>>' if at else '>'} '{path}'"):
                    return False
        return True

    def close(self):
        self._file.close()
