# SPDX-License-Identifier: GPL-2.0
"""Attach and detach: an index that is in use, who may, and a disk that is in use."""

import re
from errno import EACCES, EBUSY, ECONNRESET, EINVAL, ENODEV, EPERM

import pytest

from rig import servers
from rig.disk import ATTACH
from rig.scripted import silent
from rig.wait import until
from rig.writer import Guest, text


@pytest.fixture(scope="module")
def server():
    with servers.NbdServer({"good": 1 << 20, "two words": 1 << 20}) as server:
        yield server


@pytest.fixture(scope="module")
def guest(shared_vm, server):
    return Guest(shared_vm, server)


# One index, one disk.

@pytest.fixture
def attached(guest, server):
    guest.attach(text(server, "index=0"))
    yield "/sys/block/ballast0/ballast/detach"
    guest.vm.run("if cd /sys/block/ballast0/ballast; then echo 1 > detach; fi 2>&-")


def test_index_in_use(guest, server, attached):
    guest.refuses(text(server, "index=0"), EBUSY, "attach: index=0: is in use")


def test_second_attach_while_one_is_under_way(guest, server):
    with servers.ScriptedServer(silent) as holder:
        first = guest.vm.spawn(f"exec perl -e 'open A, \">\", \"{ATTACH}\"; syswrite A, "
                               f"\"{text(holder)} index=0\" or exit $! + 0'")
        until(lambda: holder.connections, 10, "the first attach to connect")
        guest.refuses(text(server, "index=0"), EBUSY, "attach: index=0: is in use")
        guest.attach(text(server))
        guest.vm.run("""
            test ! -e /sys/block/ballast0 &&
            dd if=/dev/ballast1 of=/dev/null bs=4k count=1 iflag=direct status=none &&
            echo 1 > /sys/block/ballast1/ballast/detach
        """)
        assert first.running
    assert first.wait(20) == ECONNRESET
    guest.refuses("server=", EINVAL, "")


# Who may.

@pytest.mark.parametrize("path", ["attach", "detach", "move"])
def test_without_cap_sys_admin(guest, server, attached, path):
    drop = "setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin"
    if path == "attach":
        guest.refuses(text(server), EPERM, "attach: needs CAP_SYS_ADMIN", prefix=drop, good=False)
    else:
        result = guest.write("1", path=attached.replace("detach", path), prefix=drop, good=False)
        assert result.errno == EPERM
        assert f"ballast: ballast0: {path}: needs CAP_SYS_ADMIN" in guest.vm.run("dmesg -t").output


@pytest.mark.parametrize("path", ["attach", "detach"])
def test_an_ordinary_user(guest, server, attached, path):
    user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    result = guest.write(text(server) if path == "attach" else "1",
                         path=ATTACH if path == "attach" else attached, prefix=user, good=False)
    assert result.errno == EACCES


def test_usage_is_printed(guest):
    usage = guest.vm.run(f"cat {ATTACH}").output
    assert re.search(r"^server=ADDRESS\[:PORT\]", usage)
    for option in ("export", "index", "connections", "queue_depth", "readonly"):
        assert option in usage


# Detach.

@pytest.mark.parametrize("rubbish", ["\n", "0", "2", "yes", "11", "Force", "1 1"],
                         ids=repr)
def test_detach_takes_no_rubbish(guest, attached, rubbish):
    guest.refuses(rubbish, EINVAL, f"ballast0: detach={rubbish.strip()}: is neither 1 nor force",
                  path=attached)


def test_detach_while_open(guest, attached):
    holder = guest.vm.spawn("exec 3< /dev/ballast0; echo open; exec sleep 100")
    holder.wait_output("open")
    assert guest.write("1", path=attached).errno == EBUSY
    guest.vm.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none")
    holder.kill()
    guest.vm.run("echo 1 > /sys/block/ballast0/ballast/detach")


def test_detach_while_mounted_or_swapped_on(guest, server):
    guest.attach(text(server, "index=0"))
    guest.vm.run("""
        mkswap /dev/ballast0 && swapon /dev/ballast0 || exit 10
        echo 1 > /sys/block/ballast0/ballast/detach && exit 11
        grep -q ballast0 /proc/swaps || exit 12
        swapoff /dev/ballast0
        mkfs.ext4 -q /dev/ballast0 && mount /dev/ballast0 /mnt || exit 13
        echo 1 > /sys/block/ballast0/ballast/detach && exit 14
        umount /mnt
        echo 1 > /sys/block/ballast0/ballast/detach || exit 15
    """)


def test_detach_twice_at_once(guest, server):
    script = """perl -e '
        for (1 .. 4) {
            next if fork;
            open my $file, ">", "/sys/block/ballast0/ballast/detach" or exit 1;
            my $n = syswrite $file, "1";
            syswrite STDOUT, ($n ? "done" : $! + 0) . "\\n";
            exit;
        }
        1 while wait >= 0'"""
    for _ in range(5):
        guest.attach(text(server, "index=0"))
        said = guest.vm.run(script).output.splitlines()
        # The others found it being detached, or there no more.
        assert said.count("done") == 1 and set(said) <= {"done", str(EBUSY), str(ENODEV)}, said


def test_module_stays_while_there_is_a_disk(guest, attached):
    result = guest.vm.run("rmmod ballast", check=False)
    assert result.status and "in use" in result.output
    guest.vm.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none")


def test_module_goes_when_the_attaches_have_failed(guest):
    """The last of them all: nothing that happened here holds it."""
    guest.vm.run("rmmod ballast && insmod /root/ballast.ko")
    guest.refuses("server=", EINVAL, "")
