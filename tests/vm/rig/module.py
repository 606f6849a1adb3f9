# SPDX-License-Identifier: GPL-2.0
"""Kernel modules, built for a suite in that suite's own root.

The result is kept under the hash of everything that went into it. As a
program: module.py SOURCE OUTPUT SUITE FLAVOUR VARIANT [make arguments] builds.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import host, image as images  # noqa: E402

# What ballast.ko is made from; a test or a document changes nothing in it.
SOURCES = ("include", "src/kernel", "Kbuild", "Makefile", "dkms.conf")

# In the build root: only /dev and a scratch /tmp, and the source at /mnt.
IN_ROOT = """
    mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" &&
    mount -t tmpfs tmp "$1/tmp" &&
    mount --bind "$2" "$1/mnt" || exit
    root=$1; shift 2
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        make -C /mnt "$@"
"""

Built = namedtuple("Built", "path output")  # the .ko, and what make said


def build(suite="bookworm", flavour="cloud-amd64", *, variant="", source=None, name="ballast",
          flags=()):
    """Build name.ko from source (default: this repository) in that image; flags go to make.

    Returns Built(path, output). RuntimeError has make's output when it fails.
    """
    image = images.get(suite, flavour, variant)
    source = Path(source or host.REPO)
    files = _files(source)
    digest = hashlib.sha256(repr((image.path.name, flags)).encode())
    for path in files:
        digest.update(f"{path}\0{os.access(source / path, os.X_OK)}\0".encode())
        digest.update((source / path).read_bytes() + b"\0")
    kept = host.cache() / "modules" / f"{name}-{suite}-{flavour}-{digest.hexdigest()[:16]}"
    ko = kept / f"{name}.ko"
    if not ko.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with open(kept / "lock", "w") as lock:
            # Several files of tests may want it at the same time.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ko.exists():
                _build(image, kept, source, files, name, flags)
    return Built(ko, (kept / "log").read_text())


def _build(image, kept, source, files, name, flags):
    """Build it in a copy of these files, and keep name.ko and the log."""
    with tempfile.TemporaryDirectory(prefix="ballast-build-") as work:
        for path in files:
            target = Path(work, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, target)
        host.say(f"building {name}.ko for {image.release}")
        try:
            host.outside(["/usr/bin/python3", "-B", __file__, work, kept / "log", image.suite,
                          image.flavour, image.variant, *flags])
        except RuntimeError as error:
            raise RuntimeError(f"{name}.ko does not build for {image.release} "
                               f"{' '.join(flags)}\n{(kept / 'log').read_text()}") from error
        made = next(Path(work).rglob(f"{name}.ko"))
        part = kept / f"{name}.part"
        shutil.copy(made, part)
        part.rename(kept / f"{name}.ko")


def load(vm, parameters="", **options):
    """Build the module for a guest's kernel, put it there and insert it; options as for build."""
    built = build(vm.image.suite, vm.image.flavour, **options)
    vm.put(f"/root/{built.path.name}", stripped(built.path))
    vm.run(f"insmod /root/{built.path.name} {parameters}")
    return built


def install(vm):
    """Build the module for a guest's kernel, and put it where modprobe finds it."""
    tree = vm.image.root / "lib/modules" / vm.image.release
    with tempfile.TemporaryDirectory(prefix="ballast-modules-") as base:
        # As in the guest, where depmod would take up to a minute.
        copy = Path(base, "lib/modules", vm.image.release)
        copy.mkdir(parents=True)
        for name in ("kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo"):
            if (tree / name).exists():
                (copy / name).symlink_to(tree / name)
        built = build(vm.image.suite, vm.image.flavour)
        (copy / built.path.name).write_bytes(stripped(built.path))
        subprocess.run(["/sbin/depmod", "-b", base, vm.image.release], check=True)
        for path in copy.iterdir():
            there = tree / path.name
            if path.is_symlink() or there.exists() and there.read_bytes() == path.read_bytes():
                continue
            vm.put(f"/lib/modules/{vm.image.release}/{path.name}", path.read_bytes())


def stripped(path):
    """The module's bytes without debug information, as it would be installed."""
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "--strip-debug", "-o", copy.name, str(path)], check=True)
        return Path(copy.name).read_bytes()


def _files(source):
    """The files to build from, relative; what git ignores is left out."""
    if (source / ".git").exists():
        # git refuses the checkout of another user by default.
        listed = subprocess.run(["git", "-c", f"safe.directory={source.resolve()}", "ls-files",
                                 "-z", "--cached", "--others", "--exclude-standard", "--",
                                 *SOURCES], cwd=source, check=True, stdout=subprocess.PIPE,
                                text=True).stdout.split("\0")
        return sorted(name for name in set(listed) if name and (source / name).is_file())
    return sorted(str(path.relative_to(source)) for path in source.rglob("*") if path.is_file())


def _make(work, log, suite, flavour, variant, *flags):
    image = images.get(suite, flavour, variant)
    argv = host.in_namespace(["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", str(image.root),
                              work, f"-j{os.cpu_count()}",
                              f"KDIR=/lib/modules/{image.release}/build", *flags])
    with open(log, "w") as output:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT).returncode


if __name__ == "__main__":
    sys.exit(_make(*sys.argv[1:]))
