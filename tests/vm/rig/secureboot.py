# SPDX-License-Identifier: GPL-2.0
"""A machine with Secure Boot: firmware that has Microsoft's keys, Debian's shim, grub and kernel.

All of them come from an image of the variant "secureboot". The firmware's variables,
shim's list of the owner's keys (MOK) among them, are kept from one start to the next.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from rig import console, emulator, host
from rig.wait import until

DOWN, ENTER = "\x1b[B", "\r"


class Firmware:
    def __init__(self, image, directory):
        self._image = image
        self._dir = Path(directory)
        self._variables = self._dir / "variables.fd"
        self._partition = self._dir / "partition"
        shutil.copy(image.root / "usr/share/OVMF/OVMF_VARS_4M.ms.fd", self._variables)

    def arguments(self, initrd, command_line):
        """QEMU's, for a machine that boots the image's kernel with these."""
        self._make_partition(initrd, command_line)
        return self._machine()

    def enroll(self, password, log):
        """As its owner at the screen: take the key that mokutil left for the next boot."""
        screen = console.Console(log)
        with tempfile.TemporaryDirectory(prefix="ballast-mok-") as directory:
            argv = [*emulator.command(), "-nodefaults", "-no-user-config", "-no-reboot",
                    "-display", "none", "-m", "256", "-accel", "tcg",
                    "-chardev", f"socket,id=screen,path={directory}/screen,server=on,wait=off,"
                                f"logfile={log}",
                    "-serial", "chardev:screen", *self._machine()]
            qemu = host.start(argv)
            try:
                until(Path(directory, "screen").exists, 30, "QEMU's socket")
                screen.connect(Path(directory, "screen"))
                self._answer(screen, password)
                until(lambda: qemu.poll() is not None, 60, "MokManager to reboot")
            finally:
                screen.close()
                qemu.kill()
                qemu.wait()

    @staticmethod
    def _answer(screen, password):
        seen = 0
        for question, answer in (
                ("Press any key to perform MOK management", ENTER),
                ("Enroll MOK", DOWN + ENTER),
                ("View key 0", DOWN + ENTER),
                ("Enroll the key(s)?", DOWN + ENTER),
                ("Password:", password + ENTER),
                ("Reboot", ENTER)):
            until(lambda: question in screen.text[seen:], 180, f"MokManager: {question}")
            seen = screen.text.index(question, seen) + len(question)
            screen.type(answer)

    def _machine(self):
        code = self._image.root / "usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
        return ["-machine", "q35,smm=on",
                "-global", "driver=cfi.pflash01,property=secure,value=on",
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
                "-drive", f"if=pflash,unit=1,format=raw,file={self._variables}",
                "-drive", f"if=none,id=partition,format=raw,file={self._partition}",
                # No virtio: the guest's root is the first such disk.
                "-device", "ide-hd,drive=partition,bootindex=0"]

    def _make_partition(self, initrd, command_line):
        """The EFI system partition, on a disk of its own."""
        (self._dir / "grub.cfg").write_text(
            f"linux /vmlinuz {command_line}\ninitrd /initrd\nboot\n")
        shim = self._image.root / "usr/lib/shim"
        grub = self._image.root / "usr/lib/grub/x86_64-efi-signed"
        subprocess.run(["mformat", "-i", self._partition, "-C", "-T", str(256 << 11), "::"],
                       check=True)
        subprocess.run(["mmd", "-i", self._partition, "EFI", "EFI/BOOT", "EFI/debian"], check=True)
        for source, target in (
                (shim / "shimx64.efi.signed", "EFI/BOOT/BOOTX64.EFI"),
                (shim / "mmx64.efi.signed", "EFI/BOOT/mmx64.efi"),
                (grub / "grubx64.efi.signed", "EFI/BOOT/grubx64.efi"),
                (self._dir / "grub.cfg", "EFI/debian/grub.cfg"),
                (self._image.packed_kernel, "vmlinuz"),
                (initrd, "initrd")):
            subprocess.run(["mcopy", "-i", self._partition, source, f"::{target}"], check=True)
