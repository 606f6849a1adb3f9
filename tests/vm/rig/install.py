# SPDX-License-Identifier: GPL-2.0
"""A machine as an administrator has it: systemd, and packages installed by apt.

They are installed into the root of a "systemd" image, by chroot and not in a
guest, where DKMS would take minutes to build; on an overlay, so that the image
stays as it is. As a program: install.py WORK SUITE FLAVOUR VARIANT DISK.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rig import host, image as images, initrd, net  # noqa: E402
from rig.wait import until  # noqa: E402

# Of the packages that tests install.
VERSIONS = ("0.1.0", "0.1.1")

# The first process is systemd, and the agent one of its services. The network
# comes from ip= on the kernel's command line, or else NetworkManager asks for a lease.
SET_UP = """
install -m 755 /mnt/agent /usr/local/sbin/rig-agent
cat > /etc/systemd/system/rig-agent.service <<'UNIT'
[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Conflicts=shutdown.target
Before=shutdown.target
[Service]
Environment=LC_ALL=C.UTF-8
ExecStart=/usr/local/sbin/rig-agent
OOMScoreAdjust=-1000
[Install]
WantedBy=sysinit.target
UNIT
network="systemd-networkd systemd-network-generator"
[ ! -d /etc/NetworkManager ] || network=NetworkManager
systemctl -q enable rig-agent $network
"""

IN_ROOT = """
work=$1 lower=$2 disk=$3
cd "$work" && mkdir upper overlay root &&
mount -t overlay overlay -o "userxattr,lowerdir=$lower,upperdir=upper,workdir=overlay" root &&
mount --rbind /dev root/dev && mount --make-rslave root/dev &&
mount --rbind /proc root/proc && mount --make-rslave root/proc &&
mount -t tmpfs tmp root/tmp && mount -t tmpfs run root/run && mount --bind files root/mnt || exit
chroot root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root \
    DEBIAN_FRONTEND=noninteractive sh -e /mnt/script || exit
for place in mnt run tmp proc dev; do umount -l root/$place; done
[ -z "$disk" ] || exec /usr/bin/python3 -B "$0" disk root "$disk"
"""


@contextlib.contextmanager
def installed(suite, flavour, script, files=(), disk=True, variant="systemd"):
    """Run script in the root of an image with systemd; yields what it said and left.

    That is (output, directory, disk): the directory is its /mnt, where files
    (paths, directories too) are; disk is what to start VM(root=...) with.
    RuntimeError has the output when it fails.
    """
    images.get(suite, flavour, variant)
    base = host.cache() / "install"
    base.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{suite}-", dir=base))
    try:
        given = work / "files"
        given.mkdir()
        for path in map(Path, files):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, given / path.name)
        (given / "agent").write_bytes(initrd.agent())
        (given / "script").write_text((SET_UP if disk else "") + script)
        raw, qcow2 = work / "disk.ext4", work / "disk.qcow2"
        try:
            host.outside(["/usr/bin/python3", "-B", __file__, work, suite, flavour,
                          variant, raw if disk else ""])
        except RuntimeError as error:
            raise RuntimeError(f"in a {suite} root:\n{_log(work)}") from error
        if disk:
            # A guest's writes, apart: they are dropped and made again in no time.
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                            str(raw), str(qcow2)], check=True)
        yield _log(work), given, qcow2 if disk else None
    finally:
        subprocess.run(host.in_namespace(["rm", "-rf", str(work)]), check=True)


def in_order(way_down):
    """No unit failed on it, or had to be given up."""
    assert "Failed" not in way_down and "timed out" not in way_down, way_down
    return way_down


class Machine:
    """A guest that is started, ended and started again with the same disk."""

    def __init__(self, vm, suite, root, **options):
        self._vm = vm
        self._start = {"suite": suite, "flavour": "cloud-amd64", "root": root, "memory": 512,
                       **options}
        self._boots = 0
        self.guest = None

    def boot(self, **options):
        self._boots += 1
        self.guest = self._vm(name=f"boot{self._boots}", **{**self._start, **options})
        return self.guest

    def go_down(self, timeout=240):
        """As an administrator would; returns what the console said of the way down."""
        before = len(self.guest.console.text)
        self.guest.spawn("systemctl reboot")
        self.guest.wait_exit(timeout)
        return self.guest.console.text[before:]

    def reboot(self, timeout=240):
        """Go down, and boot again; returns the same."""
        way_down = self.go_down(timeout)
        self.guest.close()
        self.boot()
        return way_down

    def reboot_in_order(self):
        """The same, and the way down is in order."""
        return in_order(self.reboot())

    def booted(self):
        """Wait for the end of the boot, and return what systemd thinks of it."""
        until(lambda: self.guest.run("systemctl is-active multi-user.target",
                                     check=False).output.strip() == "active",
              240, "multi-user.target", 1)
        # It may be active before the network is up, over which a user would be connected.
        until(lambda: not self.guest.run(f"ip route get {net.HOST4}", check=False).status,
              120, f"a route to {net.HOST4}", 0.5)
        state = self.guest.run("systemctl is-system-running --wait", check=False,
                               timeout=120).output.strip()
        if state != "running":
            print(self.guest.run("systemctl --failed; systemctl list-jobs", check=False).output)
        return state

    def swaps(self):
        return self.guest.run("cat /proc/swaps").output.splitlines()[1:]

    def wait_swap(self, timeout=120, disk="/dev/ballast0"):
        until(self.swaps, timeout, "the swap", 0.5)
        assert self.swaps()[0].startswith(f"{disk} "), self.swaps()

    def swap_out(self):
        """Fill some of the swap, from a cgroup, so that systemd itself stays in memory."""
        self.guest.run("systemd-run --scope -q -p MemoryMax=32M head -c 80M /dev/urandom "
                       "> /dev/shm/data", timeout=120)
        assert int(self.swaps()[0].split()[3]) > 10240, self.swaps()


def _log(work):
    return (work / "log").read_text(errors="replace")


def _run(work, suite, flavour, variant, disk):
    root = images.get(suite, flavour, variant).root
    argv = host.in_namespace(["unshare", "--mount", "sh", "-c", IN_ROOT, __file__, work,
                              str(root), disk])
    with open(Path(work, "log"), "w") as output:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT).returncode


if __name__ == "__main__":
    if sys.argv[1] == "disk":
        images.make_disk(*map(Path, sys.argv[2:]))
    else:
        sys.exit(_run(*sys.argv[1:]))
