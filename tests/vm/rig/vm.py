# SPDX-License-Identifier: GPL-2.0
"""A guest: a Debian kernel and root under QEMU, with an agent that runs scripts."""

import atexit
import gzip
import os
import shutil
import tempfile
import time
from collections import namedtuple
from pathlib import Path

from rig import agent, console, emulator, host, initrd as initramfs, net, qmp, tsc, window
from rig import image as images
from rig.wait import until

Result = namedtuple("Result", "status output")

# QEMU's NIC models and the modules that drive them.
NICS = {
    "virtio-net-pci": "virtio_net",
    "e1000": "e1000",
    "e1000e": "e1000e",
    "vmxnet3": "vmxnet3",
    "rtl8139": "8139cp",
}
CLOUD_NICS = ("virtio-net-pci", "vmxnet3")  # those that the cloud flavour has a driver for

_running = set()


class CommandFailed(Exception):
    """A script failed in the guest, or did not end in time."""


class VM:
    """A guest, running from the constructor's return to close().

    Whatever the flavour: a nic that the cloud kernels have no driver for gets amd64.
    nic_props are QEMU device properties, such as {"host_mtu": 9000, "gso": "off"}.
    More nics than one are of the same model; only the first is configured. queues are
    of each virtio NIC, per direction.
    disks are raw files, /dev/vdb and on; what the guest writes there stays. What
    it writes to its root is thrown away. append goes to the kernel's command
    line, files (path: bytes) into the root, qemu to QEMU's own. root is a disk
    made by rig/install.py from an image of that variant, where systemd is the first
    process and what is written stays; with dhcp it asks for its address. initrd is
    used instead of the rig's own. firmware (see rig/secureboot.py) boots the guest, or
    else QEMU does. With icount one nanosecond passes in the guest with each
    instruction, while it does any. Start it from a thread that lives on: QEMU ends
    with that thread.
    """

    def __init__(self, suite="bookworm", *, flavour=None, memory=None, cpus=2,
                 nic="virtio-net-pci", nic_props=None, nics=1, queues=1, mtu=1500,
                 disks=(), append="", files=None, qemu=(), udev=False, name="guest", logs=None,
                 boot_timeout=None, root=None, variant="systemd", dhcp=False, initrd=None,
                 firmware=None, icount=False):
        debug = suite == "debug"
        if nic not in CLOUD_NICS:
            flavour = "amd64"
        self.name = name
        self.suite = suite
        self.memory = memory or (1024 if debug else 256)
        self.cpus = cpus
        self.nic = nic
        self.udev = udev
        self.icount = icount
        self.root = root
        self.dhcp = dhcp
        self.firmware = firmware
        self.image = images.get(suite, flavour or "cloud-amd64", variant if root else "")
        self.process = self.channel = self.qmp = self.network = None
        logs = Path(logs or host.logs())
        logs.mkdir(parents=True, exist_ok=True)
        self.console = console.Console(logs / f"console-{name}.log")
        self._dir = Path(tempfile.mkdtemp(prefix="ballast-vm-"))
        self.window = window.Window(self._dir / "window")
        _running.add(self)
        try:
            self.network = net.Guest(nics, mtu, queues)
            if initrd:
                shutil.copy(initrd, self._dir / "initrd")
            else:
                initramfs.make(self.image, self._dir / "initrd", files or {})
            boot = (nic_props or {}, disks, append, qemu,
                    boot_timeout or (240 if debug or root else 90))
            self._boot(*boot)
        except BaseException:
            self.close()
            raise

    # The addresses of the first NIC; net.HOST4 and net.HOST6 are the other end.
    @property
    def address4(self):
        return self.network.address4

    @property
    def address6(self):
        return self.network.address6

    def run(self, script, timeout=60, check=True, data=None):
        """Run a shell script, wait for its end: Result(status, output)."""
        job = None
        try:
            job = self.channel.spawn(script, data)
            status = job.wait(timeout)
        except (TimeoutError, agent.GuestGone) as error:
            output = job.output if job else ""
            if isinstance(error, TimeoutError):
                self._ask()
            raise CommandFailed(f"{self.name}: {error}\n$ {_shown(script)}\n{output}\n"
                                f"--- console ---\n{self.console.tail(150)}") from error
        if check and status:
            raise CommandFailed(f"{self.name}: exit status {status}\n$ {_shown(script)}\n"
                                f"{job.output}\n--- console ---\n{self.console.tail()}")
        return Result(status, job.output)

    def _ask(self):
        """What every blocked task and every processor is at, into the console's log."""
        for letter in "wl":
            try:
                self.sysrq(letter, 10)
                time.sleep(2)   # for the whole answer, whose end is not marked
            except (TimeoutError, OSError, qmp.QmpError):
                return

    def spawn(self, script, data=None):
        """Start a shell script and return its agent.Job at once."""
        return self.channel.spawn(script, data)

    def put(self, path, data, mode=0o644):
        """Write a file in the guest."""
        def attempt(script):
            return self.run(script, timeout=300, check=False).status

        if not self.window.put(attempt, path, data):
            # Compressed: the serial line carries some 20 KB a second.
            self.run(f"gzip -dc > '{path}'", timeout=300, data=gzip.compress(data, 6))
        self.run(f"chmod {mode:o} '{path}'")

    def get(self, path):
        """The bytes of a file in the guest."""
        job = self.spawn(f"exec cat '{path}'")
        if job.wait(300):
            raise CommandFailed(f"{self.name}: {job.output}")
        return bytes(job.data)

    def sysrq(self, letter, timeout=30):
        """As if typed at the serial console: works when nothing else does.

        Returns once the kernel has begun to answer.
        """
        before = self.console.text.count("sysrq: ")
        deadline = time.monotonic() + timeout
        while True:
            self.qmp("chardev-send-break", id="console")
            self.console.type(letter)
            try:
                # Typed too late after the break it is an ordinary letter: again.
                return until(lambda: self.process.poll() is not None
                             or self.console.text.count("sysrq: ") > before, 6,
                             f"{self.name} to answer sysrq {letter}")
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    def wait_exit(self, timeout=60):
        """Wait for the guest to power off, reboot or panic (all end it)."""
        until(lambda: self.process.poll() is not None, timeout, f"{self.name} to end")

    def close(self):
        """End the guest. Its console log stays."""
        self._stop_qemu()
        if self.network:
            self.network.close()
        shutil.rmtree(self._dir, ignore_errors=True)
        _running.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _boot(self, nic_props, disks, append, more, timeout):
        began = time.monotonic()
        self._start_qemu(nic_props, disks, append, more)
        self._wait_boot(timeout)
        self.boot_seconds = time.monotonic() - began

    def _stop_qemu(self):
        if self.qmp:
            self.qmp.close()
        if self.channel:
            self.channel.close()
        if self.process:
            self.process.kill()
            self.process.wait()
        self.console.close()
        self.window.close()

    def _start_qemu(self, nic_props, disks, append, more):
        accel = os.environ.get("BALLAST_ACCEL", "tcg")
        argv = [*emulator.command(self.icount), "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-name", self.name,
                "-m", str(self.memory), "-smp", str(self.cpus),
                "-qmp", f"unix:{self._dir}/qmp,server=on,wait=off"]
        initrd, command_line = str(self._dir / "initrd"), f"{self._command_line()} {append}"
        if self.firmware:
            argv += self.firmware.arguments(initrd, command_line)
        else:
            argv += ["-machine", "pc,usb=off", "-kernel", str(self.image.kernel),
                     "-initrd", initrd, "-append", command_line]
        if accel == "tcg":
            # QEMU 7.2's cmpxchg16b leaves garbage in the flags; an interrupt behind
            # it, and a 6.12 kernel is dead. 5-level page tables only make it slower, and so do
            # string instructions of bytes, which Linux clears and copies pages with if it may.
            if self.icount:
                argv += ["-icount", "shift=0,sleep=on"]
            argv += ["-accel", f"tcg,thread={'single' if self.icount else 'multi'}",
                     "-cpu", "max,cx16=off,la57=off,erms=off,fsrm=off"]
        else:
            argv += ["-accel", accel, "-cpu", "host"]
        for name, log in (("console", f",logfile={self.console.path}"), ("agent", "")):
            argv += ["-chardev", f"socket,id={name},path={self._dir}/{name},"
                     f"server=on,wait=off{log}",
                     "-serial", f"chardev:{name}"]
        kept = f"file={self.root},format=qcow2" if self.root else \
            f"file={self.image.disk},format=raw,snapshot=on"
        argv += ["-drive", f"{kept},if=virtio,cache=unsafe"]
        for disk in disks:
            argv += ["-drive", f"file={disk},format=raw,if=virtio"]
        # No guest boots from the network: no boot ROM.
        nic_props = {"romfile": "", **nic_props}
        queues = self.network.queues
        if queues > 1:
            # A vector for each queue, one for the configuration, one for the control queue.
            nic_props.update(mq="on", vectors=2 * queues + 2)
        for number, tap in enumerate(self.network.taps):
            props = "".join(f",{key}={value}" for key, value in nic_props.items())
            argv += ["-netdev", f"tap,id=net{number},ifname={tap},script=no,downscript=no"
                     + (f",queues={queues}" if queues > 1 else ""),
                     "-device", f"{self.nic},id=nic{number},netdev=net{number},"
                                f"mac={net.mac(self.network.n, number)}{props}"]
        argv += [*more, *self.window.arguments()]
        with open(self._dir / "qemu.log", "wb") as log:
            self.process = host.start(argv, stdout=log, stderr=log)
        self.qmp = self._connect("qmp", qmp.Qmp)
        self.console.connect(self._dir / "console")
        self.channel = self._connect("agent", agent.Channel)

    def _command_line(self):
        words = {"name": self.name, "driver": NICS[self.nic], "mtu": self.network.mtu,
                 "ip4": f"{self.address4}/24", "ip6": f"{self.address6}/64",
                 "udev": int(self.udev), "systemd": int(bool(self.root))}
        # The time stamp counters of TCG's processors agree, but Linux can't know; without
        # tsc=reliable each look at the clock leaves the guest. On a busy machine Linux may take
        # their frequency for a small part of it, and its clock runs 40 times as fast then.
        tcg = os.environ.get("BALLAST_ACCEL", "tcg") == "tcg" and not self.icount
        return ("console=ttyS0 panic=-1 oops=panic mitigations=off net.ifnames=0 loglevel=5 "
                "random.trust_cpu=on cryptomgr.notests no_timer_check tsc=reliable "
                + (f"tsc_early_khz={tsc.khz()} " if tcg and tsc.khz() else "")
                # systemd and initramfs-tools take it; the rig's own init does not.
                + (f"ip={self._address()} " if self.root else "")
                + " ".join(f"rig.{key}={value}" for key, value in words.items()))

    def _address(self):
        return "dhcp" if self.dhcp else \
            f"{self.address4}::{net.HOST4}:255.255.255.0:{self.name}:eth0:none"

    def _connect(self, name, connect):
        def attempt():
            if self.process.poll() is not None:
                raise RuntimeError(f"QEMU ended: {(self._dir / 'qemu.log').read_text()}")
            try:
                return connect(self._dir / name)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
        return until(attempt, 30, f"QEMU's {name} socket")

    def _wait_boot(self, timeout):
        if not self.channel.wait_ready(timeout):
            what = "ended" if self.channel.gone else f"did not come up in {timeout} s"
            raise RuntimeError(f"{self.name}: {what} while booting\n"
                               f"{(self._dir / 'qemu.log').read_text()}\n{self.console.tail()}")


def _shown(script):
    text = script if isinstance(script, str) else script.decode(errors="replace")
    return text if len(text) < 500 else text[:500] + " ..."


@atexit.register
def close_all():
    for vm in list(_running):
        vm.close()


def running():
    return list(_running)
