# SPDX-License-Identifier: GPL-2.0
"""ballastctl doctor and tune on a machine that has what they look for.

Each condition is made for real, found, and cured by the very commands that the
finding names. A driver that drops what it should send is a module, lossy/.
"""

import contextlib
import json
import signal

import pytest

from rig import ctl as tool, host, module
from rig.disk import Disk
from rig.servers import NbdServer
from rig.wait import until

MIN_FREE = "/proc/sys/vm/min_free_kbytes"
CONF = "/etc/sysctl.d/60-ballast.conf"


def prepare(guest):
    tool.install(guest)
    return guest


@pytest.fixture(scope="module")
def guest(module_vm):
    """One that is healthy before and after each test."""
    return prepare(module_vm(name="doctor"))


@pytest.fixture(scope="module")
def server():
    with NbdServer() as server:
        yield server


def doctor(guest, arguments="", timeout=60):
    """id -> finding; and what people read says the same."""
    said = guest.run(f"exec ballastctl doctor --json {arguments}", check=False, timeout=timeout)
    whole = json.loads(said.output)
    found = {each["id"]: each for each in whole["findings"]}
    severities = {each["severity"] for each in whole["findings"]}
    assert said.status == (2 if "serious" in severities else 1 if severities else 0), said.output
    assert whole["not_looked_at"] == [], whole
    if not arguments:
        text = guest.run("exec ballastctl doctor", check=False)
        print(text.output)
        assert text.status == said.status
        assert all(f"[{name}]" in text.output for name in found)
    return found


def healthy(guest):
    said = guest.run("exec ballastctl doctor", check=False)
    assert (said.status, said.output) == (0, "All is well.\n"), said.output


def only(guest, name, severity):
    """The finding, if it is the only one."""
    found = doctor(guest)
    assert list(found) == [name]
    assert found[name]["severity"] == severity
    return found[name]


def cure(guest, finding):
    for command in finding["commands"]:
        guest.run(command)


def min_free(guest):
    return int(guest.run(f"cat {MIN_FREE}").output)


def swap_on(guest, disk):
    guest.run(f"mkswap {disk.path} && swapon {disk.path}")


def test_a_healthy_machine(guest, server):
    healthy(guest)
    with Disk(guest, server, export="swap") as disk:
        healthy(guest)
        swap_on(guest, disk)
        healthy(guest)
        guest.run("swapoff -a")
    said = guest.run("exec ballastctl doctor --seconds 2")
    assert said.output == "All is well.\n"


def test_nobody_may_ask(guest):
    """Without root it says what it could not look at, and changes nothing."""
    said = guest.run("echo 1 > /proc/sys/kernel/dmesg_restrict; "
                     "exec setpriv --reuid 65534 --clear-groups ballastctl doctor", check=False)
    assert said.status == 0, said.output
    assert said.output.splitlines()[0] == "All is well."
    assert "Not looked at: the kernel log: /dev/kmsg:" in said.output
    before = min_free(guest)
    said = guest.run("exec setpriv --reuid 65534 --clear-groups ballastctl tune min-free-kbytes "
                     "4096", check=False)
    assert said.status == 1 and f"Permission denied; it is {before}" in said.output
    assert min_free(guest) == before


@pytest.mark.parametrize("value, name, severity", [
    (512, "min-free-broken", "serious"),
    (16384, "min-free-waste", "advice"),
])
def test_min_free(guest, value, name, severity):
    before = min_free(guest)
    guest.run(f"echo {value} > {MIN_FREE}")
    try:
        found = only(guest, name, severity)
        assert str(value) in found["finding"]
        cure(guest, found)
        healthy(guest)
        assert f"vm.min_free_kbytes = {min_free(guest)}" in guest.run(f"cat {CONF}").output
    finally:
        guest.run(f"echo {before} > {MIN_FREE}; rm -f {CONF}")


def test_zones_are_the_kernels(guest):
    zones = json.loads(guest.run("exec ballastctl doctor --json").output)["zones"]
    for zone in zones:
        assert 0 < zone["min_kib"] <= zone["low_kib"] <= zone["high_kib"] < zone["managed_kib"]
    # The kernel rounds in each zone.
    assert abs(sum(zone["min_kib"] - zone["boost_kib"] for zone in zones) - min_free(guest)) <= 12


UNREAD_TCP = """
import socket, time
server = socket.create_server(("127.0.0.1", 5000))
held = []
for _ in range(32):
    sender = socket.create_connection(("127.0.0.1", 5000))
    held += [sender, server.accept()[0]]
    sender.setblocking(False)
    try:
        while sender.send(bytes(65536)):
            pass
    except BlockingIOError:
        pass
print("full", flush=True)
time.sleep(1000)
"""

UNREAD_UDP = """
import socket, time
held = []
for port in range(5000, 5008):
    unread = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unread.bind(("127.0.0.1", port))
    held.append(unread)
    for _ in range(400):
        unread.sendto(bytes(1400), ("127.0.0.1", port))
print("full", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("protocol, script, limit", [
    ("tcp", UNREAD_TCP, "600 800 1200"), ("udp", UNREAD_UDP, "100 150 250")])
def test_sockets_that_nobody_reads(guest, protocol, script, limit):
    sysctl = f"/proc/sys/net/ipv4/{protocol}_mem"
    before = guest.run(f"cat {sysctl}").output.strip()
    healthy(guest)
    guest.run(f"echo {limit} > {sysctl}")
    hog = guest.spawn("exec python3 -", data=script.encode())
    try:
        hog.wait_output("full")
        found = doctor(guest)
        assert list(found) == [f"{protocol}-mem"]
        print(found[f"{protocol}-mem"]["figures"])
    finally:
        hog.kill()
        guest.run(f"echo {before} > {sysctl}")
    until(lambda: not guest.run("exec ballastctl doctor", check=False).status, 20,
          "the sockets' memory to be free")


CAPTURES = """
import os, socket, time
captures = []
for size in [SIZES]:
    captures.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    captures[-1].bind(("eth0", 3))
    if size:
        captures[-1].setsockopt(socket.SOL_SOCKET, 33, size << 19)    # SO_RCVBUFFORCE
print("pid", os.getpid(), "is ready", flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def captures(guest, sizes):
    """A process with sockets that capture packets, of these MiB; 0: the default. Its pid."""
    job = guest.spawn("exec python3 -", data=CAPTURES.replace("SIZES", sizes).encode())
    try:
        job.wait_output("ready")
        yield job.output.split()[1]
    finally:
        job.kill()


def test_captures(guest, server):
    """Those of a DHCP client have the default buffer."""
    with Disk(guest, server, export="swap") as disk, captures(guest, "0, 0, 0, 1"):
        swap_on(guest, disk)
        healthy(guest)
        with captures(guest, "20") as pid:
            found = only(guest, "capture-buffer", "serious")
            assert f"python3 (pid {pid}) on eth0: 20480 KiB, " in found["figures"]
            assert found["commands"][1].startswith("echo 5120 > ")
            cure(guest, found)
            healthy(guest)
        guest.run("swapoff -a")


@pytest.mark.parametrize("off, name", [
    ("sg off", "scatter-gather-off"),
    ("tso off gso off", "segmentation-off"),
    ("gro off", "gro-off"),
])
def test_offloads(guest, server, off, name):
    guest.run(f"ethtool -K eth0 {off}")
    try:
        healthy(guest)  # as long as no disk hangs on it
        with Disk(guest, server, export="swap"):
            found = only(guest, name, "advice")
            assert found["finding"].startswith("eth0: ")
            cure(guest, found)
            healthy(guest)
    finally:
        guest.run("ethtool -K eth0 sg on tso on gso on gro on")


def test_reserve_against_driver_and_ring(guest, server):
    """virtio_net's refill can't use the emergency reserves; its ring holds 128 pages."""
    size = "/sys/class/net/eth0/ballast/size_pages"
    with Disk(guest, server, export="swap"):
        guest.run(f"echo 0 > {size}")
        cure(guest, only(guest, "refill-without-reserves", "serious"))
        healthy(guest)
        guest.run(f"echo 64 > {size}")
        found = only(guest, "ring-over-reserve", "advice")
        assert "Queues: 1, of 256 packets of 2 KiB each: 128 pages; the reserve has 64" in \
            found["figures"]
        guest.run(found["commands"][0])
        healthy(guest)


def test_driver_that_drops(guest):
    module.load(guest, source=host.REPO / "tests" / "vm" / "lossy", name="lossy")
    guest.run("ip link set lossy0 up && ip address add 198.51.100.1/24 dev lossy0 && "
              "ip neighbor add 198.51.100.2 lladdr 02:00:00:00:00:02 dev lossy0 && "
              "echo lossy0 > /sys/class/ballast/guard")
    try:
        healthy(guest)
        guest.run("ping -q -c 20 -i 0.01 -W 0.01 -s 1200 198.51.100.2", check=False)
        found = doctor(guest)
        assert list(found) == ["linearize-failures", "transmit-drops"]
        assert found["linearize-failures"]["finding"].startswith("lossy0: ")
        assert "tx_linearize_failed: 20 " in found["linearize-failures"]["figures"]
        assert "20 dropped" in found["transmit-drops"]["figures"]
        for finding in found.values():
            cure(guest, finding)
    finally:
        guest.run("echo -lossy0 > /sys/class/ballast/guard; rmmod lossy")
    healthy(guest)


def connect_nbd(guest, host, port):
    guest.run(f"modprobe nbd && nbd-client {host} {port} /dev/nbd0 -N swap -swap && "
              "mkswap /dev/nbd0 && swapon /dev/nbd0")


def disconnect_nbd(guest):
    guest.run("swapoff -a; nbd-client -d /dev/nbd0; echo -eth0 > /sys/class/ballast/guard; "
              "rmmod nbd 2>/dev/null", check=False)
    until(lambda: guest.run("ls /sys/block/nbd0/pid", check=False).status, 20, "nbd to end")


def test_nbd_without_guard(guest, server):
    connect_nbd(guest, server.address, server.port)
    try:
        found = doctor(guest)
        assert list(found) == ["nbd-without-guard", "refill-without-reserves"]
        assert found["nbd-without-guard"]["severity"] == "serious"
        # The package has this directory, for guard --persist.
        guest.run("mkdir -p /etc/ballast")
        cure(guest, found["nbd-without-guard"])
        assert "GUARD=eth0" in guest.run("cat /etc/ballast/guard-eth0.conf").output
        healthy(guest)
    finally:
        disconnect_nbd(guest)
        guest.run("rm -rf /etc/ballast")
    healthy(guest)


@pytest.mark.console_ok("the server is on this machine")
@pytest.mark.parametrize("kind", ["ballast", "nbd"])
def test_server_is_this_machine(guest, server, kind):
    relay = guest.spawn(f"exec socat TCP-LISTEN:10809,bind={guest.address4},fork,reuseaddr "
                        f"TCP:{server.address}:{server.port}")
    until(lambda: ":2A39 " in guest.run("cat /proc/net/tcp").output, 20, "socat to listen")
    try:
        if kind == "nbd":
            guest.run("echo eth0 > /sys/class/ballast/guard")
            connect_nbd(guest, guest.address4, 10809)
        else:
            guest.run(f"echo server={guest.address4} export=swap > /sys/class/ballast/attach && "
                      "mkswap /dev/ballast0 && swapon /dev/ballast0")
        found = only(guest, "server-is-this-machine", "serious")
        cure(guest, found)
        assert guest.run("tail -n +2 /proc/swaps").output == ""
    finally:
        guest.run("swapoff -a; echo force > /sys/block/ballast0/ballast/detach", check=False)
        if kind == "nbd":
            disconnect_nbd(guest)
        relay.kill()
    healthy(guest)


def test_zswap_on_top(vm, server):
    """The cloud kernel has none."""
    guest = prepare(vm(flavour="amd64", memory=512))  # 256 make it reclaim while it boots
    with Disk(guest, server, export="swap") as disk:
        swap_on(guest, disk)
        healthy(guest)
        guest.run("echo Y > /sys/module/zswap/parameters/enabled")
        cure(guest, only(guest, "zswap-on-top", "advice"))
        healthy(guest)
        guest.run("swapoff -a")


def test_allocation_failures_in_the_kernel_log(vm, server):
    guest = prepare(vm())
    trace = ["stress-ng-vm: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC), "
             "nodemask=(null),cpuset=/,mems_allowed=0",
             "Call Trace:", " <IRQ>", " dump_stack_lvl+0x44/0x5c", " warn_alloc+0x151/0x170",
             " __alloc_pages+0x305/0x330", " skb_page_frag_refill+0x91/0x120",
             " try_fill_recv+0x301/0x7f0 [virtio_net]", " </IRQ>", "Mem-Info:"]
    # A record for each write(2).
    script = "".join(f"echo '<4>{line}' > /dev/kmsg\n" for line in trace)
    guest.run(script * 3)
    found = only(guest, "allocation-failure", "advice")
    assert found["finding"].endswith("order 0 failed in try_fill_recv of the driver virtio_net")
    assert found["figures"].startswith("3 in the kernel log, mode 0xa20(GFP_ATOMIC)")
    with Disk(guest, server, export="swap") as disk:
        swap_on(guest, disk)
        only(guest, "allocation-failure", "serious")
        guest.run("swapoff -a")


def test_direct_reclaim(vm, server):
    guest = prepare(vm())
    with Disk(guest, server, export="swap") as disk:
        swap_on(guest, disk)
        hogs = guest.spawn("exec stress-ng --vm 2 --vm-bytes 220M --vm-keep -t 120")
        try:
            until(lambda: int(guest.run("awk '/^pgscan_direct / {print $2}' /proc/vmstat").output)
                  > 1000, 60, "direct reclaim")
            found = doctor(guest, "--seconds 5")
            print(found["direct-reclaim"]["figures"])
            assert "in the last 5 s" in found["direct-reclaim"]["finding"]
        finally:
            hogs.kill()
        found = doctor(guest)
        assert "since boot" in found["direct-reclaim"]["finding"]
        guest.run("swapoff -a", timeout=120)
        assert guest.run("exec ballastctl doctor --seconds 1").output == "All is well.\n"


@pytest.fixture
def default(guest):
    """What vm.min_free_kbytes is, and will be."""
    default = min_free(guest)
    yield default
    guest.run(f"echo {default} > {MIN_FREE}; rm -f {CONF}")


def tune(guest, arguments):
    return guest.run(f"exec ballastctl tune min-free-kbytes {arguments}", check=False)


def test_tune_raises(guest, default):
    said = tune(guest, "8192 --persist")
    assert said.status == 0, said.output
    assert f"is 8192 now, and was {default}: " in said.output
    assert min_free(guest) == 8192
    # As the boot does it.
    guest.run(f"echo 2048 > {MIN_FREE} && sysctl -q -p {CONF}")
    assert min_free(guest) == 8192
    said = tune(guest, "2048")
    assert said.status == 0 and min_free(guest) == 2048


HOG = """
import time
def words(path):
    return open(path).read().split()
def free():
    found = words("/proc/meminfo")
    return int(found[found.index("MemFree:") + 1])
def value():
    return int(words("/proc/sys/vm/min_free_kbytes")[0])
mib = 1 << 20
held = []
while free() > LEAVE * 1024:
    held.append(b"x" * mib)
print("ready", flush=True)
before = value()
while value() == before:
    time.sleep(0.001)
while len(held) < 400:
    held.append(b"x" * mib)
time.sleep(1000)
"""


def hog(guest, leave):
    """Takes all but that many MiB; the rest and more once vm.min_free_kbytes changes."""
    guest.run("echo 3 > /proc/sys/vm/drop_caches")
    job = guest.spawn("exec python3 -", data=HOG.replace("LEAVE", str(leave)).encode())
    job.wait_output("ready")
    return job


def refused(guest, arguments):
    """What it says; and nothing has changed."""
    before = min_free(guest)
    said = tune(guest, arguments)
    print(said.output)
    assert said.status == 1 and min_free(guest) == before
    assert guest.run(f"ls {CONF}", check=False).status
    return said.output


def test_tune_refuses_what_would_hang(vm):
    """As from 512 MiB to 5 GiB with 1 GiB free, on a machine of 256 MiB."""
    guest = prepare(vm())
    hog(guest, 16)
    assert "10000: refused, the machine could hang" in refused(guest, "10000 --persist")


def test_tune_goes_back_when_direct_reclaim_begins(vm, server):
    guest = prepare(vm())
    default = min_free(guest)
    with Disk(guest, server, export="swap") as disk:
        swap_on(guest, disk)
        job = hog(guest, 40)
        said = refused(guest, "10000 --persist")
        assert f"is {default} again: direct reclaim began at step" in said
        # The memory is gone, or going.
        refused(guest, "8192 --persist")
        job.kill()
        guest.run("swapoff -a", timeout=120)


def test_tune_interrupted(guest, default):
    job = guest.spawn("exec ballastctl tune min-free-kbytes 10000 --persist")
    until(lambda: min_free(guest) > default, 20, "the first step", interval=0.01)
    status = job.kill(signal.SIGINT)
    assert status == 1
    assert f"interrupted: vm.min_free_kbytes is {default}, as it was" in job.output
    assert min_free(guest) == default and guest.run(f"ls {CONF}", check=False).status
