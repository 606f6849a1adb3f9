# SPDX-License-Identifier: GPL-2.0
"""The reserve of an interface: its size, its files, and changes of the interface.

What it does when memory is gone is in tests/storm; what the filter drops in test_ingress.py.
"""

import os
import re
from contextlib import ExitStack
from errno import EEXIST, EINVAL, ENODEV, EPERM, errorcode
from pathlib import Path

import pytest

from rig import host, limits, module
from rig.disk import Disk
from rig.wait import until

RESERVE = "/sys/class/net/eth0/ballast"
GUARD = "/sys/class/ballast/guard"
NOT_ADMIN = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin"
PAGE = 4096
MIB = 1 << 20


@pytest.fixture
def guest(shared_vm):
    yield shared_vm
    shared_vm.run("ip link set eth0 up; for disk in /sys/block/ballast*; do "
                  "[ ! -e $disk ] || echo force > $disk/ballast/detach; done")


def value(guest, name):
    return guest.run(f"cat {RESERVE}/{name}").output.strip()


def pages(guest):
    """(size, available, lent), which must add up."""
    size, available, lent = map(int, guest.run(
        f"cd {RESERVE} && cat size_pages available_pages lent_pages").output.split())
    assert size == available + lent
    return size, available, lent


def write(guest, path, text, prefix=""):
    """The errno of a write, 0 if it went well, and what the log said."""
    said = guest.run(f"""dmesg -C; {prefix} perl -e 'open F, ">", "{path}" or exit $! + 0;
        defined(syswrite F, "{text}") or exit $! + 0'; echo "status=$?"; dmesg -t""").output
    status, log = re.search(r"status=(\d+)\n(.*)", said, re.S).groups()
    return int(status), log


def test_lending_begins_at_the_size_of_the_ring(vm, server):
    """A ring of 1,024 places, on a machine with the memory for some of it; 256 is the least."""
    guest = vm(nic="e1000", memory=1024)
    module.load(guest)

    def room():
        zones = guest.run("awk '/^ +min /{min += $2} /^ +low /{low += $2} END {print min, low}' "
                          "/proc/zoneinfo").output
        least, low = map(int, zones.split())
        return (low - least * 3 / 8) * 2 / 3

    def lends(ring):
        return abs(int(value(guest, "lend_below")) - min(ring, max(256, room()))) <= 2

    guest.run("ethtool -G eth0 rx 1024")
    with Disk(guest, server):
        assert lends(1024) and int(value(guest, "lend_below")) > 256
        # What changes while a disk is attached is seen within ten seconds.
        guest.run("ethtool -G eth0 rx 256")
        until(lambda: lends(256), 30, "a mark for the smaller ring")
        before = room()
        guest.run("ethtool -G eth0 rx 1024; sysctl -q vm.min_free_kbytes=3000")
        assert room() < before
        until(lambda: lends(1024), 30, "a mark for the larger ring and the lower watermarks")


def test_every_file_is_there_and_described(guest, server):
    described = set(re.findall(r"IFACE/ballast/(\w+)\n",
                               (host.REPO / "docs" / "sysfs.md").read_text()))
    with Disk(guest, server):
        assert set(guest.run(f"ls {RESERVE}").output.split()) == described
        # One value a file.
        for name in described - {"estimate"}:
            form = "calm|tight|critical" if name == "grade" else r"\d+"
            assert re.fullmatch(form, value(guest, name)), name


def test_size_follows_what_can_be_in_flight(guest, server):
    sizes = {}
    # Not more than a 64th of memory, which two connections of the default depth would be over.
    for options in ({}, {"queue_depth": 32}, {"queue_depth": 1},
                    {"queue_depth": 32, "connections": 2}, {"queue_depth": 64, "connections": 2}):
        with Disk(guest, server, **options):
            sizes[tuple(options.items())] = pages(guest)[0]
            text = value(guest, "estimate")
            assert f": {pages(guest)[0]} pages" in text, text
    print(sizes)
    default = sizes[()]
    assert 0 < default < 8 * MIB // PAGE
    assert sizes[(("queue_depth", 32),)] == pytest.approx(default / 4, rel=0.05)
    assert sizes[(("queue_depth", 32), ("connections", 2))] == pytest.approx(default / 2, rel=0.05)
    assert sizes[(("queue_depth", 64), ("connections", 2))] == pytest.approx(default, rel=0.05)
    # Never under the 50 packets of the 2005 design, of half a page each.
    assert sizes[(("queue_depth", 1),)] >= 25


def test_small_machine_keeps_its_memory(vm, suite, server):
    if suite == "debug":
        pytest.skip("the debug kernel does not boot in 128 MiB")
    guest = vm(memory=128)
    module.load(guest)
    with Disk(guest, server):
        size = pages(guest)[0]
        print(f"{size} pages of {guest.run('grep MemTotal /proc/meminfo').output}")
        assert 0 < size < 2 * MIB // PAGE


def test_two_disks_share_one_reserve(guest, server):
    with Disk(guest, server, queue_depth=32):
        alone = pages(guest)[0]
        with Disk(guest, server, index=1, queue_depth=32):
            assert pages(guest)[0] == pytest.approx(alone * 2, rel=0.05)
        assert pages(guest)[0] == alone
    guest.run(f"! ls -d {RESERVE}")


def test_the_size_of_one_disk_takes_nothing_from_another(guest, server):
    with Disk(guest, server):
        auto = pages(guest)[0]
        for size in (0, 10):
            with Disk(guest, server, index=1, queue_depth=1, reserve=size):
                assert auto <= pages(guest)[0] < auto * 1.1
        with Disk(guest, server, index=1, reserve=2 * auto):
            assert pages(guest)[0] == 2 * auto
        assert pages(guest)[0] == auto
    with Disk(guest, server, reserve=0), Disk(guest, server, index=1, reserve=64):
        assert pages(guest)[0] == 64


def test_more_ports_than_the_filter_knows(guest, server):
    guest.run("dmesg -C")
    with ExitStack() as disks:
        for index in range(5):
            assert "the filter lets no packet" not in guest.run("dmesg").output
            ports = ",".join(f"tcp:{100 * index + n}" for n in range(1, limits.MAX_ALLOW + 1))
            disks.enter_context(Disk(guest, server, index=index, allow=ports))
        said = guest.run("dmesg -t").output
        assert said.count("allow=: disks and guards name more than 64 ports") == 1, said


BAD = [
    ("size_pages", "-1", EINVAL, "size_pages=-1: is neither a number of pages nor auto"),
    ("size_pages", "many", EINVAL, "size_pages=many: is neither"),
    ("size_pages", "", 0, ""),  # no bytes: no write
    ("size_pages", "40000", EINVAL, r"size_pages=40000: is over \d+ pages, a tenth of memory"),
    ("packet_limit", "0", EINVAL,
     f"packet_limit=0: is neither a number from 1 to {limits.MAX_PACKETS}"),
    ("packet_limit", str(limits.MAX_PACKETS + 1), EINVAL,
     f"packet_limit={limits.MAX_PACKETS + 1}: is neither"),
    ("packet_limit", "x", EINVAL, "packet_limit=x: is neither"),
    ("lend_below", "-5", EINVAL, "lend_below=-5: is neither a number of pages nor auto"),
    ("lend_below", "10000000", EINVAL, r"lend_below=10000000: the machine has only \d+ pages"),
]


@pytest.mark.parametrize("name, text, errno, why", BAD)
def test_bad_value(guest, server, name, text, errno, why):
    with Disk(guest, server):
        before = guest.run(f"cd {RESERVE} && cat size_pages packet_limit lend_below").output
        status, log = write(guest, f"{RESERVE}/{name}", text)
        assert errorcode.get(status, 0) == errorcode.get(errno, 0), log
        assert re.search(f"ballast: eth0: {why}" if why else "", log), log
        assert guest.run(f"cd {RESERVE} && cat size_pages packet_limit lend_below").output == before


@pytest.mark.skipif(int(os.environ.get("BALLAST_ROUNDS", "1")) < 2,
                    reason="takes most of this machine's memory: BALLAST_ROUNDS=2")
def test_more_than_the_kernel_can_keep_an_array_of(vm, suite, server):
    """A tenth of memory is more pages than one allocation of 4 MiB has pointers, from 20 GiB on."""
    if suite == "debug":
        pytest.skip("KASAN's shadow of so much memory does not fit into this machine")
    memory = 21 * 1024
    host_kib = int(re.search(r"MemTotal: +(\d+)", Path("/proc/meminfo").read_text())[1])
    if host_kib // 1024 < memory + 512:
        pytest.skip(f"a guest of {memory} MiB, most of it untouched, needs as much memory")
    guest = vm(memory=memory)
    module.load(guest)
    most = (4 * MIB) // 8
    assert int(guest.run("awk '/MemTotal/ {print int($2 / 40)}' /proc/meminfo").output) > most
    with Disk(guest, server):
        before = pages(guest)
        status, log = write(guest, f"{RESERVE}/size_pages", most + 1)
        assert errorcode.get(status) == "EINVAL", log
        assert (f"ballast: eth0: size_pages={most + 1}: is over {most} pages, "
                "the most that a reserve can have") in log
        assert "WARNING" not in log
        assert pages(guest) == before
        status, log = write(guest, GUARD, f"eth0 reserve={most + 1}")
        assert errorcode.get(status) == "EINVAL" and f"is over {most} pages" in log, log
    status, log = write(guest, "/sys/class/ballast/attach",
                        f"server={server.address}:{server.port} reserve={most + 1}")
    assert errorcode.get(status) == "EINVAL" and f"is over {most} pages" in log, log
    assert "WARNING" not in guest.run("dmesg").output


def test_refusal_while_the_interface_is_renamed(vm, server):
    """The log has the old name or the new one. KASAN (--suite debug) sees the old one read late."""
    guest = vm(nics=2)
    module.load(guest)
    with Disk(guest, server):
        said = guest.run("""
            ip link set eth1 down
            dmesg -C
            exec 3> /sys/class/net/eth1/ballast/size_pages
            while :; do ip link set eth1 name nic1; ip link set nic1 name eth1; done & renames=$!
            for i in $(seq 1000); do echo x >&3; done 2>/dev/null
            kill $renames
            dmesg -t""", timeout=120).output
    names = re.findall("ballast: (.*): size_pages=x: is neither", said)
    assert len(names) == 1000 and set(names) <= {"eth1", "nic1"}, set(names)
    assert "BUG" not in said


def test_only_an_administrator_writes(guest, server):
    with Disk(guest, server):
        for name in ("size_pages", "packet_limit", "lend_below"):
            status, log = write(guest, f"{RESERVE}/{name}", "auto", NOT_ADMIN)
            assert status == EPERM and f"ballast: eth0: {name}: needs CAP_NET_ADMIN" in log


def test_good_values(guest, server):
    with Disk(guest, server):
        auto = pages(guest)[0]
        for text, size in (("0", 0), ("1000", 1000), ("100", 100), ("auto", auto)):
            assert write(guest, f"{RESERVE}/size_pages", text) == (0, "")
            assert pages(guest) == (size, size, 0)
        assert write(guest, f"{RESERVE}/packet_limit", "100") == (0, "")
        assert value(guest, "packet_limit") == "100"
        assert 50 <= pages(guest)[0] <= 80
        assert write(guest, f"{RESERVE}/packet_limit", "auto") == (0, "")
        assert pages(guest)[0] == auto
        assert write(guest, f"{RESERVE}/lend_below", "512") == (0, "")
        assert value(guest, "lend_below") == "512"
        assert write(guest, f"{RESERVE}/lend_below", "auto") == (0, "")
    with Disk(guest, server, reserve=1234):
        assert pages(guest)[0] == 1234
    with Disk(guest, server, reserve=0):
        assert pages(guest) == (0, 0, 0)


def free_pages(guest):
    return int(guest.run("awk '/MemFree/ {print int($2 / 4)}' /proc/meminfo").output)


def test_a_full_page_cache_is_no_obstacle(guest, server):
    """Memory that is free only after kswapd's work: the everyday state of a machine."""
    guest.run("dd if=/dev/zero of=/root/cache bs=1M count=400 status=none; sync; "
              "cat /root/cache > /dev/null", timeout=120)
    total = int(guest.run("awk '/MemTotal/ {print int($2 / 4)}' /proc/meminfo").output)
    first, then = total * 7 // 100, total * 98 // 1000
    try:
        with Disk(guest, server, reserve=first):
            assert pages(guest) == (first, first, 0)
            guest.run("cat /root/cache > /dev/null", timeout=120)
            before = free_pages(guest)
            assert write(guest, f"{RESERVE}/size_pages", then) == (0, ""), f"{before} free"
    finally:
        guest.run("rm /root/cache")


def test_what_takes_reclaim_is_refused(vm, server):
    """Memory that can't be written out, since there is no swap yet.

    Large enough that a tenth of it is more than what kswapd can free of page cache.
    """
    guest = vm(memory=512)
    module.load(guest)
    most = int(guest.run("awk '/MemTotal/ {print int($2 / 40)}' /proc/meminfo").output) - 100
    with Disk(guest, server, index=1):
        before = pages(guest)
        guest.run("sync; echo 3 > /proc/sys/vm/drop_caches; mount -t tmpfs -o size=100% tmpfs /mnt")
        # What was dropped is free now, or soon.
        while (more := free_pages(guest) // 256 - 20) > 0:
            guest.run(f"dd if=/dev/zero bs=1M count={more} status=none >> /mnt/hog")
        status, log = write(guest, f"{RESERVE}/size_pages", most)
        assert errorcode.get(status) == "ENOMEM", f"{free_pages(guest)} pages are free"
        assert (f"eth0: size_pages={most}: not enough free memory without reclaim; "
                "write a smaller number") in log, log
        assert pages(guest)[0] == before[0]
        guest.run(f"echo 0 > {RESERVE}/size_pages && echo auto > {RESERVE}/size_pages")
    status, log = write(guest, "/sys/class/ballast/attach",
                        f"server={server.address}:{server.port} reserve={most}")
    assert errorcode.get(status) == "ENOMEM" and "reserve: not enough free memory; free some" in log
    guest.run(f"! ls -d {RESERVE} /sys/block/ballast*")
    guest.run("umount /mnt")
    guest.run(f"echo server={server.address}:{server.port} reserve={most} > "
              "/sys/class/ballast/attach && echo 1 > /sys/block/ballast0/ballast/detach")


def test_resizing_while_lent_loses_no_page(guest, server):
    """Blocks are lent and wanted back while the size changes; all of it many times over."""
    with Disk(guest, server) as disk:
        load = guest.spawn(f"while dd if={disk.path} of=/dev/null bs=64k count=100 iflag=direct "
                           "status=none; do :; done")
        said = guest.run(f"""cd {RESERVE}
            memory=$(awk '/MemTotal/ {{print int($2 / 4)}}' /proc/meminfo)
            before=$(awk '/MemFree/ {{print $2}}' /proc/meminfo)
            for round in $(seq 60); do
                echo $memory > lend_below
                for size in 3000 100 0 2000 auto; do echo $size > size_pages; done
                echo 0 > lend_below
                echo 2000 > size_pages
            done
            echo auto > lend_below; echo auto > size_pages
            echo lent $(cat lends) refilled $(cat refills)
            echo $(($before - $(awk '/MemFree/ {{print $2}}' /proc/meminfo)))""",
                         timeout=120).output
        load.kill()
        print(said)
        lends, gone = re.search(r"lent (\d+) .*\n(-?\d+)\s*$", said).groups()
        assert int(lends) > 1000
        # 60 rounds of 2,000 pages would be 480 MB, in a machine of 256.
        assert int(gone) < 20000, f"{gone} KiB are gone"
        until(lambda: pages(guest)[2] == 0, 20, "all blocks to be back")


def test_guard(guest):
    assert guest.run(f"cat {GUARD}").output == ""
    for text, errno, why in (
            ("nosuch0", ENODEV, "guard: nosuch0: no such interface"),
            ("lo", EINVAL, "guard: lo: cannot guard a loopback interface: the server is on this "
             "machine and needs memory itself"),
            ("-eth0", ENODEV, "guard: eth0: is not guarded"),
            ("an-interface-with-a-long-name", EINVAL,
             'guard: "an-interface-with-a-long-name" is not the name of an interface'),
            ("\\n", EINVAL, 'guard: "" is not the name of an interface')):
        status, log = write(guest, GUARD, text)
        assert errorcode[status] == errorcode[errno] and why in log, (text, log)
    status, log = write(guest, GUARD, "eth0", NOT_ADMIN)
    assert status == EPERM and "ballast: guard: needs CAP_NET_ADMIN" in log
    guest.run(f"! ls -d {RESERVE}")

    assert write(guest, GUARD, "eth0\\n") == (0, "")
    assert guest.run(f"cat {GUARD}").output == "eth0\n"
    assert pages(guest)[0] > 0
    status, log = write(guest, GUARD, "eth0")
    assert status == EEXIST and "guard: eth0: is guarded already" in log
    # Options replace it, also by the default.
    for options, listed in (" reserve=64", "eth0 reserve=64\n"), (" reserve=auto", "eth0\n"):
        assert write(guest, GUARD, f"eth0{options}") == (0, "")
        assert guest.run(f"cat {GUARD}").output == listed
    assert write(guest, GUARD, "-eth0\\n") == (0, "")
    assert guest.run(f"cat {GUARD}").output == ""
    guest.run(f"! ls -d {RESERVE}")


def test_guard_of_an_interface_that_is_renamed(guest):
    """It goes by the name that the interface has now."""
    def rename(old, new):
        guest.run(f"ip link set {old} down && ip link set {old} name {new} && "
                  f"ip link set {new} up")

    guest.run("ip link add other type dummy")
    assert write(guest, GUARD, "eth0 reserve=64") == (0, "")
    rename("eth0", "wan")
    try:
        rename("other", "eth0")
        assert guest.run(f"cat {GUARD}").output == "wan reserve=64\n"
        status, log = write(guest, GUARD, "-eth0")
        assert status == ENODEV and "guard: eth0: is not guarded" in log
        status, log = write(guest, GUARD, "wan")
        assert status == EEXIST and "guard: wan: is guarded already" in log
        assert write(guest, GUARD, "wan reserve=65") == (0, "")
        assert guest.run(f"cat {GUARD}; cat /sys/class/net/wan/ballast/size_pages").output == \
            "wan reserve=65\n65\n"
        assert write(guest, GUARD, "-wan") == (0, "")
        assert guest.run(f"cat {GUARD}; ls -d /sys/class/net/*/ballast", check=False).output == \
            "ls: cannot access '/sys/class/net/*/ballast': No such file or directory\n"
    finally:
        guest.run("ip link delete eth0; ip link delete other", check=False)
        rename("wan", "eth0")


def test_guard_of_a_card_that_is_removed(vm):
    """The filters of the other cards end with it, before somebody lists the guards."""
    guest = vm(nics=2)
    module.load(guest)
    guest.run(f"echo eth1 > {GUARD}; ls -d {RESERVE} && "
              "echo 1 > $(readlink -f /sys/class/net/eth1/device)/../remove")
    until(lambda: guest.run(f"ls -d {RESERVE}", check=False).status, 30, "the filters to end")
    guest.run(f"! grep . {GUARD}; rmmod ballast")


def test_guard_of_a_namespace_that_is_gone(guest):
    """Its processes could end it, and there are none."""
    def guard(text):
        return guest.run(f"nsenter --net=/run/netns/box sh -c 'echo {text} > {GUARD}' || "
                         "{ dmesg | tail -3; exit 1; }")

    # The kernel may put each of these namespaces where the one before it was.
    for _ in range(5):
        guest.run("ip netns add box && ip link add inner netns box type veth peer name outer && "
                  "ip -n box link set inner up && ip link set outer up")
        guard("inner")
        guest.run(f"ls -d {RESERVE} && ip netns delete box")
        until(lambda: guest.run(f"ls -d {RESERVE}", check=False).status, 30, "the guard to end")
    # One that is still there is ended by the unload.
    guest.run("ip netns add box && ip link add inner netns box type veth peer name outer")
    guard("inner")
    guest.run(f"ls -d {RESERVE} && rmmod ballast && ! ls -d {RESERVE}; ip netns delete box")
    module.load(guest)


def test_a_server_on_this_machine_is_warned_of(guest, server):
    relay = guest.spawn(f"exec socat TCP-LISTEN:10809,bind=127.0.0.1,fork,reuseaddr "
                        f"TCP:{server.address}:{server.port}")
    until(lambda: ":2A39 " in guest.run("cat /proc/net/tcp").output, 20, "socat to listen")
    status, log = write(guest, "/sys/class/ballast/attach", "server=127.0.0.1:10809")
    assert status == 0
    assert "the server is on this machine" in log and "lock up" in log, log
    guest.run("! ls -d /sys/class/net/*/ballast; echo 1 > /sys/block/ballast0/ballast/detach")
    relay.kill()


def read(guest, disk):
    guest.run(f"dd if={disk.path} of=/dev/null bs=64k count=10 iflag=direct status=none")


def test_mtu(vm, server):
    """Its blocks are of the order that a packet of the new MTU needs."""
    guest = vm(mtu=9000)
    module.load(guest)
    guest.run("ip link set eth0 mtu 1500")
    with Disk(guest, server) as disk:
        small = pages(guest)
        assert "(order 0)" in value(guest, "estimate")
        guest.run("ip link set eth0 mtu 9000")
        large = pages(guest)
        text = value(guest, "estimate")
        print(f"1500: {small}, 9000: {large}: {text}")
        assert "(order 2)" in text and large[0] % 4 == 0 and large[2] == 0
        assert 256 <= int(value(guest, "lend_below")) < 1024
        read(guest, disk)
        guest.run("ip link set eth0 mtu 1500")
        assert pages(guest) == small
        read(guest, disk)


def test_interface_down_up_and_renamed(guest, server):
    with Disk(guest, server) as disk:
        before = pages(guest)
        guest.run("ip link set eth0 down")
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct skip=7 "
                             "status=none")
        until(lambda: disk.file("ballast/inflight") == "1", 10, "a request to wait")
        guest.run("ip link set eth0 up")
        assert reader.wait(60) == 0
        assert pages(guest) == before
        guest.run("ip link set eth0 down && ip link set eth0 name wan && ip link set wan up")
        try:
            assert guest.run("ls -d /sys/class/net/*/ballast").output == \
                "/sys/class/net/wan/ballast\n"
            read(guest, disk)
            assert disk.file("ballast/interface") == "wan"
        finally:
            guest.run("ip link set wan down && ip link set wan name eth0 && ip link set eth0 up")


@pytest.mark.console_ok("connection 0 to")
def test_interface_goes_into_another_namespace_and_back(guest, server):
    with Disk(guest, server) as disk:
        guest.run("ip netns add away && ip link set eth0 netns away")
        guest.run("! ls -d /sys/class/net/*/ballast")
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct skip=9 "
                             "status=none")
        until(lambda: disk.file("ballast/inflight") == "1", 10, "a request to wait")
        guest.run(f"ip netns exec away ip link set eth0 netns 1 && ip netns delete away && "
                  f"ip address add {guest.address4}/24 dev eth0 && ip link set eth0 up")
        assert reader.wait(90) == 0
        # Found again, with the connection or by its next one.
        until(lambda: guest.run(f"ls -d {RESERVE}", check=False).status == 0, 30,
              "the reserve to be back")
    guest.run(f"! ls -d {RESERVE}; ip address add {guest.address6}/64 dev eth0 nodad")


def test_card_removed_and_put_back(vm, server):
    guest = vm()
    module.load(guest)
    with Disk(guest, server) as disk:
        # As the hot plug driver does it, which not each of these kernels has.
        guest.run("echo 1 > $(readlink -f /sys/class/net/eth0/device)/../remove && "
                  "! ls -d /sys/class/net/eth0")
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct skip=9 "
                             "status=none")
        until(lambda: disk.file("ballast/inflight") == "1", 10, "a request to wait")
        guest.run("echo 1 > /sys/bus/pci/rescan")
        until(lambda: guest.run("ls -d /sys/class/net/eth0", check=False).status == 0, 30,
              "the interface to come")
        guest.run(f"ip address add {guest.address4}/24 dev eth0 && ip link set eth0 up")
        assert reader.wait(90) == 0
        until(lambda: guest.run(f"ls -d {RESERVE}", check=False).status == 0, 30,
              "the reserve to be back")
    guest.run(f"! ls -d {RESERVE}; rmmod ballast")
