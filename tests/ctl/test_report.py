# SPDX-License-Identifier: GPL-2.0
"""report: what is in the archive, and what must never be."""

import os
import re
import tarfile

import pytest

MACHINE_ID = "0123456789abcdef0123456789abcdef"
UUID = "01234567-89ab-cdef-0123-456789abcdef"
SECRETS = ("192.0.2.1", "2001:db8", "52:54:00", "525400123456", MACHINE_ID, UUID, "thin7",
           "example.org", "alices-swap", "filer", "share9")
LOG = f"""\
6,1,1500000,-;ballast: ballast0: attached to 192.0.2.1:10809, export "alices-swap", 1024 bytes
6,2,1600000,-;ballast: ballast0: server [2001:db8::1]:10809: connect: refused (error -111)
 SUBSYSTEM=block
6,3,1700000,-;some other driver: the secret of another
6,4,1800000,-;ballast: thin7.example.org and THIN7 (52:54:00:12:34:56, enx525400123456) {UUID}.
6,5,1900000,-;ballast: 192.0.2.1, 2001:0db8:0:0::1: 127.0.0.1 ::1 12:34:56 {MACHINE_ID}
"""


@pytest.fixture
def machine(tree):
    tree.disk(export="alices-swap")
    tree.disk("ballast1", server="[2001:db8::1]:10809", export="swap")
    tree.swap()
    tree.reserve()
    tree.write("dev/kmsg", LOG)
    tree.write("proc/sys/kernel/hostname", "thin7.example.org\n")
    tree.write("etc/hosts", "127.0.0.1 localhost\n192.0.2.9\tfiler.example.org filer # nas\n")
    tree.write("etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    tree.write("proc/self/mounts", "//share9/x /y cifs rw 0 0\n")
    tree.write("proc/meminfo", "MemTotal: 240000 kB\n")
    tree.write("proc/vmstat", "pswpin 5\n")
    tree.write("proc/net/sockstat", "TCP: inuse 4 orphan 0 tw 0 alloc 6 mem 2\n")
    tree.write("sys/module/ballast/version", "0.0.9\n")
    tree.write("sys/module/ballast/parameters/softirq_reserves", "Y\n")
    tree.write(f"boot/config-{os.uname().release}", "CONFIG_SWAP=y\n")
    tree.write("var/lib/dkms/ballast/0.1.0/build/make.log", "make on filer: error: 192.0.2.1\n")
    return tree


@pytest.fixture
def programs(tmp_path_factory):
    """Of a machine without rpm."""
    bin = tmp_path_factory.mktemp("bin")
    for name, text in (("dkms", "ballast/0.1.0, 6.1.0: installed"),
                       ("dpkg-query", "ballast-dkms 0.1.0")):
        (bin / name).write_text(f"#!/bin/sh\necho '{text}' $* on thin7\n")
        (bin / name).chmod(0o755)
    return f"{bin}:/usr/bin:/bin"


def unpacked(path):
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert all(member.name.startswith("ballast-report") for member in members)
        assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "")}
        return {member.name.split("/", 1)[1]: archive.extractfile(member).read().decode()
                for member in members if member.isfile()}


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar"])
def test_report(ctl, machine, programs, tmp_path_factory, suffix):
    place = tmp_path_factory.mktemp("place")
    path = place / f"report.{suffix}"
    before = machine.all()
    said = ctl("report", str(path), PATH=programs, TMPDIR=str(place))
    assert (said.status, said.err) == (0, "") and said.out.startswith(f"{path}: written")
    assert machine.all() == before and os.listdir(place) == [path.name], "and nothing else is left"
    assert path.stat().st_mode & 0o777 == 0o600
    files = unpacked(path)
    for name, part in {
            "README": "EXPORT-N", "versions": "softirq_reserves=Y", "status": "ballast0: live",
            "status.json": '"loaded": true', "list.json": '"reserves": [', "doctor": "",
            "kernel-log": "[    1.500000] ballast: ", "zoneinfo": "Node 0", "meminfo": "MemTotal",
            "vmstat": "pswpin 5", "sockstat": "TCP: inuse 4", "kernel-config": "CONFIG_SWAP=y",
            "dkms-status": "ballast/0.1.0, 6.1.0: installed status on HOST-",
            "dkms-make.log": "==> /var/lib/dkms/ballast/0.1.0/build/make.log\nmake on HOST-",
            "packages-dpkg": "ballast-dkms 0.1.0"}.items():
        assert part in files[name], name
    assert "module 0.0.9\n" in files["versions"]
    text = "\n".join(files.values())
    for secret in SECRETS:
        assert secret not in text.lower(), secret
    assert "another" not in files["kernel-log"], "only lines of ballast"


def test_the_same_is_the_same(ctl, machine, programs, tmp_path_factory):
    """A reader can tell one server from another, and which disk a line is about."""
    path = tmp_path_factory.mktemp("place") / "report.tar"
    assert ctl("report", str(path), PATH=programs).status == 0
    files = unpacked(path)
    attached, refused, names, last = files["kernel-log"].splitlines()
    four = re.search(r"attached to (IPV4-\d+):10809, export \"(EXPORT-\d+)\", 1024", attached)
    six = re.search(r"server \[(IPV6-\d+)\]:10809: connect", refused)
    assert f"server {four[1]}:10809, export \"{four[2]}\"" in files["status"]
    assert f'"server": "{four[1]}:10809"' in files["list.json"]
    assert f'"export": "{four[2]}"' in files["list.json"]
    assert f"server [{six[1]}]:10809" in files["status"]
    assert last.endswith(f" {four[1]}, {six[1]}: 127.0.0.1 ::1 12:34:56 " +
                         re.search(r"(ID-\d+)\.$", names)[1])
    macs = re.search(r"\((MAC-\d+), enx(MAC-\d+)\)", names)
    assert macs[1] == macs[2]
    assert "swap: 1.0 MiB" in files["status"], "a name that is a plain word does not hide others"
    assert 'export "EXPORT-' in files["status"] and 'export "swap"' not in files["status"]


def test_bare_machine(ctl, tree, tmp_path_factory):
    """What is not there is named, and is no error."""
    (tree.root / "sys/class/ballast").rename(tree.root / "sys/elsewhere")
    (tree.root / "dev/kmsg").unlink()
    path = tmp_path_factory.mktemp("place") / "report.tar"
    assert ctl("report", str(path)).status == 0
    files = unpacked(path)
    assert files["kernel-log"] == "not collected: /dev/kmsg: No such file or directory\n"
    assert files["meminfo"].startswith("not collected: /proc/meminfo")
    assert "module not loaded" in files["versions"]
    assert files["status"].startswith("the module is not loaded")


def test_an_existing_file_stays(ctl, tree, tmp_path_factory):
    path = tmp_path_factory.mktemp("place") / "report.tar.gz"
    path.write_text("precious")
    said = ctl("report", str(path))
    assert said.status == 2 and f"{path}: exists" in said.err
    assert path.read_text() == "precious"


def test_written_to_the_file_that_was_created(ctl, machine, tmp_path_factory, programs):
    """Another user who may write to the directory could have another file overwritten."""
    path = tmp_path_factory.mktemp("place") / "report.tar.gz"
    precious = tmp_path_factory.mktemp("elsewhere") / "precious"
    precious.write_text("precious")
    dkms = programs.split(":")[0] + "/dkms"
    with open(dkms, "a") as script:
        script.write(f"mv {path} {path}.was; ln -s {precious} {path}\n")
    assert ctl("report", str(path), PATH=programs).status == 0
    assert precious.read_text() == "precious"
    assert "README" in unpacked(f"{path}.was")


def test_nothing_half_done_stays(ctl, tree, tmp_path_factory, programs):
    place = tmp_path_factory.mktemp("place")
    bin = tmp_path_factory.mktemp("broken")
    (bin / "tar").write_text("#!/bin/sh\necho half > $8; exit 2\n")
    (bin / "tar").chmod(0o755)
    said = ctl("report", str(place / "x.tar.gz"), PATH=f"{bin}:{programs}", TMPDIR=str(place))
    assert said.status == 1 and "tar failed with status 2" in said.err
    assert os.listdir(place) == []


def test_default_name(ctl, tree, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("place")
    monkeypatch.chdir(place)
    assert ctl("report").status == 0
    name, = os.listdir(place)
    assert re.fullmatch(r"ballast-report-\d{8}-\d{6}\.tar\.gz", name)
