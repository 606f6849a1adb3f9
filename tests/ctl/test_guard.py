# SPDX-License-Identifier: GPL-2.0
"""guard: what it writes, what it refuses, and what makes it come back at boot."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

GUARD = "sys/class/ballast/guard"
CONF = "etc/ballast/guard-eth0.conf"
BOOT = Path(__file__).resolve().parents[2] / "boot"


@pytest.fixture
def machine(tree):
    tree.write("sys/class/net/eth0/flags", "0x1003\n")
    tree.write("sys/class/net/lo/flags", "0x9\n")
    tree.write("etc/ballast/README", "")
    return tree


def test_on_and_off(ctl, machine):
    assert ctl("guard", "eth0") == (0, "eth0: is guarded\n", "")
    assert machine.read(GUARD) == "eth0"
    assert ctl("guard", "eth0") == (0, "eth0: is already guarded\n", "")
    assert ctl("guard", "eth0", "allow=tcp:22,udp:53@192.0.2.5", "reserve=auto").status == 0
    assert machine.read(GUARD) == "eth0 allow=tcp:22,udp:53@192.0.2.5 reserve=auto"
    assert ctl("guard", "eth0", "off") == (0, "eth0: is no longer guarded\n", "")
    assert machine.read(GUARD).startswith("-eth0")
    machine.write(GUARD, "")
    assert ctl("guard", "eth0", "off") == (0, "eth0: is not guarded\n", "")
    assert machine.read(GUARD) == ""


@pytest.mark.parametrize("arguments, status, said", [
    (["eth7"], 1, "eth7: no such interface"),
    (["lo"], 2, "lo: a loopback interface can't be guarded"),
    (["../eth0"], 2, "../eth0: is not the name of an interface"),
    (["an-interface-with-a-long-name"], 2, "an-interface-with-a-long-name: is not the name"),
    (["eth0", "eth1"], 2, "eth1: only one interface"),
    (["eth0", "allow=22"], 2, "allow=22: is not of the form"),
    (["eth0", "reserve=lots"], 2, "reserve=lots: is neither auto nor"),
    (["eth0", "queue_depth=4"], 2, "queue_depth=4: no such option"),
    (["eth0", "off", "allow=tcp:22"], 2, "allow=tcp:22: can't be used with off"),
    (["eth0", "off", "status"], 2, "off: can't be used with status"),
    (["--persist"], 2, "--persist: requires an interface"),
    (["eth0", "--forever"], 2, "--forever: no such option"),
])
def test_bad_arguments(ctl, machine, arguments, status, said):
    before = machine.all()
    result = ctl("guard", *arguments)
    assert (result.status, result.out) == (status, "") and said in result.err
    assert machine.all() == before


def test_shown(ctl, machine):
    assert ctl("guard") == (1, "no interface is guarded\n", "")
    assert ctl("guard", "eth0", "status") == (1, "eth0: not guarded\n", "")
    assert "guarded" not in ctl("list").out + ctl("top", "-n1", "-d0.1").out
    machine.write(GUARD, "eth0 reserve=100 allow=tcp:22\nbond0\n")
    machine.reserve()
    assert ctl("guard", "status") == (
        0, "eth0: guarded, reserve=100 allow=tcp:22, reserve of 561 pages, tight\n"
        "bond0: guarded\n", "")
    assert ctl("guard", "bond0", "status") == (0, "bond0: guarded\n", "")
    line = "guarded: eth0 (reserve=100 allow=tcp:22) bond0\n"
    assert ctl("list").out.endswith(line) and line in ctl("status").out
    assert ctl("top", "-n1", "-d0.1").out.endswith(" guarded eth0 bond0\n")
    assert '"guarded": [\n    "eth0",\n    "bond0"\n  ]' in ctl("status", "--json").out


def test_persist(ctl, machine):
    said = ctl("guard", "eth0", "allow=tcp:22", "reserve=100", "--persist")
    assert said == (0, f"eth0: is guarded\n/{CONF} guards it at boot\n", "")
    assert machine.read(CONF).splitlines()[1:] == ["GUARD=eth0",
                                                   'OPTIONS="allow=tcp:22 reserve=100"']
    said = ctl("guard", "eth0", "off")
    assert f"/{CONF} guards it again at the next boot" in said.out
    assert f"/{CONF} is removed\n" in ctl("guard", "eth0", "off", "--persist").out
    assert sorted(os.listdir(machine.root / "etc/ballast")) == ["README"]


def test_persist_keeps_the_options(ctl, machine):
    """doctor prints the command without options; ssh must not be dropped after the next boot."""
    machine.write(GUARD, "eth0 allow=tcp:22 reserve=100\n")
    said = ctl("guard", "eth0", "--persist")
    assert said == (0, f"eth0: is already guarded\n/{CONF} guards it at boot\n", "")
    assert machine.read(CONF).splitlines()[1:] == ["GUARD=eth0",
                                                   'OPTIONS="allow=tcp:22 reserve=100"']
    # The kernel lists the options in an order of its own.
    machine.write(GUARD, "eth0 reserve=100 allow=tcp:22\n")
    before = machine.all()
    assert ctl("guard", "eth0", "--persist") == (
        0, f"eth0: is already guarded\n/{CONF} guards it at boot already\n", "")
    assert machine.all() == before


APPLY = "; systemctl restart ballast@guard-eth0 applies it"


@pytest.mark.parametrize("running, kept, differs", [
    ("allow=tcp:443", 'OPTIONS="allow=tcp:22"', f'"allow=tcp:22" and not "allow=tcp:443"{APPLY}'),
    ("reserve=9 allow=tcp:22", "OPTIONS=allow=tcp:22", '"allow=tcp:22" and not "reserve=9 '),
    ("", 'OPTIONS="allow=tcp:22"', f'"allow=tcp:22" and not ""{APPLY}'),
    ("allow=tcp:22", "", f'"" and not "allow=tcp:22"{APPLY}'),
    ("allow=tcp:22", "OPTIONS=allow=tcp:22\nGUARD=eth1", "does not guard eth0"),
    ("allow=tcp:22", "OPTIONS=x\n OPTIONS = ' allow=tcp:22  reserve=auto' ", None),
])
def test_persist_compares_the_options(ctl, machine, running, kept, differs):
    """After the next boot the file would drop packets that pass now."""
    machine.write(GUARD, f"eth0 {running}\n")
    machine.write(CONF, f"GUARD=eth0\n{kept}\n")
    before = machine.all()
    said = ctl("guard", "eth0", "--persist")
    assert machine.all() == before
    if differs:
        assert (said.status, said.out) == (1, "") and differs in said.err
    else:
        assert said == (0, f"eth0: is already guarded\n/{CONF} guards it at boot already\n", "")


@pytest.mark.parametrize("arguments", [[], ["allow=tcp:22"]], ids=["without", "with-options"])
def test_persist_keeps_a_file(ctl, machine, arguments):
    machine.write(CONF, 'GUARD=eth0\nOPTIONS="allow=tcp:22 reserve=900"\n')
    before = machine.all()
    said = ctl("guard", "eth0", *arguments, "--persist")
    assert said.status == 1 and said.out == ""
    assert f"/{CONF}: already exists, with other options" in said.err
    assert machine.all() == before


@pytest.mark.parametrize("guarded, is_active", [(True, True), (True, False), (False, True)])
def test_off_stops_the_unit(ctl, machine, systemctl, guarded, is_active):
    """Otherwise a start does nothing. Not if the unit itself ends the guard."""
    machine.write("status", "0" if is_active else "3")
    machine.write(GUARD, "eth0\n" if guarded else "")
    said = ctl("guard", "eth0", "off", PATH=systemctl)
    assert (said.status, said.err) == (0, "")
    assert machine.read("said") == "--quiet is-active ballast@guard-eth0.service\n" + (
        "stop ballast@guard-eth0.service\n" if is_active else "")


@pytest.mark.parametrize("name", ["eth0", "eth@0"])
def test_persist_is_checked_first(ctl, machine, name):
    """Before the guard is on, and before the module is loaded."""
    machine.write("sys/class/net/eth@0/flags", "0x1003\n")
    if name == "eth0":
        (machine.root / "etc/ballast").joinpath("README").unlink()
        (machine.root / "etc/ballast").rmdir()
    before = machine.all()
    said = ctl("guard", name, "--persist")
    assert said.status == 1 and said.out == "" and "--persist: " in said.err
    assert machine.all() == before


def test_generator(machine, tmp_path):
    """The unit of a guard comes and goes with the interface, that of a disk with the network."""
    units = tmp_path / "units"
    machine.write(CONF, 'URL=x\n GUARD="br-lan"  \n')
    machine.write("etc/ballast/swap.conf", "URI=nbd://192.0.2.1/swap\n#GUARD=eth0\n")
    subprocess.run([BOOT / "ballast-generator", units, units, units], check=True,
                   env={**os.environ, "BALLAST_ROOT": str(machine.root)})
    device = r"sys-subsystem-net-devices-br\x2dlan.device"
    assert os.listdir(units / f"{device}.wants") == ["ballast@guard-eth0.service"]
    assert os.listdir(units / "multi-user.target.wants") == ["ballast@swap.service"]
    drop_in = (units / "ballast@guard-eth0.service.d/guard.conf").read_text()
    assert f"BindsTo={device}\n" in drop_in and f"After={device}\n" in drop_in


FSTAB = r"""# /dev/comment none swap _netdev 0 0
/dev/vda none swap defaults 0 0
/dev/vg/data none swap pri=5,_netdev,nofail 0 0
UUID="12-34" none swap _netdev 0 0
/dev/mapper/other none ext4 _netdev 0 0
/dev/ballast3 none swap _netdev 0 0
/srv/swapfile none swap _netdev 0 0
"""


def test_generator_orders_swaps(machine, tmp_path):
    """They stop before the network, and are in no cycle with what they lie on."""
    units = tmp_path / "units"
    run = [BOOT / "ballast-generator", units, units, units]
    environment = {**os.environ, "BALLAST_ROOT": str(machine.root)}
    always = {f"dev-ballast{number}.swap.d" for number in range(16)}
    subprocess.run(run, check=True, env=environment)
    assert set(os.listdir(units)) == always | {"multi-user.target.wants"}

    machine.write("etc/fstab", FSTAB)
    (machine.root / "usr/lib/ballast").mkdir(parents=True)
    shutil.copy(BOOT / "disk", machine.root / "usr/lib/ballast")
    subprocess.run(run, check=True, env=environment)
    stacked = {"dev-vg-data.swap.d", r"dev-disk-by\x2duuid-12\x2d34.swap.d"}
    assert set(os.listdir(units)) == always | stacked | {"multi-user.target.wants"}
    for name in always | stacked:
        text = (units / name / "ballast.conf").read_text()
        assert "DefaultDependencies=no\nAfter=network.target remote-fs-pre.target\n" in text
        # Other network disks have nothing that goes on when systemd gives up a swapoff.
        assert ("TimeoutSec=30" in text) == (name in always)


@pytest.fixture
def boot_script(tmp_path):
    """boot/disk with a ballastctl that tells what it was asked, and a systemctl that runs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in (("ballastctl", 'echo "$@"'), ("systemctl", "echo running")):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)

    def run(action, **variables):
        done = subprocess.run([BOOT / "disk", action, "x"], capture_output=True, text=True,
                              env={**variables, "PATH": f"{programs}:{os.environ['PATH']}",
                                   "BALLAST_ROOT": str(tmp_path)})
        return done.returncode, done.stdout + done.stderr
    return run


def test_boot_script(boot_script, tmp_path):
    options = {"GUARD": "eth0", "OPTIONS": "allow=tcp:22 reserve=9"}
    assert boot_script("start", **options) == (0, "guard eth0 allow=tcp:22 reserve=9\n")
    assert boot_script("stop", **options) == (0, "guard eth0 off\n")
    for key in ("URI", "SWAP", "PRIORITY"):
        assert boot_script("start", **options, **{key: "1"}) == (
            2, f"/etc/ballast/x.conf: GUARD= and {key}= can't be in one file\n")
    assert boot_script("start") == (2, "/etc/ballast/x.conf: there is no such file\n")
    (tmp_path / "etc/ballast").mkdir(parents=True)
    (tmp_path / "etc/ballast/x.conf").write_text("")
    assert boot_script("start") == (2, "/etc/ballast/x.conf: URI= or GUARD= is missing\n")
