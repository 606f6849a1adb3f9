# SPDX-License-Identifier: GPL-2.0
"""attach --persist: the file that it writes, which the unit ballast@ reads."""

import pytest

CONF = "etc/ballast/disk.conf"


@pytest.fixture
def machine(tree):
    tree.disk("ballast5")
    tree.write("etc/ballast/README", "")
    (tree.root / "run").mkdir()
    return tree


def note(machine, other=0):
    """boot/disk gets the same number with stat -L, for no disk has it a second time."""
    inode = (machine.root / "sys/block/ballast5").stat().st_ino
    return f"/dev/ballast5: attached\nidentity {inode + other}\n"


def test_file(ctl, machine):
    said = ctl("attach", "nbd://192.0.2.1/a%25b", "index=5", "--persist", "connections=2",
               "allow=tcp:22,udp:53")
    assert (said.status, said.err) == (0, "")
    assert said.out.endswith(f" MiB\n/{CONF} attaches it at boot\n")
    assert machine.read(CONF).splitlines()[1:] == [
        'URI="nbd://192.0.2.1/a%25b"', 'OPTIONS="connections=2 allow=tcp:22,udp:53 index=5"']
    # The unit, if it is started now, finds its disk there.
    assert machine.read("run/ballast/disk") == note(machine)


@pytest.mark.parametrize("argument, status, why", [
    ("--persist", 1, "/etc/ballast/disk.conf: already exists; remove it, or use another name"),
    ("--persist=", 2, "--persist=: is not a name"),
    ("--persist=.a", 2, "--persist=.a: is not a name"),     # the generator does not see it
    ("--persist=a/b", 2, "--persist=a/b: is not a name of up to 200 letters"),
    (f"--persist={'a' * 201}", 2, "a: is not a name"),
])
def test_refused_before_anything_is_done(ctl, machine, argument, status, why):
    machine.write(CONF, "URI=nbd://192.0.2.1/mine\n")
    before = machine.all()
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=5", argument)
    assert (said.status, said.out) == (status, "") and why in said.err
    assert machine.all() == before


@pytest.mark.parametrize("export", [b"a\\b", b"a`b", b"gr\xfcn", b"\xed\xa0\x80", b"\xc3"])
def test_uri_that_no_file_can_have(ctl, machine, export):
    said = ctl("attach", b"nbd://192.0.2.1/" + export, "index=5", "--persist")
    assert said.status == 2 and ": --persist: can't be written to a file" in said.err
    assert machine.read("sys/class/ballast/attach") == ""


def test_uri_in_utf8(ctl, machine):
    assert ctl("attach", "nbd://192.0.2.1/grün", "index=5", "--persist").status == 0
    assert 'URI="nbd://192.0.2.1/grün"\n' in machine.read(CONF)


def test_no_directory(ctl, machine):
    (machine.root / "etc/ballast/README").unlink()
    (machine.root / "etc/ballast").rmdir()
    before = machine.all()
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=5", "--persist=x")
    assert said.status == 1 and said.out == "" and "/etc/ballast does not exist" in said.err
    assert machine.all() == before


def test_file_that_cannot_be_written(ctl, machine):
    """A program finds no object."""
    (machine.root / "etc/ballast/README").unlink()
    (machine.root / "etc/ballast").rmdir()
    machine.write("etc/ballast", "not a directory")
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=5", "--persist=x", "--json")
    assert said.status == 1 and said.out == ""
    assert "/etc/ballast/x.conf: Not a directory" in said.err


def test_file_of_another_attach(ctl, machine, tmp_path_factory):
    """Which has written it since this one looked. It stays, and this disk does not."""
    bin = tmp_path_factory.mktemp("bin")
    (machine.root / "sys/class/ballast").rename(machine.root / "sys/ballast")
    (bin / "modprobe").write_text("#!/bin/sh\nexport PATH=/bin:/usr/bin; cd " + f"{machine.root}\n"
                                  f"mv sys/ballast sys/class; echo another > {CONF}\n")
    (bin / "modprobe").chmod(0o755)
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=5", "--persist", PATH=str(bin))
    assert said.status == 1 and f"/{CONF}: File exists\n" in said.err
    assert said.err.endswith("ballast5: detached again\n")
    assert machine.read(CONF) == "another\n"
    assert sorted(path.name for path in (machine.root / "etc/ballast").iterdir()) == [
        "README", "disk.conf"]


def test_unit_is_started(ctl, machine, systemctl):
    """It finds its disk there, and does not attach it once more."""
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=5", "--persist=a", PATH=systemctl)
    assert (said.status, said.err) == (0, "")
    assert machine.read("run/ballast/a") == note(machine)
    assert machine.read("said") == "daemon-reload\nstart ballast@a.service\n"


@pytest.mark.parametrize("is_active", [True, False])
def test_unit_is_stopped(ctl, machine, systemctl, is_active):
    """Of this disk: systemctl start attaches it again. Not if the unit is just stopping."""
    machine.write("status", "0" if is_active else "3")
    machine.write("run/ballast/a", "/dev/ballast5: attached to x\n")
    machine.write("run/ballast/b", "/dev/ballast6: attached to x\n")
    said = ctl("detach", "ballast5", PATH=systemctl)
    assert (said.status, said.err) == (0, "")
    assert machine.read("said") == "--quiet is-active ballast@a.service\n" + (
        "stop ballast@a.service --no-block\n" if is_active else "")


def test_detach_spares_the_note_of_another_disk(ctl, machine, systemctl):
    """It had the number of this one before."""
    machine.write("run/ballast/a", note(machine, other=1))
    machine.write("run/ballast/b", note(machine))
    for name in "ab":
        machine.write(f"etc/ballast/{name}.conf", "")
    said = ctl("detach", "ballast5", PATH=systemctl)
    assert (said.status, said.err) == (0, "") and "b.conf" in said.out and "a.conf" not in said.out
    assert [path.name for path in (machine.root / "run/ballast").iterdir()] == ["a"]
    assert "@a.service" not in machine.read("said")


def test_detach_names_the_file(ctl, machine):
    machine.write("run/ballast/a", "the module ballast was loaded\n/dev/ballast5: attached to x\n")
    machine.write("run/ballast/b", "/dev/ballast55: attached to x\n")
    for name in "ab":
        machine.write(f"etc/ballast/{name}.conf", "")
    said = ctl("detach", "ballast5")
    assert said == (0, "ballast5: detached\n/etc/ballast/a.conf attaches it again at the next "
                    "boot; remove it to end that\n", "")
    # The unit does not take the next disk of this name for its own.
    assert [path.name for path in (machine.root / "run/ballast").iterdir()] == ["b"]
