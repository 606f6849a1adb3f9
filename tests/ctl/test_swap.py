# SPDX-License-Identifier: GPL-2.0
"""attach --swap: whose swap a disk is, and what is done to make it this machine's."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest
from conftest import CTL, Said
from rig.wait import until

URI = "nbd://192.0.2.1/swap"
MIB = 1 << 20
MACHINE, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
REFUSED = 3
DM = "sys/block/ballast5/holders/dm-0"


class Machine:
    """attach() of ballast5, whose content is a sparse file.

    The programs that it runs are scripts; ran() says which, and with which arguments.
    """

    def __init__(self, ctl, tree, bin):
        self._ctl, self._tree, self.bin = ctl, tree, bin
        self.disk = tree.root / "dev/ballast5"
        tree.disk("ballast5")
        tree.write("etc/machine-id", MACHINE + "\n")
        tree.write("sys/module/dm_crypt/refcnt", "0\n")
        self.blank()
        for name in ("mkswap", "cryptsetup", "modprobe"):
            self.program(name, "")

    def program(self, name, script):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.bin}/log\n{script}\n')
        path.chmod(0o755)

    def blank(self):
        self.disk.write_bytes(b"")
        os.truncate(self.disk, 8 * MIB)

    def mkswap(self, *arguments):
        self.blank()
        subprocess.run(["/usr/sbin/mkswap", "-q", *arguments, self.disk], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, *arguments, **options):
        """Run attach --swap, for poll() and communicate()."""
        (self.bin / "log").write_text("")
        environment = {**os.environ, "BALLAST_ROOT": str(self._tree.root),
                       "PATH": f"{self.bin}:/usr/bin:/bin"}
        return subprocess.Popen([os.path.abspath(CTL), "attach", URI, "index=5", "--swap",
                                 *arguments], text=True, stderr=subprocess.PIPE,
                                env=environment, **options)

    def attach(self, *arguments):
        (self.bin / "log").write_text("")
        return self._ctl("attach", URI, "index=5", "--swap", *arguments,
                         PATH=f"{self.bin}:/usr/bin:/bin")

    def ran(self, program="mkswap"):
        return re.findall(rf"^{program} (?!--version)(.*)$", (self.bin / "log").read_text(), re.M)

    def identity(self, machine_id=MACHINE):
        """The UUID that a machine of this id writes."""
        self._tree.write("etc/machine-id", machine_id + "\n")
        self.blank()
        self.attach()
        said, = self.ran()
        self._tree.write("etc/machine-id", MACHINE + "\n")
        return re.search(r"--uuid (\S+)", said).group(1)

    def encrypted(self, owner, label="web2"):
        self.blank()
        with open(self.disk, "r+b") as file:
            file.write(f"ballast: encrypted swap, version 1\nowner: {owner}\n"
                       f"label: {label}\n".encode())


@pytest.fixture
def machine(ctl, tree, tmp_path_factory):
    return Machine(ctl, tree, tmp_path_factory.mktemp("bin"))


def detached_again(said, tree):
    assert "ballast5: detached again" in said.err
    assert tree.read("sys/block/ballast5/ballast/detach") == "1"


def test_identity(machine):
    """Always the same, another one on another machine, and not the machine id."""
    mine, other = machine.identity(), machine.identity(OTHER)
    assert mine == machine.identity() and mine != other
    assert uuid.UUID(mine).version == uuid.UUID(other).version == 5
    assert MACHINE not in mine.replace("-", "")
    machine.blank()
    machine.attach()
    said, = machine.ran()
    assert said.startswith(f"--label {socket.gethostname()[:15]} --uuid ")


def test_identity_without_machine_id(machine, tree):
    mine = machine.identity()
    tree.write("etc/machine-id", "uninitialized\n")
    tree.write("proc/cmdline", f"quiet systemd.machine_id={MACHINE} ro\n")
    machine.blank()
    machine.attach()
    assert mine in machine.ran()[0]

    # The same of the firmware, but not one that no firmware has filled in.
    tree.write("proc/cmdline", "quiet ro\n")
    tree.write("sys/class/dmi/id/product_uuid", str(uuid.UUID(MACHINE)) + "\n")
    machine.attach()
    assert mine in machine.ran()[0]
    tree.write("sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n")
    machine.attach()
    assert "--uuid" not in machine.ran()[0]


FIRMWARE = "89abcdef-0123-4567-89ab-cdef01234567"


def in_initramfs(machine, tree, firmware=FIRMWARE):
    """The UUID of a swap that is made where the only id is that of the firmware."""
    tree.write("sys/class/dmi/id/product_uuid", firmware + "\n")
    mine = machine.identity("uninitialized")
    tree.write("sys/class/dmi/id/product_uuid", FIRMWARE + "\n")
    return mine


def test_swap_made_in_an_initramfs(machine, ctl, tree):
    """It stays this machine's when the root and its machine id are there."""
    mine, other = in_initramfs(machine, tree), in_initramfs(machine, tree, str(uuid.UUID(OTHER)))
    assert len({mine, other, machine.identity()}) == 3, "the machine id decides for a new one"
    machine.mkswap("-U", mine)
    assert "/dev/ballast5: is already a swap\n" in machine.attach().out and not machine.ran()
    machine.mkswap("-U", mine, "-p", "16384")
    assert machine.attach().status != REFUSED and len(machine.ran()) == 1
    machine.mkswap("-U", mine)
    tree.swap("ballast5")
    assert not finding(ctl, "swap-of-two-machines")

    # Another machine that boots the same image, with the same /etc/machine-id.
    machine.mkswap("-U", other)
    assert len(finding(ctl, "swap-of-two-machines")) == 1
    tree.write("proc/swaps", "Filename\n")
    assert machine.attach().status == REFUSED


@pytest.mark.parametrize("cmdline, by_firmware", [
    ("ro rd.ballast=nbd://192.0.2.1/swap,swap", True),
    ("ro xrd.ballast=nbd://192.0.2.1/swap,swap", False),
    (f"rd.ballast=nbd://192.0.2.1/swap,swap systemd.machine_id={MACHINE}", False)])
def test_swap_for_an_initramfs(machine, tree, cmdline, by_firmware):
    """Made by the running system, for an initramfs that knows no machine id."""
    early, late = in_initramfs(machine, tree), machine.identity()
    tree.write("proc/cmdline", cmdline + "\n")
    assert machine.identity() == (early if by_firmware else late)
    tree.write("sys/class/dmi/id/product_uuid", "0" * 32 + "\n")
    assert machine.identity() == late


@pytest.mark.parametrize("arguments", [[], ["--encrypt"]], ids=["clear", "encrypt"])
def test_own_swap_keeps_its_owner(machine, tree, arguments):
    """If it is made again. The initramfs that made it would refuse another owner."""
    machine.program("cryptsetup", MAPPING.format(root=tree.root))
    early = in_initramfs(machine, tree)
    assert machine.identity() != early
    machine.encrypted(early)
    machine.attach(*arguments)
    assert early in machine.ran()[0]
    assert not arguments or f"owner: {early}\n".encode() in machine.disk.read_bytes()


def test_own_swap_is_used_as_it_is(machine):
    machine.mkswap("-U", machine.identity())
    before = machine.disk.read_bytes()
    said = machine.attach()
    assert "/dev/ballast5: is already a swap\n" in said.out
    assert not machine.ran() and machine.disk.read_bytes() == before


def test_no_swap_to_a_file_of_a_test(machine, ctl, tree):
    """The kernel would swap to such a file if it had no holes, and root runs the tests."""
    machine.mkswap("-U", machine.identity())
    said = machine.attach()
    assert said.status == 1 and "swapon: not with BALLAST_ROOT" in said.err
    detached_again(said, tree)
    tree.swap("ballast5")
    said = ctl("detach", "--swapoff", "ballast5", timeout=5)
    assert said.status == 1 and "swapoff: not with BALLAST_ROOT" in said.err


def test_swap_of_nobody_gets_an_owner(machine):
    mine = machine.identity()
    machine.mkswap()
    said = machine.attach()
    assert "/dev/ballast5: was a swap, ran mkswap\n" in said.out
    assert mine in machine.ran()[0]


@pytest.mark.parametrize("arguments", [[], ["--encrypt"]], ids=["clear", "encrypt"])
@pytest.mark.parametrize("was", ["clear", "encrypted"])
def test_swap_of_another_machine(machine, tree, was, arguments):
    """Named and left alone; with --take it is this machine's."""
    other = machine.identity(OTHER)
    machine.program("cryptsetup", MAPPING.format(root=tree.root))
    if was == "clear":
        machine.mkswap("-U", other, "-L", "web2")
    else:
        machine.encrypted(other)
    before = machine.disk.read_bytes()
    said = machine.attach(*arguments)
    assert said.status == REFUSED
    assert "is the swap of another machine, web2 (" in said.err and "--take" in said.err
    assert other in said.err and not machine.ran() and not machine.ran("cryptsetup")
    assert machine.disk.read_bytes() == before
    detached_again(said, tree)
    said = machine.attach("--take", *arguments)
    assert said.status != REFUSED and len(machine.ran()) == 1, said
    assert "web2" in said.out


def test_label_in_an_error_is_printable(machine):
    machine.encrypted(machine.identity(OTHER), label="\x1b[2J")
    said = machine.attach()
    assert said.status == REFUSED and said.err.isascii() and r"\x1b[2J" in said.err


def test_other_page_size(machine, tree):
    """mkswap -p 16384: swapon fails with EINVAL. It is said why, once."""
    machine.mkswap("-p", "16384")
    said = machine.attach()
    assert said.status == REFUSED
    assert "pages of 16384 bytes, and this kernel's have 4096" in said.err
    detached_again(said, tree)
    machine.attach("--take")
    assert len(machine.ran()) == 1
    # Of this machine, before it booted another kernel.
    machine.mkswap("-p", "16384", "-U", machine.identity())
    assert machine.attach().status != REFUSED
    assert len(machine.ran()) == 1


def test_what_is_no_swap_is_refused(machine):
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", str(machine.disk)], check=True)
    for arguments in ([], ["--take"], ["--encrypt"]):
        said = machine.attach(*arguments)
        assert said.status == REFUSED and "holds ext4" in said.err and not machine.ran()


MAPPING = """
case $1 in
open) mkdir -p {root}/sys/block/ballast5/holders/dm-0 {root}/sys/block/dm-0/dm
    echo ballast5-swap > {root}/sys/block/dm-0/dm/name
    printf CRYPT-PLAIN-ballast5-swap > {root}/sys/block/dm-0/dm/uuid ;;
close) rm -r {root}/sys/block/ballast5/holders ;;
esac
"""


def test_encrypt(machine, tree):
    """The mapping's arguments, the header, and that a failure leaves no mapping."""
    machine.program("cryptsetup", MAPPING.format(root=tree.root))
    mine = machine.identity()
    said = machine.attach("--encrypt")
    opened, closed = machine.ran("cryptsetup")
    for word in ("--type=plain", "--cipher=aes-xts-plain64", "--key-size=512",
                 "--key-file=/dev/random", "--perf-no_read_workqueue",
                 "--perf-no_write_workqueue", "--offset=2048", f"--size={2097152 - 2048}",
                 f"{tree.root}/dev/ballast5", "ballast5-swap"):
        assert f" {word}" in opened, word
    assert "--allow-discards" not in opened
    assert machine.ran()[0].endswith(f" {tree.root}/dev/dm-0")
    assert said.status == 1 and "swapon" in said.err
    assert closed == "close ballast5-swap"
    detached_again(said, tree)

    header = machine.disk.read_bytes()[:MIB]
    text = header.rstrip(b"\0").decode()
    assert text == (f"ballast: encrypted swap, version 1\nowner: {mine}\n"
                    f"label: {socket.gethostname()[:15]}\n")
    done = subprocess.run(["/usr/sbin/blkid", "-p", machine.disk], stdout=subprocess.PIPE)
    assert done.returncode == 2 and not done.stdout, "libblkid knows it as something"

    # The same machine's, next time; and no longer encrypted, if that is wanted.
    assert machine.attach("--encrypt").status == 1
    assert len(machine.ran()) == 1
    assert "was an encrypted swap, ran mkswap" in machine.attach().out
    assert not machine.disk.read_bytes()[:MIB].strip(b"\0")


def test_encrypt_over_a_swap(machine, tree):
    """No signature of it stays, not even that of large pages."""
    machine.program("cryptsetup", MAPPING.format(root=tree.root))
    for arguments in ([], ["-p", "65536"]):
        machine.mkswap("-U", machine.identity(), *arguments)
        machine.attach("--encrypt")
        assert b"SWAPSPACE2" not in machine.disk.read_bytes()


def test_discard(machine):
    machine.program("cryptsetup", 'case "$*" in *--sector-size*) exit 1 ;; esac')
    machine.attach("--encrypt", "--discard")
    for words in machine.ran("cryptsetup"):
        assert " --allow-discards" in words and " --batch-mode" in words


def test_old_cryptsetup(machine, tree):
    """Before 2.4.0 it knows no sector size here."""
    machine.program("cryptsetup", '[ "$1" != --version ] || echo cryptsetup 2.3.7\n'
                    + MAPPING.format(root=tree.root))
    machine.attach("--encrypt", "--discard")
    opened, _ = machine.ran("cryptsetup")
    assert "--sector-size" not in opened and opened.endswith(" --allow-discards")
    assert len(machine.ran()) == 1


@pytest.mark.parametrize("version", ["2.4.0", "2.6.1 flags: UDEV BLKID", "3.0.0-rc0"])
def test_open_is_tried_once(machine, version):
    """With its own message, and never again with sectors of 512 bytes."""
    machine.program("cryptsetup", f'[ "$1" != --version ] || exec echo cryptsetup {version}\n'
                    'case "$*" in *--sector-size=4096*) echo the first error >&2; exit 5 ;; esac')
    said = machine.attach("--encrypt")
    assert said.status == 1 and len(machine.ran("cryptsetup")) == 1
    assert "the first error\nballastctl attach: cryptsetup failed with status 5\n" in said.err


def test_too_small_to_be_encrypted(machine, tree):
    tree.write("sys/block/ballast5/size", "2048\n")
    said = machine.attach("--encrypt")
    assert said.status == 1 and "is too small for an encrypted swap" in said.err
    detached_again(said, tree)


@pytest.mark.parametrize("failing, words", [
    ("cryptsetup", "cryptsetup failed with status 1"), ("mkswap", "mkswap failed with status 1"),
])
def test_failure_on_the_way(machine, tree, failing, words):
    machine.program("cryptsetup", MAPPING.format(root=tree.root))
    machine.program(failing, "exit 1")
    before = machine.disk.read_bytes()
    said = machine.attach("--encrypt")
    assert said.status == 1 and words in said.err
    assert machine.ran("cryptsetup")[-1] == "close ballast5-swap" or failing == "cryptsetup"
    assert machine.disk.read_bytes() == before, "no header yet"
    detached_again(said, tree)


# Another process detaches the disk and attaches another one, which gets its name.
REPLACE = """cd {root}/sys/block
cp -r ballast5 new && mv ballast5 {root}/old && mv new ballast5"""


def spared(said, tree):
    assert "detached again" not in said.err and "stays attached" not in said.err, said
    assert tree.read("sys/block/ballast5/ballast/detach") == ""


def test_undo_spares_another_disk(machine, tree):
    """It may be swapped to, or encrypted."""
    mapping = MAPPING.format(root=tree.root)
    replace = REPLACE.format(root=tree.root)
    machine.program("cryptsetup", mapping)
    machine.program("mkswap", f"{replace}; {machine.bin}/cryptsetup open; exit 1")
    said = machine.attach()
    assert said.status == 1 and "mkswap failed" in said.err
    assert machine.ran("cryptsetup") == ["open"]
    spared(said, tree)


@pytest.fixture
def locked(tree):
    """Another process makes swaps of all exports; returns what ends that."""
    # No other descriptor of the file may be closed here: that would end the lock.
    lock = os.open(tree.root / "sys/class/ballast/attach", os.O_WRONLY)
    fcntl.lockf(lock, fcntl.LOCK_EX)
    yield lambda: fcntl.lockf(lock, fcntl.LOCK_UN)
    os.close(lock)


def wait_for_attach(tree):
    until(lambda: os.stat(tree.root / "sys/class/ballast/attach").st_size, 10, "the attach")


def test_two_attaches_at_once(machine, tree, locked):
    """Both found no swap on the export. The second waits, and sees the first."""
    running = machine.start(stdout=subprocess.PIPE)
    wait_for_attach(tree)
    time.sleep(0.5)
    assert running.poll() is None and not machine.ran()
    tree.disk()
    tree.swap()
    locked()
    _, err = running.communicate(timeout=20)
    assert running.returncode == 1 and 'export "swap" is already swapped to, as ballast0' in err
    assert not machine.ran()
    assert tree.read("sys/block/ballast5/ballast/detach") == "1"


def test_move_during_an_attach(machine, tree, locked):
    """To an export that is about to be swapped to."""
    tree.disk(server="192.0.2.9:10809")
    tree.swap()
    tree.write("sys/block/ballast5/ballast/server", "192.0.2.1:10809\n")
    running = subprocess.Popen([os.path.abspath(CTL), "move", "ballast0", URI], text=True,
                               stderr=subprocess.PIPE,
                               env={**os.environ, "BALLAST_ROOT": str(tree.root)})
    time.sleep(0.5)
    assert running.poll() is None
    tree.write("proc/swaps", tree.read("proc/swaps") + "/dev/ballast5 partition 1 1 -3\n")
    locked()
    _, err = running.communicate(timeout=20)
    assert running.returncode == 1 and "is already swapped to, as ballast5" in err
    assert tree.read("sys/block/ballast0/ballast/move") == ""


def test_another_disk_after_the_wait(machine, tree, locked):
    """It is not made a swap."""
    running = machine.start(stdout=subprocess.PIPE)
    wait_for_attach(tree)
    time.sleep(0.5)
    subprocess.run(REPLACE.format(root=tree.root), shell=True, check=True)
    locked()
    out, err = running.communicate(timeout=20)
    assert running.returncode == 1 and "/dev/ballast5: was detached meanwhile\n" in err
    assert not machine.ran()
    spared(Said(running.returncode, out, err), tree)


def test_other_attach_that_hangs(machine, tree, locked):
    said = machine.attach()
    assert said.status == 1 and not machine.ran()
    assert (f'export "swap": process {os.getpid()} makes a swap of it or moves a disk to it, '
            "and does not end") in said.err
    detached_again(said, tree)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(machine, tree, number):
    """mkswap ends, and the disk does not stay attached."""
    machine.program("mkswap", f"sleep 1; echo ended >> {tree.root}/ended")
    running = machine.start(stdout=subprocess.PIPE)
    until(machine.ran, 10, "mkswap")
    running.send_signal(number)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 1, err
    assert "ballast5: detached again" in err and tree.read("ended") == "ended\n"
    assert tree.read("sys/block/ballast5/ballast/detach") == "1"


@pytest.mark.parametrize("nohup", [False, True])
def test_interrupted_while_it_waits(machine, tree, locked, nohup):
    """Under nohup the signal stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    running = machine.start(stdout=subprocess.PIPE)
    signal.signal(signal.SIGHUP, before)
    wait_for_attach(tree)
    running.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    locked()
    _, err = running.communicate(timeout=20)
    assert running.returncode == 1 and len(machine.ran()) == nohup
    assert ("ballastctl attach: interrupted\n" in err) != nohup


def test_kernel_without_dm_crypt(machine, tree):
    """Before anything is done."""
    (tree.root / "sys/module/dm_crypt/refcnt").unlink()
    (tree.root / "sys/module/dm_crypt").rmdir()
    machine.program("modprobe", "exit 1")
    said = machine.attach("--encrypt")
    assert said.status == 2 and said.err.count("\n") == 1 and "dm-crypt" in said.err
    assert machine.ran("modprobe") == ["-q dm_crypt"]
    assert tree.read("sys/class/ballast/attach") == ""


def test_read_only_export(machine, tree):
    tree.write("sys/block/ballast5/ro", "1\n")
    assert machine.attach().status == REFUSED


@pytest.mark.parametrize("device", ["dm-0", "mapper/ballast5-swap"])
def test_encrypted_swap_is_seen(ctl, tree, device):
    """By list, status, metrics and detach, with udev's names and without."""
    tree.disk("ballast5")
    tree.disk("ballast6")
    tree.write(f"{DM}/x", "")
    tree.write("sys/block/dm-0/dm/name", "ballast5-swap\n")
    tree.write("sys/block/dm-0/dm/uuid", "CRYPT-PLAIN-ballast5-swap\n")
    tree.write("proc/swaps", "Filename Type Size Used Priority\n"
               f"/dev/{device} partition 1047548 1024 -2\n")
    rows = {line.split()[0]: line.split()[4] for line in ctl("list").out.splitlines()}
    assert rows["ballast5"] == "1.0" and rows["ballast6"] == "-"
    assert "MiB used, priority -2, encrypted\n" in ctl("status", "ballast5").out
    assert '"encrypted":true' in ctl("status", "ballast5", "--json").out.replace(" ", "")
    assert "encrypted" not in ctl("status", "ballast6").out
    metrics = ctl("metrics").out
    assert 'ballast_disk_swap_encrypted{disk="ballast5"} 1\n' in metrics
    assert 'ballast_disk_swap_encrypted{disk="ballast6"} 0\n' in metrics
    said = ctl("detach", "ballast5")
    assert said.status == 1 and f"is a swap; run swapoff /dev/{device} first" in said.err
    assert "already swapped to, as ballast5" in ctl("attach", URI, "--swap").err


def test_mapping_of_another_kind_is_left_alone(ctl, tree):
    tree.disk("ballast5")
    tree.write(f"{DM}/x", "")
    tree.write("sys/block/dm-0/dm/name", "luks\n")
    tree.write("sys/block/dm-0/dm/uuid", "CRYPT-LUKS2-luks\n")
    said = ctl("detach", "ballast5")
    assert said.status == 1 and "is part of dm-0" in said.err


@pytest.mark.parametrize("how", [[], ["--force"]], ids=["gently", "force"])
def test_detach_ends_the_mapping(machine, tree, ctl, how):
    """Of an encryption that is not swapped to: before the disk or, with force, behind it."""
    detach = tree.root / "sys/block/ballast5/ballast/detach"
    machine.program("cryptsetup", MAPPING.format(root=tree.root)
                    + f'[ "$1" = open ] || cp {detach} {tree.root}/then')
    machine.attach("--encrypt")
    subprocess.run([f"{machine.bin}/cryptsetup", "open"], check=True)
    detach.write_text("")
    said = ctl("detach", *how, "ballast5", PATH=f"{machine.bin}:/usr/bin:/bin")
    assert said.status == 0 and not (tree.root / "sys/block/ballast5/holders").exists()
    assert tree.read("then") == ("force" if how else "")
    assert machine.ran("cryptsetup")[-1] == "close ballast5-swap" + (" --deferred" if how else "")


def finding(ctl, name):
    return [found for found in json.loads(ctl("doctor", "--json").out)["findings"]
            if found["id"] == name]


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "encrypted"])
def test_doctor_finds_a_second_owner(machine, ctl, tree, encrypted):
    """Another machine has taken the swap while this one swaps to it."""
    mine, other = machine.identity(), machine.identity(OTHER)
    tree.swap("ballast5")
    for owner, found in ((mine, 0), (other, 1)):
        if encrypted:
            machine.encrypted(owner)
        else:
            machine.mkswap("-U", owner, "-L", "web2")
        assert len(finding(ctl, "swap-of-two-machines")) == found
    said, = finding(ctl, "swap-of-two-machines")
    assert "web2" in said["figures"] and said["commands"] == ["ballastctl detach --force ballast5"]
    machine.mkswap()
    assert not finding(ctl, "swap-of-two-machines")


def test_doctor_sees_through_the_mapping(ctl, tree):
    """The server is this machine: what has to be swapped off is the mapping."""
    tree.disk("ballast5", server="127.0.0.1:10809")
    tree.write(f"{DM}/x", "")
    tree.write("sys/block/dm-0/slaves/ballast5/x", "")
    tree.write("sys/block/dm-0/dm/name", "ballast5-swap\n")
    tree.write("sys/block/dm-0/dm/uuid", "CRYPT-PLAIN-ballast5-swap\n")
    for device in ("dm-0", "mapper/ballast5-swap"):
        tree.write("proc/swaps", "Filename Type Size Used Priority\n"
                   f"/dev/{device} partition 1047548 1024 -2\n")
        said, = finding(ctl, "server-is-this-machine")
        assert said["severity"] == "serious"
        assert said["commands"] == [f"swapoff /dev/{device}"]
