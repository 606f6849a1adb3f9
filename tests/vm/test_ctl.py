# SPDX-License-Identifier: GPL-2.0
"""ballastctl against the real module: attach, swap, refuse, show, detach."""

import json
import re
import struct
import subprocess

import pytest

from rig import ctl as tool, net
from rig.ctl import run as ctl, uri
from rig.servers import NbdServer, Nbdkit, QemuNbd, free_port
from rig.wait import until

MIB = 1 << 20
SIZE = 64 * MIB
HOSTS = f"""\
{net.HOST4} server4
{net.HOST6} server6
{net.HOST6} server46
{net.HOST4} server46
"""


@pytest.fixture(scope="module")
def guest(module_vm):
    """A guest that has the module where modprobe finds it."""
    guest = module_vm(name="ctl")
    tool.install(guest)
    guest.run("cat >> /etc/hosts", data=HOSTS.encode())
    return guest


@pytest.fixture(autouse=True)
def nothing_left(guest):
    """Each test begins and ends without disks and swaps."""
    assert state(guest) == []
    yield
    try:
        assert state(guest) == []
    finally:
        guest.run("swapoff -a; for disk in /sys/block/ballast*/ballast/detach; do "
                  "[ ! -e $disk ] || echo force > $disk; done")


def state(guest):
    return guest.run("cd /sys/block && ls -d ballast* 2>/dev/null; tail -n +2 /proc/swaps",
                     check=False).output.split()


def attached(server, export="swap", host=None, disk="ballast0", size=SIZE // MIB):
    host = host or server.address
    where = f"[{host}]" if ":" in host else host
    return f'/dev/{disk}: attached to {where}:{server.port}, export "{export}", {size}.0 MiB\n'


def test_loads_the_module(guest):
    guest.run("rmmod ballast")
    with NbdServer({"swap": SIZE}) as server:
        assert ctl(guest, f"attach {uri(server)}") == \
            "the module ballast was loaded\n" + attached(server)
        assert ctl(guest, "detach ballast0") == "ballast0: detached\n"


@pytest.mark.parametrize("name, address", [
    (None, net.HOST4), (None, net.HOST6), ("server4", net.HOST4), ("server6", net.HOST6),
], ids=["IPv4", "IPv6", "name of IPv4", "name of IPv6"])
def test_addresses(guest, name, address):
    with NbdServer({"swap": SIZE}, address=address) as server:
        assert ctl(guest, f"attach {uri(server, host=name)}") == attached(server)
        ctl(guest, "detach /dev/ballast0")


def test_each_address_of_a_name(guest):
    """Nothing listens on one of them; the other is tried too, in either order."""
    for address in (net.HOST4, net.HOST6):
        with NbdServer({"swap": SIZE}, address=address) as server:
            said = ctl(guest, f"attach {uri(server, host='server46')}")
            assert said.endswith(attached(server))
            refused = said[:-len(attached(server))]
            assert refused == "" or "Connection refused" in refused
            ctl(guest, "detach ballast0")


def test_odd_export_name(guest):
    with QemuNbd("my swap; é%", SIZE) as server:
        assert ctl(guest, f"attach '{uri(server, 'my%20swap;%20%c3%a9%25')}'") == \
            attached(server, "my swap; é%")
        assert 'export "my swap; é%"' in ctl(guest, "status ballast0")
        ctl(guest, "detach ballast0")


def test_names_of_the_machine(guest):
    """%M is the MAC of the card to the server, over IPv4 and IPv6; %H the host name."""
    mac = guest.run("cat /sys/class/net/eth0/address").output.strip().replace(":", "-")
    name = guest.run("cat /proc/sys/kernel/hostname").output.strip()
    guest.run("echo thin7 > /proc/sys/kernel/hostname")
    for address in (net.HOST4, net.HOST6):
        with NbdServer({f"{mac}/thin7": SIZE}, address=address) as server:
            assert ctl(guest, f"attach {uri(server, '%M%2F%H')}") == \
                attached(server, f"{mac}/thin7")
            ctl(guest, "detach ballast0")
    guest.run(f"echo '{name}' > /proc/sys/kernel/hostname")


def test_server_of_one_client(guest):
    """qemu-nbd without --shared takes a second connection, and never answers it."""
    with QemuNbd("swap", SIZE, shared=1) as server:
        ctl(guest, f"attach {uri(server)}")
        said = ctl(guest, f"attach {uri(server)} connect_timeout=1", status=1)
        assert "still count an old connection: qemu-nbd needs --shared=N" in said
        ctl(guest, "detach ballast0")


def test_report(guest):
    """Of a real kernel's files: whole, and without the server's address."""
    with NbdServer({"alices": SIZE}) as server:
        ctl(guest, f"attach {uri(server, 'alices')}")
        ctl(guest, "report /tmp/report.tar.gz")
        text = guest.run("cd /tmp && tar xzf report.tar.gz && cd ballast-report && cat kernel-log "
                         "status list.json && head -3 zoneinfo meminfo sockstat kernel-config && "
                         "! grep -rE '192\\.0\\.2\\.|alices' . && rm -r /tmp/report* /tmp/ballast-*"
                         ).output
        ctl(guest, "detach ballast0")
    assert re.search(r"ballast0: attached to IPV4-\d+:\d+, export \"EXPORT-\d+\"", text)
    for part in ("Node 0, zone", "MemTotal:", "sockets: used", "Automatically generated",
                 "ballast0: live"):
        assert part in text


def test_indices_and_options(guest):
    with Nbdkit("memory", str(SIZE)) as server:
        ctl(guest, f"attach {uri(server, '')} connections=4 queue_depth=16")
        said = ctl(guest, f"attach {uri(server, '')} index=7 readonly")
        assert said.startswith("/dev/ballast7: ") and said.endswith(" MiB, read-only\n")
        assert ctl(guest, f"attach {uri(server, '')} filter=off").startswith("/dev/ballast1: ")
        said = ctl(guest, f"attach {uri(server, '')} index=7", status=1)
        assert ": the kernel says: attach: index=7: is in use" in said and "busy)\n" in said
        disks = {disk["name"]: disk for disk in json.loads(ctl(guest, "status --json"))["disks"]}
        assert set(disks) == {"ballast0", "ballast1", "ballast7"}
        assert disks["ballast0"]["connections"] == 4 and disks["ballast7"]["readonly"]
        assert guest.run("cat /sys/block/ballast0/mq/*/nr_tags").output.split()[0] == "16"
        for disk in disks:
            ctl(guest, f"detach {disk}")


@pytest.mark.parametrize("where, export, names", [
    ("server4", "nothing", [": the kernel says: ", "no such export", "(No such file"]),
    ("closed", "swap", [": the kernel says: ", "(Connection refused)"]),
    ("192.0.2.250", "swap", ["No route to host"]),
    ("no-such-host.invalid", "swap", ["no-such-host.invalid: "]),
])
def test_attach_that_fails(guest, where, export, names):
    with NbdServer({"swap": SIZE}) as server:
        port = server.port
        if where == "closed":
            where, port = net.HOST4, free_port(net.HOST4)
        said = ctl(guest, f"attach nbd://{where}:{port}/{export}", status=1)
        assert said.startswith("ballastctl attach: ") and said.count("\n") == 1
        for name in names:
            assert name in said


def test_bad_arguments_reach_nobody(guest):
    """Not even the server: it would say so in its log."""
    with NbdServer({"swap": SIZE}) as server:
        before = server.log
        lines = guest.run("dmesg | wc -l").output
        for bad in ("color=red", "index=x", "--swap --priority high", "deadline=-1",
                    "allow=22", "readonly=1"):
            said = ctl(guest, f"attach {uri(server)} {bad}", status=2)
            assert said.count("\n") == 1 and bad.split()[-1] in said
        assert server.log == before
        assert guest.run("dmesg | wc -l").output == lines


def test_blank_disk_becomes_a_swap(guest):
    with NbdServer({"swap": SIZE}) as server:
        first, second, third = ctl(guest, f"attach {uri(server)} --swap --priority 7").splitlines()
        assert first + "\n" == attached(server)
        assert second == "/dev/ballast0: was blank, ran mkswap"
        assert third == "/dev/ballast0: swap is on, 64.0 MiB, priority 7"
        assert guest.run("swapon --noheadings --raw").output.split()[0] == "/dev/ballast0"
        uuid = guest.run("blkid -p -o value -s UUID /dev/ballast0").output
        status = json.loads(ctl(guest, "status --json ballast0"))["disks"][0]
        assert status["swap"]["priority"] == 7
        assert ctl(guest, "list").splitlines()[1].split()[:5] == \
            ["ballast0", "live", "64.0", "0", "0.0"]

        said = ctl(guest, f"attach {uri(server, host='server4')} --swap", status=1)
        assert "is already swapped to, as ballast0\n" in said and said.count("\n") == 1

        said = ctl(guest, "detach ballast0", status=1)
        assert said == ("ballastctl detach: ballast0: is a swap; run swapoff /dev/ballast0 "
                        "first, or detach --swapoff ballast0\n")
        assert ctl(guest, "detach --swapoff ballast0") == \
            "ballast0: swap is off\nballast0: detached\n"

        # Once a swap, always that swap.
        said = ctl(guest, f"attach {uri(server)} --swap")
        assert "/dev/ballast0: is already a swap\n" in said
        assert guest.run("blkid -p -o value -s UUID /dev/ballast0").output == uuid
        ctl(guest, "detach --swapoff ballast0")


def ext4(path):
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "mine", str(path)], check=True)


def partitions(path):
    """A master boot record of one partition, Linux's, 1 to 9 MiB."""
    with open(path, "r+b") as file:
        file.seek(446)
        file.write(struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 2048, 16384))
        file.seek(510)
        file.write(b"\x55\xaa")


def nameless(path):
    with open(path, "r+b") as file:
        file.seek(MIB // 2)
        file.write(b"a user's data")


def nameless_end(path):
    with open(path, "r+b") as file:
        file.seek(SIZE - 100)
        file.write(b"a user's data")


@pytest.mark.parametrize("fill, holds", [
    (ext4, "holds ext4, labeled mine"), (partitions, "holds a partition table (dos)"),
    (nameless, "holds data of an unknown kind"), (nameless_end, "holds data of an unknown kind"),
], ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_no_swap_is_refused(guest, tmp_path, fill, holds):
    path = tmp_path / "export"
    path.write_bytes(b"")
    with open(path, "r+b") as file:
        file.truncate(SIZE)
    fill(path)
    before = path.read_bytes()
    with NbdServer({"swap": path}) as server:
        said = ctl(guest, f"attach {uri(server)} --swap", status=3)
    assert holds in said and "ballast0: detached again" in said
    assert path.read_bytes() == before


def test_read_only_is_no_swap(guest):
    with NbdServer({"swap": SIZE}, options={"readonly": "true"}) as server:
        said = ctl(guest, f"attach {uri(server)} --swap", status=3)
        assert "the export is read-only" in said and "detached again" in said


def test_too_small_for_a_swap(guest):
    """mkswap's own complaint is seen, and nothing stays."""
    with NbdServer({"swap": 8192}) as server:
        said = ctl(guest, f"attach {uri(server)} --swap", status=1)
        assert "mkswap failed" in said and "detached again" in said


def test_detach_of_what_is_used(guest, tmp_path):
    path = tmp_path / "export"
    path.write_bytes(b"")
    with open(path, "r+b") as file:
        file.truncate(SIZE)
    ext4(path)
    with NbdServer({"swap": path}) as server:
        ctl(guest, f"attach {uri(server)}")
        guest.run("mount /dev/ballast0 /mnt")
        said = ctl(guest, "detach ballast0", status=1)
        assert "ballast0: is mounted on /mnt; run umount /mnt first\n" in said
        guest.run("umount /mnt")
        reader = guest.spawn("exec 3< /dev/ballast0; echo open; exec cat")
        reader.wait_output("open")
        holder = guest.spawn("exec 3< /dev/ballast0; echo open; exec sleep infinity")
        holder.wait_output("open")
        said = ctl(guest, "detach ballast0", status=1)
        assert "ballast0: is open" in said and "fuser" in said
        assert ctl(guest, "detach --force ballast0") == "ballast0: detached\n"
        holder.kill()


def test_a_reader_that_leaves(guest):
    """What has it open for a moment only, as udev does, is waited for."""
    with NbdServer({"swap": SIZE}) as server:
        ctl(guest, f"attach {uri(server)}")
        holder = guest.spawn("exec 3< /dev/ballast0; echo open; sleep 1")
        holder.wait_output("open")
        assert ctl(guest, "detach ballast0") == "ballast0: detached\n"


def test_forms_for_programs(guest):
    """status --json and metrics say what sysfs says, all of it."""
    with NbdServer({"swap": SIZE}) as server:
        ctl(guest, f"attach {uri(server)} --swap")
        guest.run("dd if=/dev/ballast0 of=/dev/null bs=1M count=8 iflag=direct")
        whole = json.loads(ctl(guest, "status --json"))
        disk, = whole["disks"]
        assert disk["state"] == "live" and disk["interface"] == "eth0"
        assert disk["size_bytes"] == SIZE and disk["read_bytes"] >= 8 * MIB
        reserve, = whole["reserves"]
        there = set(guest.run("ls /sys/class/net/eth0/ballast").output.split())
        assert set(reserve) - {"name"} == there - {"estimate"}
        assert whole["memory"]["min_pages"] > 0

        guest.run("echo eth0 > /sys/class/ballast/guard")
        assert json.loads(ctl(guest, "status --json"))["guarded"] == ["eth0"]
        guest.run("echo -eth0 > /sys/class/ballast/guard")

        metrics = ctl(guest, "metrics")
        sample = r'ballast_[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? \d+(\.\d+)?'
        for line in metrics.splitlines():
            assert re.fullmatch(sample, line) or re.match("# (HELP|TYPE) ballast_", line), line
        size = guest.run("cat /sys/class/net/eth0/ballast/size_pages").output
        assert f'ballast_reserve_size_bytes{{interface="eth0"}} {int(size) * 4096}\n' in metrics
        ctl(guest, "detach --swapoff ballast0")


def test_top(guest):
    """Rates of a disk that is read, in lines and on a screen."""
    with NbdServer({"swap": SIZE}) as server:
        ctl(guest, f"attach {uri(server)}")
        reader = guest.spawn("while dd if=/dev/ballast0 of=/dev/null bs=64k iflag=direct; do :; "
                             "done 2>/dev/null")
        moved = "awk '{print $1}' /sys/block/ballast0/stat"
        until(lambda: int(guest.run(moved).output) > 10, 20, "the disk to be read")
        said = ctl(guest, "top -n 3 -d 0.5")
        rates = re.findall(r"disk ballast0 live read (\d+)/s ([\d.]+) MiB/s write 0/s 0.00 MiB/s "
                           r"latency ([\d.]+) ms inflight \d+\n", said)
        assert len(rates) == 3
        for requests, mib, latency in rates:
            # As large as the reads are, and no longer than what was looked at.
            assert 0.9 < float(mib) * 16 / int(requests) < 1.1
            assert 0 < float(latency) < 500
        memory = r"memory free [\d.]+ min [\d.]+ low [\d.]+ high [\d.]+ MiB \["
        assert len(re.findall(memory, said)) == 3
        assert len(re.findall("reserve eth0 calm size [1-9]", said)) == 3

        screen = guest.run("stty cols 80 rows 24 2>/dev/null; TERM=xterm script -qec "
                           "'ballastctl top -n 1 -d 0.2' /dev/null < /dev/null").output
        assert "\x1b[H" in screen and "INFLIGHT" in screen
        assert re.search(r"eth0 +calm +[1-9]", screen)
        assert re.search(r"ballast0 +live +\d+ +[\d.]+ +0 +0.00", screen)
        assert screen.rstrip().endswith("\x1b[?25h"), "the cursor is back"
        reader.kill()

        # A disk that goes and comes: top goes on, and sees it.
        top = guest.spawn("exec ballastctl top -d 0.1")
        top.wait_output("disk ballast0")
        until(lambda: state(guest) == ["ballast0"], 5, "the disk to be idle")
        ctl(guest, "detach ballast0")
        seen = top.output.count("memory free")
        until(lambda: top.output.count("memory free") > seen + 2, 10, "top to go on")
        ctl(guest, f"attach {uri(server)} index=3")
        top.wait_output("disk ballast3")
        top.kill()
        ctl(guest, "detach ballast3")


def test_top_is_locked(guest):
    top = guest.spawn("exec ballastctl top -d 0.1")
    top.wait_output("memory")
    locked = guest.run("grep -h VmLck /proc/$(pidof ballastctl)/status").output
    assert int(locked.split()[1]) > 500
    top.kill()
