# SPDX-License-Identifier: GPL-2.0
"""The guest's initramfs: busybox, the modules that mount the root, init, the agent.

It is written here, as a cpio archive in the kernel's "newc" format, because it
then needs no root for its device node. Not compressed: to unpack it would take
the guest longer than it takes us to write it.
"""

import lzma
import os
import re
import stat
import subprocess
from pathlib import Path

from rig import programs

# What mounting the root takes; whatever is not built in.
MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "crc32c_intel", "ext4")

HERE = Path(__file__).resolve().parents[1]


class Archive:
    """A cpio archive in memory."""

    def __init__(self):
        self._parts = []
        self._names = set()

    def _entry(self, name, mode, body=b"", device=(0, 0)):
        if name in self._names:
            return
        self._names.add(name)
        path = name.encode() + b"\0"
        fields = (len(self._names), mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(path), 0)
        self._parts += [_pad(b"070701" + b"".join(b"%08x" % f for f in fields) + path),
                        _pad(body)]

    def directory(self, name):
        if "/" in name:
            self.directory(name.rpartition("/")[0])
        self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name, body, mode=0o644):
        name = name.lstrip("/")
        if "/" in name:
            self.directory(name.rpartition("/")[0])
        self._entry(name, stat.S_IFREG | mode, body)

    def character_device(self, name, major, minor):
        self.directory(name.rpartition("/")[0])
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        return b"".join(self._parts)


def _pad(data):
    return data + b"\0" * (-len(data) % 4)


def _load_order(tree):
    """The files of MODULES and of what they need, dependencies first."""
    needs = {}
    for line in (tree / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {_module_name(path): path for path in needs}
    order = []

    def visit(path):
        if path not in order:
            for other in needs[path]:
                visit(other)
            order.append(path)

    for name in MODULES:
        if name in by_name:
            visit(by_name[name])
    return [tree / path for path in order]


def _module_name(path):
    return re.sub(r"\.ko(\.\w+)?$", "", os.path.basename(path)).replace("-", "_")


def _unpacked(path):
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", str(path)], check=True,
                              stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def agent():
    """The agent's binary."""
    return programs.build(HERE / "agent.c").read_bytes()


def make(image, path, files):
    """Write one guest's initramfs; files (path: bytes) turn up in its root."""
    archive = Archive()
    for name in ("proc", "sys", "dev", "root"):
        archive.directory(name)
    archive.character_device("dev/console", 5, 1)
    archive.file("init", (HERE / "init").read_bytes(), 0o755)
    archive.file("agent", agent(), 0o755)
    # Where it is depends on whether / and /usr are merged.
    busybox = next(p for p in (image.root / "usr/bin/busybox", image.root / "bin/busybox")
                   if p.exists())
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    order = []
    for module in _load_order(image.root / "lib/modules" / image.release):
        order.append(_module_name(module) + ".ko")
        archive.file(f"modules/{order[-1]}", _unpacked(module))
    archive.file("modules/order", "\n".join(order).encode())
    for name, body in files.items():
        archive.file(f"files/{name.lstrip('/')}", body, 0o755)
    path.write_bytes(archive.bytes())
