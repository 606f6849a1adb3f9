# SPDX-License-Identifier: GPL-2.0
"""tune min-free-kbytes over a made-up tree, whose memory does as it is told."""

import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import CTL

MIN_FREE = "proc/sys/vm/min_free_kbytes"
CONF = "etc/sysctl.d/60-ballast.conf"
VMSTAT = """\
nr_free_pages 50000
allocstall_dma 0
allocstall_dma32 {stalls}
allocstall_normal 5
allocstall_movable 0
pgsteal_kswapd 900
pgsteal_direct 90
pgscan_kswapd {kswapd}
pgscan_direct {direct}
pgscan_direct_throttle 0
"""
ZONEINFO = """\
Node 0, zone    DMA32
  pages free     {free}
        boost    0
        min      461
        low      576
        high     691
        managed  56000
        protection: (0, 0, 0, 0, 0)
"""


@pytest.fixture
def machine(tree):
    """256 MiB, most of it free."""
    tree.write("proc/meminfo", meminfo())
    tree.write(MIN_FREE, "1844\n")
    tree.write("proc/sys/vm/watermark_scale_factor", "10\n")
    tree.write("proc/vmstat", vmstat())
    tree.write("proc/zoneinfo", ZONEINFO.format(free=50000))
    (tree.root / "etc/sysctl.d").mkdir(parents=True)
    return tree


def meminfo(total=225440, free=180000, inactive=0, dirty=0):
    return (f"MemTotal:       {total} kB\nMemFree:        {free} kB\n"
            f"Inactive(file): {inactive} kB\nDirty:          {dirty} kB\nWriteback:      0 kB\n")


def vmstat(stalls=0, kswapd=1000, direct=100):
    return VMSTAT.format(stalls=stalls, kswapd=kswapd, direct=direct)


def value(tree):
    return int(tree.read(MIN_FREE))


class Ramp:
    """tune in the background, and do(value) once it has raised that far."""

    def __init__(self, tree, target, above, do):
        self.process = subprocess.Popen(
            [os.path.abspath(CTL), "tune", "min-free-kbytes", str(target)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "BALLAST_ROOT": str(tree.root)})
        self.reached = 0
        self._tree, self._above, self._do = tree, above, do
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self):
        while self.process.poll() is None:
            text = self._tree.read(MIN_FREE)
            if text.strip() and int(text) >= self._above:
                self.reached = int(text)
                self._do(self.process)
                return
            time.sleep(0.002)

    def end(self, timeout=30):
        out, err = self.process.communicate(timeout=timeout)
        self._thread.join()
        assert self.reached, f"never reached {self._above}: {out}{err}"
        return self.process.returncode, out, err


@pytest.mark.parametrize("arguments, named", [
    ([], "min-free-kbytes"),
    (["swappiness"], "swappiness"),
    (["min-free-kbytes", ""], "not a number"),
    (["min-free-kbytes", "8M"], "8M"),
    (["min-free-kbytes", "-1"], "-1"),
    (["min-free-kbytes", "0x1000"], "0x1000"),
    (["min-free-kbytes", "4096.5"], "4096.5"),
    (["min-free-kbytes", " 4096"], " 4096"),
    (["min-free-kbytes", "99999999999999999999"], "99999999999999999999"),
    (["min-free-kbytes", "1023"], "1023"),
    (["min-free-kbytes", "0"], "0: is under 1024"),
    (["min-free-kbytes", "automatic"], "automatic"),
    (["min-free-kbytes", "4096", "8192"], "8192"),
    (["min-free-kbytes", "--force"], "--force"),
    (["min-free-kbytes", "--persist"], "--persist"),
    (["min-free-kbytes", "4\n5"], r"4\x0a5"),
])
def test_bad_arguments(ctl, machine, arguments, named):
    before = machine.all()
    said = ctl("tune", *arguments)
    assert said.status == 2 and said.out == ""
    assert named in said.err and said.err.count("\n") == 1, said.err
    assert machine.all() == before


def test_show(ctl, machine):
    before = machine.all()
    said = ctl("tune", "min-free-kbytes")
    assert said.status == 0 and said.err == ""
    for part in ("vm.min_free_kbytes: 1844 KiB, 0.8 % of 225440 KiB", "good",
                 "recommended:        1896 KiB", "at most:            11272 KiB"):
        assert part in said.out, said.out
    assert machine.all() == before


def test_show_says_that_it_would_be_refused(ctl, machine):
    machine.write(MIN_FREE, "512\n")
    machine.write("proc/meminfo", meminfo(free=3000))
    said = ctl("tune", "min-free-kbytes")
    assert "unreliable" in said.out and "would be refused now" in said.out


def test_raise(ctl, machine):
    said = ctl("tune", "min-free-kbytes", "8192")
    assert (said.status, said.err) == (0, "")
    assert said.out == "vm.min_free_kbytes is 8192 now, and was 1844: 13 steps.\n"
    assert value(machine) == 8192
    assert not (machine.root / CONF).exists()


def test_auto_and_persist(ctl, machine):
    machine.write(MIN_FREE, "512\n")
    said = ctl("tune", "min-free-kbytes", "auto", "--persist")
    assert (said.status, said.err) == (0, "")
    assert value(machine) == 1896
    assert machine.read(CONF).splitlines()[-1] == "vm.min_free_kbytes = 1896"
    assert (machine.root / CONF).stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (machine.root / CONF).parent.iterdir()] == ["60-ballast.conf"]

    said = ctl("tune", "min-free-kbytes", "--persist", "auto")
    assert said.status == 0 and "is 1896 already" in said.out

    said = ctl("tune", "min-free-kbytes", "1024", "--persist")
    assert said.status == 0 and value(machine) == 1024
    assert machine.read(CONF).splitlines()[-1] == "vm.min_free_kbytes = 1024"


def test_persist_that_fails_is_told(ctl, machine):
    (machine.root / "etc/sysctl.d").rmdir()
    said = ctl("tune", "min-free-kbytes", "1900", "--persist")
    assert said.status == 1 and value(machine) == 1900
    assert "60-ballast.conf: No such file" in said.err and "until the next boot" in said.err


def test_lowers_at_once(ctl, machine):
    machine.write(MIN_FREE, "11000\n")
    machine.write("proc/vmstat", "")  # that it need not look at
    said = ctl("tune", "min-free-kbytes", "2048")
    assert said.status == 0 and said.out == "vm.min_free_kbytes is 2048 now, and was 11000.\n"
    assert value(machine) == 2048


def test_the_raise_that_hangs_a_machine_is_refused(ctl, machine):
    """From 512 MiB to 5 GiB with 1 GiB free."""
    gib = 1 << 20
    machine.write(MIN_FREE, f"{gib // 2}\n")
    machine.write("proc/meminfo", meminfo(total=128 * gib, free=gib, inactive=60 * gib))
    before = machine.all()
    said = ctl("tune", "min-free-kbytes", str(5 * gib), "--persist")
    assert said.status == 1 and said.err.count("\n") == 1
    assert "5242880: refused, the machine could hang" in said.err
    assert "the high watermarks would be 7864320 KiB" in said.err
    assert "1048576 KiB are free" in said.err
    assert machine.all() == before


def test_a_waste_is_refused(ctl, machine):
    said = ctl("tune", "min-free-kbytes", "16384")
    assert said.status == 1
    assert "refused, a waste of memory: the maximum for 225440 KiB of memory is 11272 KiB" \
        in said.err
    assert value(machine) == 1844


def test_refused_while_there_is_direct_reclaim(ctl, machine):
    stop = threading.Event()

    def reclaim():
        stalls = 0
        while not stop.wait(0.05):
            stalls += 1
            replace(machine, "proc/vmstat", vmstat(stalls=stalls))

    thread = threading.Thread(target=reclaim)
    thread.start()
    try:
        said = ctl("tune", "min-free-kbytes", "8192", "--persist")
    finally:
        stop.set()
        thread.join()
    assert said.status == 1
    assert "stays 1844: direct reclaim was going on before the first step" in said.err
    assert value(machine) == 1844 and not (machine.root / CONF).exists()


def replace(tree, path, text):
    """Atomically, so that no reader sees half of it."""
    tree.write(f"{path}.new", text)
    (tree.root / f"{path}.new").rename(tree.root / path)


def test_goes_back_when_direct_reclaim_begins(ctl, machine):
    ramp = Ramp(machine, 8192, 3000, lambda _: replace(
        machine, "proc/vmstat", vmstat(stalls=3, direct=196)))
    status, out, err = ramp.end()
    assert (status, out) == (1, "") and ramp.reached < 8192
    assert "is 1844 again: direct reclaim began at step" in err and "3 allocations, 96 pages" in err
    assert value(machine) == 1844


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was(ctl, machine, number):
    ramp = Ramp(machine, 8192, 3000, lambda process: process.send_signal(number))
    status, out, err = ramp.end()
    assert (status, out) == (1, "")
    assert err == "ballastctl tune: interrupted: vm.min_free_kbytes is 1844, as it was\n"
    assert value(machine) == 1844


def test_goes_back_when_kswapd_does_not_get_there(ctl, machine):
    """Free memory stays under low: after 10 s that is a failure."""
    ramp = Ramp(machine, 8192, 3000, lambda _: replace(
        machine, "proc/zoneinfo", ZONEINFO.format(free=500)))
    status, _, err = ramp.end(timeout=40)
    assert status == 1 and "is 1844 again: kswapd did not free the memory" in err
    assert value(machine) == 1844


def test_waits_for_kswapd(ctl, machine):
    """Under high and with kswapd at work it waits; once over high it goes on."""
    state = {"at": None}

    def low_for_a_while(_):
        replace(machine, "proc/zoneinfo", ZONEINFO.format(free=600))
        for scanned in range(2000, 4000, 100):
            replace(machine, "proc/vmstat", vmstat(kswapd=scanned))
            time.sleep(0.1)
            now = value(machine)
            state["at"] = state["at"] or now
        state["later"] = now
        replace(machine, "proc/zoneinfo", ZONEINFO.format(free=50000))

    status, out, err = Ramp(machine, 8192, 3000, low_for_a_while).end()
    assert (status, err) == (0, ""), err
    # It may have been about to take one more step.
    assert state["later"] <= state["at"] * 9 // 8 + 1 < 8192
    assert value(machine) == 8192


def test_goes_on_where_kswapd_sleeps(ctl, machine):
    """Between low and high the kernel does not wake it."""
    machine.write("proc/zoneinfo", ZONEINFO.format(free=600))
    said = ctl("tune", "min-free-kbytes", "2048")
    assert said.status == 0 and value(machine) == 2048


def test_figures_that_cannot_be_read(ctl, machine):
    machine.write("proc/meminfo", "")
    said = ctl("tune", "min-free-kbytes", "auto")
    assert said.status == 1 and "/proc/meminfo" in said.err
    machine.write("proc/meminfo", meminfo())
    (machine.root / MIN_FREE).unlink()
    said = ctl("tune", "min-free-kbytes", "auto")
    assert said.status == 1 and "min_free_kbytes: can't be read" in said.err
