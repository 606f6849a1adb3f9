# SPDX-License-Identifier: GPL-2.0
"""doctor over a made-up tree: each finding, and none where there is nothing to find."""

import json
import re

import pytest

HEALTHY = "All is well.\n"

VMSTAT = """\
allocstall_dma 0
allocstall_dma32 {stalls}
allocstall_normal 0
allocstall_movable 0
pgsteal_kswapd {kswapd}
pgsteal_direct {direct}
pgscan_kswapd {kswapd}
pgscan_direct {direct}
pgscan_direct_throttle 0
"""

SOCKSTAT = """\
sockets: used 30
TCP: inuse 3 orphan 0 tw 0 alloc 4 mem {tcp}
UDP: inuse 1 mem {udp}
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
"""

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.1
        /32 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.11
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
"""

# One of virtio_net's, as Debian 6.1 logged it.
TRACE = """\
stress-ng-vm: page allocation failure: order:{order}, mode:0xa20(GFP_ATOMIC), nodemask=(null),\
cpuset=/,mems_allowed=0
CPU: 0 PID: 156 Comm: stress-ng-vm Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
Call Trace:
 <IRQ>
 dump_stack_lvl+0x44/0x5c
 warn_alloc+0x151/0x170
 __alloc_pages_slowpath.constprop.0+0xd04/0xe70
 ? __netif_receive_skb_list_core+0x29e/0x2c0 [wrong]
 __alloc_pages+0x305/0x330
 skb_page_frag_refill+0x91/0x120
 {caller}
 ? napi_gro_receive+0xcc/0x200
 virtnet_poll+0x3cb/0x4e4{module}
 __napi_poll+0x28/0x160
 </IRQ>
 <TASK>
 asm_common_interrupt+0x22/0x40
RIP: 0010:_raw_spin_unlock_irqrestore+0x19/0x40
 ext4_read+0x60/0x190 [ext4]
 </TASK>
Mem-Info:
active_anon:0 inactive_anon:40000 isolated_anon:0
"""


def kmsg(*traces):
    """As /dev/kmsg has it."""
    lines = [line for trace in traces for line in trace.splitlines()]
    return "".join(f"4,{number},{15_000_000 + number * 100_000},-;{line}\n SUBSYSTEM=x\n"
                   for number, line in enumerate(lines))


@pytest.fixture
def machine(tree):
    """256 MiB, healthy, with a disk on the network that is not in use."""
    tree.write("proc/meminfo", "MemTotal:         225440 kB\nMemFree:          100000 kB\n")
    tree.write("proc/sys/vm/min_free_kbytes", "1844\n")
    tree.write("proc/vmstat", VMSTAT.format(stalls=0, kswapd=100000, direct=0))
    tree.write("proc/net/sockstat", SOCKSTAT.format(tcp=10, udp=1))
    tree.write("proc/sys/net/ipv4/tcp_mem", "2424\t3232\t4848\n")
    tree.write("proc/sys/net/ipv4/udp_mem", "4848\t6464\t9696\n")
    tree.write("proc/net/fib_trie", FIB_TRIE)
    tree.write("proc/net/if_inet6",
               "20010db800000000000000000000000b 02 40 00 80     eth0\n"
               "fe80000000000000000000000000000b 02 40 20 80     eth0\n")
    tree.write("proc/mounts", "/dev/vda / ext4 rw 0 0\n")
    tree.write("dev/kmsg", "6,1,100,-;Linux version 6.1.0-56-cloud-amd64\n")
    card(tree, "eth0", "virtio_net")
    card(tree, "eth1", "e1000e", flags="0x1002")  # down
    return tree


def card(tree, name, driver, flags="0x1003", dropped=0, sent=1000000):
    net = f"sys/class/net/{name}"
    tree.write(f"{net}/flags", f"{flags}\n")
    tree.write(f"{net}/mtu", "1500\n")
    tree.write(f"{net}/queues/rx-0/rps_cpus", "0\n")
    tree.write(f"{net}/statistics/tx_dropped", f"{dropped}\n")
    tree.write(f"{net}/statistics/tx_packets", f"{sent}\n")
    tree.write(f"{net}/device/vendor", "0x1af4\n")
    (tree.root / net / "device/driver").symlink_to(f"../../../bus/virtio/drivers/{driver}")


def ballast_swap(tree, **files):
    """A healthy swap over ballast."""
    tree.disk(**files)
    tree.swap()
    tree.reserve(in_use=0)


def nbd(tree, swap=True, pid=77):
    tree.write("sys/block/nbd0/pid", f"{pid}\n")
    if swap:
        tree.swap("nbd0")


def findings(ctl, *arguments):
    """id -> finding. What people and programs read, and what it exits with, must agree."""
    said = ctl("doctor", "--json", *arguments)
    assert said.err == ""
    whole = json.loads(said.out)
    found = {each["id"]: each for each in whole["findings"]}
    worst = max([{"advice": 1, "serious": 2}[each["severity"]] for each in whole["findings"]],
                default=0)
    assert said.status == worst and whole["healthy"] is not bool(found)
    if not arguments:
        text = ctl("doctor")
        assert text.status == worst
        squeezed = re.sub(r"\s+", " ", text.out)
        for each in whole["findings"]:
            for part in (each["finding"], each["id"], each["figures"], each["why"]):
                assert re.sub(r"\s+", " ", part) in squeezed
            assert each["why"] and each["figures"]
            for line in each["commands"]:
                assert line in text.out
        assert max(map(len, text.out.splitlines())) <= 200
    return found


def only(ctl, name, *arguments):
    found = findings(ctl, *arguments)
    assert list(found) == [name]
    return found[name]


def test_healthy(ctl, machine):
    assert ctl("doctor") == (0, HEALTHY, "")
    ballast_swap(machine)
    before = machine.all()
    assert ctl("doctor") == (0, HEALTHY, "")
    assert findings(ctl) == {}
    assert machine.all() == before


@pytest.mark.parametrize("arguments, named", [
    (["x"], "x"), (["--jsn"], "--jsn"), (["--seconds"], "missing"), (["--seconds", "0"], "0"),
    (["--seconds", "3601"], "3601"), (["--seconds", "1s"], "1s"), (["--seconds=-1"], "-1"),
    (["--seconds="], "--seconds"), (["--json", "eth0\n"], r"eth0\x0a"),
])
def test_bad_arguments(ctl, machine, arguments, named):
    said = ctl("doctor", *arguments)
    assert said.status == 2 and said.out == ""
    assert named in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize("value, memory, name, severity", [
    (512, 225440, "min-free-broken", "serious"),
    (1023, 225440, "min-free-broken", "serious"),
    (16384, 225440, "min-free-waste", "advice"),
    (90112, 128 << 20, "min-free-low", "advice"),
    ((1 << 20) + 1, 40 << 20, "min-free-waste", "advice"),
])
def test_min_free(ctl, machine, value, memory, name, severity):
    machine.write("proc/meminfo", f"MemTotal: {memory} kB\n")
    machine.write("proc/sys/vm/min_free_kbytes", f"{value}\n")
    found = only(ctl, name)
    assert found["severity"] == severity and str(value) in found["finding"]
    assert found["commands"] == ["ballastctl tune min-free-kbytes auto --persist"]


@pytest.mark.parametrize("value, memory", [
    (1024, 65536), (1844, 225440), (67584, 8 << 20), (512 << 10, 128 << 20), (1 << 20, 40 << 20),
])
def test_min_free_in_order(ctl, machine, value, memory):
    machine.write("proc/meminfo", f"MemTotal: {memory} kB\n")
    machine.write("proc/sys/vm/min_free_kbytes", f"{value}\n")
    assert findings(ctl) == {}


def test_zones_are_shown_beside_findings(ctl, machine):
    machine.write("proc/sys/vm/min_free_kbytes", "512\n")
    rows = [line.split() for line in ctl("doctor").out.splitlines()]
    assert ["0", "DMA", "12000", "400", "500", "600"] in rows
    assert ["0", "DMA32", "8000", "3600", "4500", "5400"] in rows
    zones = json.loads(ctl("doctor", "--json").out)["zones"]
    assert [zone["name"] for zone in zones] == ["DMA", "DMA32"]
    assert zones[1] == {"node": 0, "name": "DMA32", "free_kib": 8000, "min_kib": 3600,
                        "low_kib": 4500, "high_kib": 5400, "boost_kib": 0, "managed_kib": 224000}


def test_memory_exhausted(ctl, machine):
    """Under min in all zones of a node, what DMA keeps for others not counted."""
    text = machine.read("proc/zoneinfo").replace("free     2000", "free     899")
    machine.write("proc/zoneinfo", text.replace("free     3000", "free     310"))
    assert "1209 pages are free" in only(ctl, "memory-exhausted")["figures"]


@pytest.mark.parametrize("stalls, direct, is_found", [
    (0, 0, False), (99, 90000, False), (100, 5000, False), (100, 6000, True), (5000, 100000, True),
])
def test_direct_reclaim_since_boot(ctl, machine, stalls, direct, is_found):
    machine.write("proc/vmstat", VMSTAT.format(stalls=stalls, kswapd=100000, direct=direct))
    assert set(findings(ctl)) == ({"direct-reclaim"} if is_found else set())


def test_direct_reclaim_sampled(ctl, machine):
    """What was before does not count."""
    machine.write("proc/vmstat", VMSTAT.format(stalls=5000, kswapd=100000, direct=100000))
    assert findings(ctl, "--seconds", "1") == {}


def test_allocation_failures(ctl, machine):
    virtio = TRACE.format(order=0, caller="try_fill_recv+0x301/0x7f0 [virtio_net]",
                          module=" [virtio_net]")
    builtin = TRACE.format(order=3, caller="foo_alloc_rx+0x10/0x20", module="")
    machine.write("dev/kmsg", kmsg(virtio, builtin, virtio))
    said = ctl("doctor", "--json")
    assert said.status == 1
    first, second = json.loads(said.out)["findings"]
    assert {first["id"], second["id"]} == {"allocation-failure"}
    assert first["finding"] == \
        "page allocations of order 0 failed in try_fill_recv of the driver virtio_net"
    assert first["figures"].startswith("2 in the kernel log, mode 0xa20(GFP_ATOMIC)")
    assert second["finding"] == "page allocations of order 3 failed in foo_alloc_rx"
    assert "8 contiguous pages" in second["why"]
    ballast_swap(machine)
    assert ctl("doctor").status == 2, "serious where swapping hangs on it"


def test_an_allocation_that_may_reclaim_is_none_of_a_driver(ctl, machine):
    """As Linux 7.3 logs it now and then when memory is short, with every disk."""
    trace = TRACE.format(order=0, caller="swap_cluster_alloc_table+0x2b/0x90", module="")
    machine.write("dev/kmsg", kmsg(trace.replace(
        "0xa20(GFP_ATOMIC)", "0xc0de0(GFP_KERNEL|__GFP_HIGH|__GFP_ZERO|__GFP_COMP)")))
    ballast_swap(machine)
    found = only(ctl, "allocation-failure")
    assert found["severity"] == "advice" and "not for a packet" in found["why"]


def test_allocation_failures_cut_short(ctl, machine):
    """The log begins in the middle of one and ends in the next; and nonsense."""
    trace = TRACE.format(order=1, caller="try_fill_recv+0x301/0x7f0 [virtio_net]", module="")
    half = trace.splitlines()
    machine.write("dev/kmsg", kmsg("\n".join(half[5:]), half[0]))
    assert only(ctl, "allocation-failure")["finding"].endswith("in an unknown function")
    machine.write("dev/kmsg", b"\xff\xfe;\n" + b"x" * 20000 + b"\n4,1,2,-;page allocation "
                  b"failure: order:\n4,1,3,-;a: page allocation failure: order:99999999999999\n;")
    assert ctl("doctor").status in (0, 1)


def test_no_kernel_log(ctl, machine):
    (machine.root / "dev/kmsg").unlink()
    said = ctl("doctor")
    assert said.status == 0
    assert said.out == HEALTHY + \
        "Not looked at: the kernel log: /dev/kmsg: No such file or directory\n"
    assert len(json.loads(ctl("doctor", "--json").out)["not_looked_at"]) == 1


@pytest.mark.parametrize("tcp, severity", [(3231, None), (3232, "advice"), (4400, "serious")])
def test_tcp_mem(ctl, machine, tcp, severity):
    machine.write("proc/net/sockstat", SOCKSTAT.format(tcp=tcp, udp=1))
    found = findings(ctl)
    if severity is None:
        assert found == {}
        return
    assert list(found) == ["tcp-mem"] and found["tcp-mem"]["severity"] == severity
    assert any('net.ipv4.tcp_mem="4848 6464 9696"' in line
               for line in found["tcp-mem"]["commands"])


def test_udp_mem(ctl, machine):
    machine.write("proc/net/sockstat", SOCKSTAT.format(tcp=10, udp=9000))
    assert only(ctl, "udp-mem")["severity"] == "serious"


@pytest.mark.parametrize("server", ["192.0.2.11:10809", "127.0.0.1:10809", "127.1.2.3:1",
                                    "[2001:db8::b]:10809", "[::1]:10809", "[::ffff:192.0.2.11]:1",
                                    "[fe80::b%eth0]:10809"])
def test_server_is_this_machine(ctl, machine, server):
    ballast_swap(machine, server=server)
    found = only(ctl, "server-is-this-machine")
    assert found["severity"] == "serious" and found["commands"] == ["swapoff /dev/ballast0"]


@pytest.mark.parametrize("server", ["192.0.2.1:10809", "192.0.2.255:10809", "192.0.2.1:192",
                                    "[2001:db8::1]:10809", "[fe80::a%eth0]:10809",
                                    "[fe80::b%eth1]:10809"])
def test_server_is_another(ctl, machine, server):
    ballast_swap(machine, server=server)
    assert findings(ctl) == {}


def test_server_lost_pages(ctl, machine):
    ballast_swap(machine, verify="refused", verify_errors=7)
    found = only(ctl, "server-lost-pages")
    assert found["severity"] == "serious"
    assert found["commands"] == ["ballastctl detach --force ballast0   # if the data are lost"]
    ballast_swap(machine, verify="off")
    assert findings(ctl) == {}


def test_nbd_without_guard(ctl, machine):
    nbd(machine)
    found = findings(ctl)
    assert list(found) == ["nbd-without-guard", "refill-without-reserves"]
    assert found["nbd-without-guard"]["severity"] == "serious"
    assert found["nbd-without-guard"]["commands"] == \
        ["ballastctl guard eth0 --persist"]
    assert "virtio_net" in found["refill-without-reserves"]["figures"]

    machine.write("sys/class/ballast/guard", "eth0\n")
    machine.reserve(in_use=0)
    assert findings(ctl) == {}


def test_nbd_that_is_no_swap(ctl, machine):
    nbd(machine, swap=False)
    assert only(ctl, "nbd-without-guard")["severity"] == "advice"
    (machine.root / "sys/block/nbd0/pid").unlink()
    machine.write("sys/block/nbd0/size", "0\n")
    assert findings(ctl) == {}


def test_nbd_whose_server_is_this_machine(ctl, machine):
    machine.write("sys/class/ballast/guard", "eth0\n")
    tcp = ("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
           "timeout inode\n"
           "   0: 0B0200C0:9C40 {peer}:{port:04X} 01 00000000:00000000 00:00000000 00000000     "
           "0        0 4711 1 0 100 0 0 10 0\n")
    nbd(machine)
    machine.write("proc/net/tcp", tcp.format(peer="010200C0", port=10809))
    assert findings(ctl) == {}
    # The client has left, and the port is nbd's.
    machine.write("proc/net/tcp", tcp.format(peer="0100007F", port=10809))
    assert list(findings(ctl)) == ["server-is-this-machine"]
    # Another port, and a client that holds the socket.
    machine.write("proc/net/tcp", tcp.format(peer="0100007F", port=4000))
    assert findings(ctl) == {}
    (machine.root / "proc/77/fd").mkdir(parents=True)
    (machine.root / "proc/77/fd/3").symlink_to("socket:[4711]")
    assert list(findings(ctl)) == ["server-is-this-machine"]


def test_other_disks_on_the_network(ctl, machine):
    """NVMe/TCP, iSCSI and NFS are told from local ones, below partitions and LVM too."""
    block = machine.root / "sys/block"
    machine.write("sys/block/nvme0n1/size", "1\n")
    machine.write("sys/class/nvme/nvme0/transport", "tcp\n")
    machine.write("sys/class/nvme/nvme0/address", "traddr=192.0.2.5,trsvcid=4420\n")
    machine.write("sys/block/nvme1n1/size", "1\n")
    machine.write("sys/class/nvme/nvme1/transport", "pcie\n")
    machine.write("sys/devices/platform/host2/session1/target2:0:0/2:0:0:0/block/sdb/size", "1\n")
    (block / "sdb").symlink_to(
        "../devices/platform/host2/session1/target2:0:0/2:0:0:0/block/sdb")
    machine.write("sys/class/iscsi_connection/connection1:0/address", "192.0.2.6\n")
    machine.write("sys/block/dm-0/slaves/sdb3/size", "1\n")
    machine.write("proc/mounts", "/dev/vda / ext4 rw 0 0\n"
                  "server:/swap /swap nfs4 rw,hard,clientaddr=192.0.2.11,addr=192.0.2.7 0 0\n")

    def swap(line):
        machine.write("proc/swaps", f"Filename Type Size Used Priority\n{line} 1000 0 -2\n")
        found = findings(ctl).get("network-swap-without-guard")
        return found and (found["finding"].split(" is in use")[0], found["figures"])

    assert swap("/dev/vda2 partition") is None
    assert swap("/dev/nvme1n1p2 partition") is None
    assert swap("/swapfile file") is None
    assert swap("/swapper/file file") is None
    assert swap("/dev/nvme0n1p2 partition") == ("nvme0n1 (NVMe/TCP)", "Server: 192.0.2.5.")
    assert swap("/dev/dm-0 partition") == ("sdb (iSCSI)", "Server: 192.0.2.6.")
    assert swap("/swap/file file") == ("/swap/file (NFS)", "Server: 192.0.2.7.")


@pytest.mark.parametrize("pool", ["zbud", "z3fold"])
def test_zswap(ctl, machine, pool):
    """It saves round trips, unless its pool holds few pages."""
    machine.write("sys/module/zswap/parameters/enabled", "Y\n")
    machine.write("sys/module/zswap/parameters/zpool", f"{pool}\n")
    assert findings(ctl) == {}, "no swap on the network"
    ballast_swap(machine)
    assert only(ctl, "zswap-on-top")["commands"] == [
        "modprobe zsmalloc", "echo zsmalloc > /sys/module/zswap/parameters/zpool"]
    machine.write("sys/module/zswap/parameters/zpool", "zsmalloc\n")
    assert findings(ctl) == {}
    machine.write("sys/module/zswap/parameters/zpool", f"{pool}\n")
    machine.write("sys/module/zswap/parameters/enabled", "N\n")
    assert findings(ctl) == {}
    machine.write("sys/module/zswap/parameters/enabled", "Y\n")
    (machine.root / "sys/module/zswap/parameters/zpool").unlink()
    assert findings(ctl) == {}, "a kernel that has no other pool than zsmalloc"


def test_interface_without_a_disk(ctl, machine):
    """Its driver may refill as it likes: it has only a filter."""
    ballast_swap(machine)
    machine.reserve()
    machine.reserve("eth2", size_pages=0, packet_limit=0)
    card(machine, "eth2", "virtio_net", dropped=1000, sent=1000)
    assert findings(ctl) == {}


def test_refill(ctl, machine):
    """Some drivers' refill may use the emergency reserves; a reserve makes up for the others."""
    ballast_swap(machine)
    machine.reserve(size_pages=0)
    found = only(ctl, "refill-without-reserves")
    assert found["commands"] == ["echo auto > /sys/class/net/eth0/ballast/size_pages"]
    driver = machine.root / "sys/class/net/eth0/device/driver"
    for name, plain in (("e1000e", False), ("mlx5_core", True), ("igb", False), ("unheard", False),
                        ("rk_gmac-dwmac", True)):
        driver.unlink()
        driver.symlink_to(f"../drivers/{name}")
        assert bool(findings(ctl)) is plain, name


@pytest.mark.parametrize("dropped, sent, is_found", [
    (9, 100, False), (10, 1000000, False), (100, 1000000, True), (10, 1000, True)])
def test_transmit_drops(ctl, machine, dropped, sent, is_found):
    machine.write("sys/class/net/eth0/statistics/tx_dropped", f"{dropped}\n")
    machine.write("sys/class/net/eth0/statistics/tx_packets", f"{sent}\n")
    assert findings(ctl) == {}, "it carries no disk"
    ballast_swap(machine)
    assert set(findings(ctl)) == ({"transmit-drops"} if is_found else set())


def test_a_program_carries_the_packets(ctl, machine):
    ballast_swap(machine)
    machine.write("sys/block/ballast0/ballast/interface", "tun0\n")
    machine.write("sys/class/net/tun0/flags", "0x1003\n")
    assert findings(ctl) == {}
    machine.write("sys/class/net/tun0/tun_flags", "0x1001\n")
    assert "tun0" in only(ctl, "disk-through-program")["finding"]


@pytest.mark.parametrize("mount, entry", [
    ("nfs4 rw,vers=4.2,proto=tcp,addr=192.0.2.5", "tcp:2049@192.0.2.5"),
    ("nfs rw,vers=3,port=2050,addr=2001:db8::5", "tcp:2050@[2001:db8::5]"),
    ("cifs rw,vers=3.1.1,addr=192.0.2.5,soft", "tcp:445@192.0.2.5"),
])
def test_a_mounted_server_is_allowed(ctl, machine, mount, entry):
    """A file system of another machine needs an entry of allow=."""
    machine.write("proc/mounts", f"192.0.2.5:/ /mnt {mount} 0 0\n")
    assert findings(ctl) == {}, "there is no ballast disk"
    ballast_swap(machine, allow="tcp:22")
    found = only(ctl, "mount-not-allowed")
    assert found["severity"] == "advice" and f"allow={entry} " in found["commands"][0]
    machine.write("sys/block/ballast0/ballast/allow", f"tcp:22\n{entry}\n")
    assert findings(ctl) == {}
    machine.write("sys/block/ballast0/ballast/allow", "")
    machine.write("proc/mounts", f"192.0.2.5:/ / {mount} 0 0\n")
    assert only(ctl, "mount-not-allowed")["severity"] == "serious"


def test_names_that_are_hostile(ctl, machine):
    """They come from a server's or an administrator's hand, and go to a terminal and to JSON."""
    machine.disk(server=b'\x1b[2J"\\\xff')
    machine.write("proc/swaps", b"Filename\n/dev/nbd0\x1b[2J partition 1 1 1\nx\n/ y\n")
    said = ctl("doctor")
    assert "\x1b" not in said.out
    json.loads(ctl("doctor", "--json").out)


def test_nothing_at_all(ctl, tree):
    """A tree with hardly a file: said what was not looked at, and no crash."""
    for path in [*tree.root.rglob("*")]:
        if path.is_file():
            path.unlink()
    said = ctl("doctor")
    assert said.status == 0 and said.out.startswith(HEALTHY)
    for what in ("min_free_kbytes", "zones", "reclaim", "kernel log", "tcp_mem", "udp_mem"):
        assert what in said.out
