# SPDX-License-Identifier: GPL-2.0
"""The rig's own tests."""

import hashlib
import os
import subprocess
import sys
import textwrap
import time

import pytest

from rig import image as images, module, net, servers, window
from rig.vm import NICS, CommandFailed
from rig.wait import until

HELLO = """
#include <linux/init.h>
#include <linux/module.h>
static int __init hello_init(void) { pr_info("hello from a module\\n"); return 0; }
static void __exit hello_exit(void) { }
module_init(hello_init);
module_exit(hello_exit);
MODULE_LICENSE("GPL");
"""
HELLO_MAKEFILE = """
obj-m := hello.o
all:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
"""
PING = f"ping -q -c1 -W5 {net.HOST4} && ping -q -c1 -W5 {net.HOST6}"


@pytest.fixture(scope="module")
def guest(module_vm):
    return module_vm(name="rig")


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    path = tmp_path_factory.mktemp("disk") / "disk"
    path.write_bytes(bytes(1 << 20))
    return path


@pytest.fixture(scope="module")
def other(module_vm, disk, suite):
    """A guest with everything that the first does not have."""
    rule = {"/etc/udev/rules.d/90-test.rules": b'ENV{SEEN_BY_RULE}="1"\n'}
    return module_vm(name="other", nics=2, mtu=1400, udev=True, disks=[disk], files=rule,
                     memory=384 if suite != "debug" else 1280, append="some.option=1")


def test_clock_is_right(guest):
    """A machine that is busy while it boots may get the frequency of its counter wrong."""
    uptime = "cut -d' ' -f1 /proc/uptime"
    began, first = time.monotonic(), float(guest.run(uptime).output)
    guest.run("sleep 4")
    last, ended = float(guest.run(uptime).output), time.monotonic()
    print(f"{last - first:.2f} s in {ended - began:.2f} s")
    assert 4 <= last - first <= ended - began + 0.1


def test_boots_in_time(guest):
    print(f"booted in {guest.boot_seconds:.1f} s")
    assert guest.boot_seconds < (240 if guest.suite == "debug" else 30)


def test_code_is_patched_under_load(guest):
    """A QEMU too old for rig/emulator.py: newer kernels die at once, older ones stand still."""
    points = "irq/softirq_entry irq/softirq_exit irq/irq_handler_entry timer/hrtimer_start"
    guest.run(f"""
        mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
        cd /sys/kernel/tracing/events
        for load in 1 2; do ping -f -q 127.0.0.1 >/dev/null & loads="$loads $!"; done
        trap 'kill $loads' EXIT
        for round in $(seq 40); do
            for on in 1 0; do
                for point in {points}; do echo $on > $point/enable || exit; done
            done
        done""", timeout=240)


def test_only_unused_images_are_removed(tmp_path):
    """Another checkout, whose list of packages is another, may be using one."""
    new, used, old, other = (tmp_path / name for name in ("a-new", "a-used", "a-old", "b-old"))
    for path in (new, used, old, other):
        path.mkdir()
    for path in (new, old, other):
        os.utime(path, (0, 0))
    images.remove_older(images.Image("a", None, new))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-new", "a-used", "b-old"]


def test_status_and_output(guest):
    assert guest.run("echo a; echo b >&2; exit 3", check=False) == (3, "a\nb\n")
    assert guest.run("kill -9 $$", check=False).status == 128 + 9
    with pytest.raises(CommandFailed, match="exit status 3"):
        guest.run("exit 3")
    # Why it did not end, as far as the kernel knows.
    with pytest.raises(CommandFailed, match=r"waited 0\.5 s(?s:.*)Show Blocked State"
                                            r"(?s:.*)Show backtrace of all active CPUs"):
        guest.run("echo begun; exec sleep 1000", timeout=0.5)
    guest.run("pkill sleep")


def test_script_longer_than_a_frame(guest):
    assert guest.run(f"echo begin\n# {'x' * 100000}\necho end").output == "begin\nend\n"


def test_two_jobs_at_once(guest):
    reader = guest.spawn("mkfifo /tmp/pipe; echo made; read word < /tmp/pipe; echo got $word")
    reader.wait_output("made")
    guest.run("echo this > /tmp/pipe; rm /tmp/pipe")
    assert reader.wait() == 0
    assert reader.output == "made\ngot this\n"


def test_output_comes_while_the_job_runs_and_the_job_can_be_killed(guest):
    job = guest.spawn("n=0; while :; do n=$((n + 1)); echo tick $n; sleep 0.05; done")
    job.wait_output("tick 5\n")
    assert job.running
    assert job.kill() == 128 + 9
    guest.run("! pgrep -x sleep")


def test_a_daemon_does_not_hold_a_job_open(guest):
    assert guest.run("sleep 1000 & echo $!", timeout=10).status == 0
    guest.run("pkill sleep")


def test_files_go_in_and_out_unchanged(guest):
    data = os.urandom(100000)
    guest.put("/tmp/file", data)
    assert guest.get("/tmp/file") == data


@pytest.mark.parametrize("size", [0, 1, window.SIZE + 5])
def test_files_of_any_size_get_in_fast(guest, size):
    data = os.urandom(size)
    began = time.monotonic()
    guest.put("/tmp/file", data, 0o751)
    took = time.monotonic() - began
    said = guest.run("sha256sum < /tmp/file; stat -c %a /tmp/file; rm /tmp/file").output
    assert said.split() == [hashlib.sha256(data).hexdigest(), "-", "751"]
    print(f"put in {took:.2f} s")
    # By the serial line the last one takes minutes.
    assert took < 30


def test_files_get_in_while_the_kernel_is_locked_down(vm):
    guest = vm(append="lockdown=integrity")
    if guest.run("mount -t securityfs none /sys/kernel/security; "
                 "grep -F [integrity] /sys/kernel/security/lockdown", check=False).status:
        pytest.skip("this kernel has no lockdown")
    assert guest.run("exec /proc/$PPID/exe take 1", check=False).status
    data = os.urandom(10000)
    guest.put("/tmp/file", data)
    assert guest.get("/tmp/file") == data


def test_memory_is_as_asked(guest, other):
    for one in (guest, other):
        kib = int(one.run("awk '/MemTotal/ { print $2 }' /proc/meminfo").output)
        # The kernel keeps some for itself, a debug kernel a quarter and more.
        assert one.memory * (0.6 if one.suite == "debug" else 0.75) < kib / 1024 <= one.memory


def test_processors_are_as_asked(guest):
    assert guest.run("nproc").output == "2\n"


def test_command_line_takes_more(other):
    other.run("grep -w some.option=1 /proc/cmdline")


def test_ping_both_ways_in_both_families(guest):
    guest.run(PING)
    for address in (guest.address4, guest.address6):
        # python's socket is enough; ping needs privileges or a sysctl on the host.
        job = guest.spawn(f"exec socat -u TCP{6 if ':' in address else 4}-LISTEN:7000 STDOUT")
        until(lambda: guest.run("ss -Hltn sport = :7000").output, 10, "socat to listen")
        subprocess.run(["/usr/bin/python3", "-c", textwrap.dedent(f"""
            import socket
            with socket.create_connection(("{address}", 7000), 10) as s:
                s.sendall(b"over the bridge")
        """)], check=True)
        assert job.wait(10) == 0
        assert job.output == "over the bridge"


@pytest.mark.parametrize("nic", NICS)
def test_every_nic_model_works(vm, nic):
    guest = vm(nic=nic)
    guest.run(f"ethtool -i eth0 | grep '^driver: {NICS[nic]}' && {PING}")


def test_guests_reach_each_other(guest, other):
    other.run(f"ping -q -c1 -W5 {guest.address4} && ping -q -c1 -W5 {guest.address6}")


def test_nics_and_mtu_are_as_asked(guest, other):
    assert other.run("cat /sys/class/net/eth0/mtu").output == "1400\n"
    other.run("test -d /sys/class/net/eth1")
    guest.run("test ! -d /sys/class/net/eth1")


def test_taps_are_gone_with_their_guest(vm):
    guest = vm(nic_props={"host_mtu": 1300})
    guest.run("ip -d link show eth0 | grep 'maxmtu 1300'")
    taps = guest.network.taps
    assert all(net.ip("link", "show", tap, check=False).returncode == 0 for tap in taps)
    guest.spawn("sync; echo o > /proc/sysrq-trigger")
    guest.wait_exit()
    guest.close()
    assert all(net.ip("link", "show", tap, check=False).returncode for tap in taps)


def test_sysrq_works_over_the_serial_console(guest):
    before = len(guest.console.text)
    guest.sysrq("h")
    until(lambda: "sysrq: HELP" in guest.console.text[before:], 10, "the help of sysrq")


def test_qmp_takes_the_link_away(guest):
    guest.qmp("set_link", name="nic0", up=False)
    carrier = "cat /sys/class/net/eth0/carrier"
    until(lambda: guest.run(carrier).output == "0\n", 10, "the link to go down")
    guest.qmp("set_link", name="nic0", up=True)
    until(lambda: guest.run(carrier).output == "1\n", 10, "the link to come up")


def test_udev_runs_if_asked(guest, other):
    other.run("udevadm info -q property /sys/block/vda | grep SEEN_BY_RULE=1")
    guest.run("! pgrep udevd")


def test_extra_disk_keeps_what_is_written(other, disk):
    other.run("printf kept | dd of=/dev/vdb oflag=direct,sync conv=sync bs=512")
    assert disk.read_bytes().startswith(b"kept")


@pytest.mark.parametrize("server", [
    lambda: servers.NbdServer({"swap": 64 << 20}),
    lambda: servers.NbdServer({"swap": 64 << 20}, address=net.HOST6),
    lambda: servers.Nbdkit("memory", "64M", "rdelay=1ms", filters=["delay"]),
    lambda: servers.QemuNbd("swap", 64 << 20),
], ids=["nbd-server", "nbd-server-ipv6", "nbdkit", "qemu-nbd"])
def test_in_tree_nbd_reads_from_a_server(guest, server):
    with server() as nbd:
        guest.run(f"""
            modprobe nbd
            nbd-client {nbd.address} {nbd.port} -N swap /dev/nbd0 || exit
            dd if=/dev/nbd0 of=/dev/null bs=64k count=64 iflag=direct; status=$?
            nbd-client -d /dev/nbd0 && exit $status
        """)


def test_a_server_starts_again_with_its_data(guest):
    with servers.NbdServer({"swap": 1 << 20}) as nbd:
        nbd.files["swap"].write_bytes(b"here".ljust(1 << 20))
        nbd.stop()
        nbd.start()
        assert nbd.files["swap"].read_bytes().startswith(b"here")


def test_a_scripted_server_sees_its_clients(guest):
    def serve(connection):
        connection.sendall(servers.receive(connection, 5)[::-1])

    with servers.ScriptedServer(serve) as server:
        out = guest.run(f"echo abcd | socat -t5 - TCP:{server.address}:{server.port}").output
        assert out == "\ndcba"
        assert len(server.connections) == 1 and not server.errors


@pytest.fixture
def hello(tmp_path):
    (tmp_path / "hello.c").write_text(HELLO)
    (tmp_path / "Makefile").write_text(HELLO_MAKEFILE)
    return tmp_path


def test_a_module_is_built_and_loaded(guest, hello):
    module.load(guest, source=hello, name="hello")
    guest.run("grep -q '^hello ' /proc/modules && dmesg | grep 'hello from a module'")
    guest.run("rmmod hello")


def test_a_module_that_does_not_compile_says_why(guest, hello):
    (hello / "hello.c").write_text(HELLO + "syntax error")
    with pytest.raises(RuntimeError, match="does not build.*\n(.*\n)*.*syntax error"):
        module.build(guest.image.suite, guest.image.flavour, source=hello, name="hello")


SAYS_WARNING = """
import pytest
from rig.vm import VM

{mark}
def test_warns(module_vm):
    module_vm(name="warns").run("echo 'WARNING: CPU: 0 PID: 1 at made/up.c:1' > /dev/kmsg")
"""


@pytest.mark.parametrize("mark, status", [("", 1), ("@pytest.mark.console_ok('made/up')", 0)],
                         ids=["fails", "allowed"])
def test_a_kernel_warning_fails_the_test_it_happens_in(tmp_path, request, mark, status):
    here = os.path.dirname(__file__)
    (tmp_path / "test_warns.py").write_text(SAYS_WARNING.format(mark=mark))
    with open(os.path.join(here, "conftest.py")) as conftest:
        (tmp_path / "conftest.py").write_text(conftest.read())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "rig.options",
         "--rootdir", tmp_path,
         f"--suite={request.config.getoption('--suite')}", tmp_path],
        env=dict(os.environ, PYTHONPATH=here, BALLAST_LOGS=str(tmp_path / "logs")),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    assert ("WARNING: CPU: 0" in done.stdout) == bool(status)
