# SPDX-License-Identifier: GPL-2.0
"""A disk goes on with another server that has the same data, or stays with its own."""

import shutil
import signal
from contextlib import contextmanager
from errno import EBUSY, ECANCELED, ECONNREFUSED, EINTR, EINVAL, ENODEV, EREMCHG

import pytest

from rig import ctl as tool, module, scripted, servers
from rig.disk import Disk
from rig.load import verifying
from rig.pages import swapped_out
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ")
SIZE = 64 << 20
# In the guest: writes a string to the file, and tells the errno.
WRITE = "use strict; open my $f, '>', $ARGV[0] or exit 255; " \
    "exit(defined syswrite($f, $ARGV[1]) ? 0 : $! + 0)"


@pytest.fixture
def guest(shared_vm):
    tool.put(shared_vm)
    shared_vm.put("/root/write.pl", WRITE.encode())
    return shared_vm


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as new:
        new.truncate(SIZE)
    return path


def serve(file, **where):
    return servers.Nbdkit("file", str(file), **where)


def text(server, more=""):
    host = f"[{server.address}]" if ":" in server.address else server.address
    return f"server={host}:{server.port}{more}"


def write(guest, string, disk="ballast0"):
    return guest.run(f"exec perl /root/write.pl /sys/block/{disk}/ballast/move '{string}'",
                     check=False, timeout=120).status


def refused(guest, disk, string, errno, why):
    """The disk stays with its server, which serves on."""
    before = disk.file("ballast/server"), disk.file("ballast/reconnects")
    guest.run("dmesg -C")
    assert write(guest, string) == errno
    log = guest.run("dmesg -t").output
    assert f"ballast0: move: {why}" in log, log
    assert (disk.file("ballast/server"), disk.file("ballast/reconnects")) == before
    assert disk.file("ballast/state") == "live"
    assert disk.file("ballast/verify_errors") == "0"


def test_under_load(guest, file):
    """fio verifies while the disk goes to and fro; no request fails, and none is lost."""
    with serve(file) as one, serve(file) as other, \
            Disk(guest, one, connections=3) as disk, verifying(disk) as completed:
        for server in (other, one) * 3:
            assert write(guest, text(server)) == 0
            assert disk.file("ballast/server") == f"{server.address}:{server.port}"
            before = completed()
            until(lambda: completed() > before + 20, 30, "requests to be answered there")
            until(lambda: disk.file("ballast/state") == "live", 30, "all connections")
        until(lambda: disk.file("ballast/fences") == "0", 30, "the old server to have ended")
        assert disk.file("ballast/fences_expired") == "0"
        # Nothing goes to the other one any more.
        other.close()
        before = completed()
        until(lambda: completed() > before + 50, 30, "requests to go on")


def test_swap(guest, file):
    with serve(file) as one, serve(file) as other, Disk(guest, one) as disk:
        with swapped_out(guest, disk.path) as pages:
            uri = f"nbd://{other.address}:{other.port}"
            assert guest.run(f"ballastctl move ballast0 {uri}").output == \
                f'ballast0: moved to {other.address}:{other.port}, export ""\n'
            one.close()
            pages.check()
            assert int(disk.file("ballast/verified")) >= 16
        assert disk.file("ballast/state") == "live"


def test_next_address(guest, file):
    """A server that hangs up does not keep the other address from being tried."""
    with serve(file) as one, Disk(guest, one):
        guest.run("printf '%s two\\n' $0 $1 >> /etc/hosts"
                  .replace("$0", servers.net.HOST6).replace("$1", servers.net.HOST4))
        for good, bad in ((servers.net.HOST4, servers.net.HOST6),
                          (servers.net.HOST6, servers.net.HOST4)):
            with serve(file, address=good) as other, \
                    servers.ScriptedServer(lambda _: None, address=bad, port=other.port):
                said = guest.run(f"ballastctl move ballast0 nbd://two:{other.port} 2>&1").output
                assert said.splitlines()[-1].startswith("ballast0: moved to "), said
                assert guest.run("ballastctl move ballast0 "
                                 f"nbd://{one.address}:{one.port}").status == 0


@contextmanager
def gone(server):
    server.stop()
    yield


@pytest.mark.parametrize("fault", [lambda server: server.paused(), gone],
                         ids=["stalled", "stopped"])
def test_from_a_server_that_does_not_answer(guest, file, fault):
    """What was written to a stalled one may still be executed, so it waits for the fence."""
    with serve(file) as one, serve(file) as other, \
            Disk(guest, one, fence=3) as disk, verifying(disk) as completed:
        with fault(one):
            stuck = completed()
            assert write(guest, text(other)) == 0
            until(lambda: completed() > stuck, 30, "answers of the other one")
            until(lambda: disk.file("ballast/fences_held") == "0", 30, "the fence")
            before = completed()
            until(lambda: completed() > before + 50, 30, "requests to go on")
            assert disk.file("ballast/server") == f"{other.address}:{other.port}"
            if fault is gone:
                assert disk.file("ballast/fences_expired") == "0"


def test_refused(guest, file, tmp_path):
    smaller = tmp_path / "smaller"
    with open(smaller, "wb") as new:
        new.truncate(SIZE // 2)
    with serve(file) as one, serve(smaller) as small, \
            servers.Nbdkit("file", str(file), options=["--readonly"]) as readonly, \
            Disk(guest, one) as disk, verifying(disk) as completed:
        missing = f"server={one.address}:{servers.free_port()}"
        before = completed()
        refused(guest, disk, missing, ECONNREFUSED, f"{missing[:6]} {missing[7:]}: connect: "
                "connection refused")
        refused(guest, disk, text(small), EREMCHG, f"server {small.address}:{small.port}: "
                "negotiation: the export is smaller now")
        refused(guest, disk, text(readonly), EREMCHG, f"server {one.address}:{readonly.port}: "
                "negotiation: the export is read-only now")
        refused(guest, disk, "server=192.0.2.300:1", EINVAL,
                "server=192.0.2.300: is not an IPv4 or IPv6 address")
        refused(guest, disk, text(one, " index=3"), EINVAL, "index=3: unknown option")
        refused(guest, disk, "export=x", EINVAL, "server: the option is missing")
        said = guest.run(f"ballastctl move ballast0 nbd://{small.address}:{small.port}",
                         check=False)
        assert said.status == 1 and "stays with its server" in said.output
        assert "the export is smaller now" in said.output
        until(lambda: completed() > before + 50, 30, "requests to go on")


def test_other_data(guest, file, tmp_path):
    """Not one page of them gets into memory."""
    copy = tmp_path / "copy"
    with serve(file) as one, Disk(guest, one) as disk:
        shutil.copyfile(file, copy)
        with serve(copy) as other, swapped_out(guest, disk.path) as pages:
            refused(guest, disk, text(other), EREMCHG,
                    f"server {other.address}:{other.port}: verification: the data at offset")
            assert disk.file("ballast/verify") == "on"
            pages.check()


def test_ends_while_the_new_server_is_silent(guest, file):
    with serve(file) as one, servers.ScriptedServer(scripted.silent) as silent:
        disk = Disk(guest, one)
        job = guest.spawn("exec perl -e 'use strict; $SIG{INT} = sub {}; "
                          "open my $f, \">\", $ARGV[0] or exit 255; "
                          "exit(defined syswrite($f, $ARGV[1]) ? 0 : $! + 0)' "
                          f"{disk.sys}/ballast/move {text(silent)}")
        until(lambda: silent.connections, 20, "the new server to be tried")
        assert write(guest, text(one)) == EBUSY
        assert job.kill(signal.SIGINT, 20) == EINTR
        until(lambda: write(guest, text(one)) == 0, 5, "the next move")
        until(lambda: disk.file("ballast/state") == "live", 20, "the disk to be live")
        tried = len(silent.connections)
        job = guest.spawn(f"exec perl /root/write.pl {disk.sys}/ballast/move {text(silent)}")
        until(lambda: len(silent.connections) > tried, 20, "the new server to be tried again")
        disk.detach("force")
        assert job.wait(20) == ENODEV


def test_old_server_restarts_while_the_new_one_is_silent(guest, file):
    """The new one may take minutes, and the old one is there again at once."""
    with serve(file) as one, servers.ScriptedServer(scripted.silent) as silent, \
            Disk(guest, one) as disk:
        guest.run("dmesg -C")
        job = guest.spawn(f"exec perl /root/write.pl {disk.sys}/ballast/move '{text(silent)}'")
        until(lambda: silent.connections, 20, "the new server to be tried")
        one.stop()
        one.start()
        read = f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct"
        assert guest.run(read, timeout=20).status == 0
        assert job.wait(20) == ECANCELED
        log = guest.run("dmesg -t").output
        assert f"move: server {silent.address}:{silent.port}: negotiation: given up" in log, log
        assert disk.file("ballast/server") == f"{one.address}:{one.port}"


def test_by_another_card(vm, file):
    """The reserve is there before the connection is."""
    guest = vm(name="cards", nics=2)
    module.load(guest)
    guest.put("/root/write.pl", WRITE.encode())
    guest.run(f"ip link set eth1 up && ip address flush dev eth0 scope global && "
              f"ip address add {guest.address4}/24 dev eth0 && "
              f"ip address add {guest.address6}/64 dev eth1 nodad")
    with serve(file) as one, serve(file, address=servers.net.HOST6) as other, \
            Disk(guest, one) as disk, verifying(disk):
        sizes = "cd /sys/class/net && grep -vx 0 */ballast/size_pages"
        assert guest.run(sizes).output.startswith("eth0")
        assert write(guest, text(other)) == 0
        assert "eth1" in guest.run(sizes).output
        assert disk.file("ballast/interface") == "eth1"
        until(lambda: guest.run(sizes).output.startswith("eth1"), 30, "the first to be empty")
