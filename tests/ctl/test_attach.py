# SPDX-License-Identifier: GPL-2.0
"""attach and detach: what they write, and what they refuse to touch."""

import json
import os
import subprocess

import pytest
from conftest import CTL

ATTACH = "sys/class/ballast/attach"
MODULES = f"lib/modules/{os.uname().release}"


@pytest.mark.parametrize("uri, words", [
    ("nbd://192.0.2.1/swap", 'server=192.0.2.1:10809 export="swap"'),
    ("NBD://192.0.2.1:/swap", 'server=192.0.2.1:10809 export="swap"'),
    ("nbd://192.0.2.1:1234", 'server=192.0.2.1:1234 export=""'),
    ("nbd://192.0.2.1/", 'server=192.0.2.1:10809 export=""'),
    ("nbd://192.0.2.1//a/b", 'server=192.0.2.1:10809 export="/a/b"'),
    ("nbd://192.0.2.1/my%20swap%c3%A9", 'server=192.0.2.1:10809 export="my swap\u00e9"'),
    ("nbd://192.0.2.1/a%3Fb%23c%25", 'server=192.0.2.1:10809 export="a?b#c%"'),
    ("nbd://[2001:db8::1]/swap", 'server=[2001:db8::1]:10809 export="swap"'),
    ("nbd://[2001:DB8:0::1]:99/swap", 'server=[2001:db8::1]:99 export="swap"'),
    ("nbd://[fe80::1%25lo]/swap", 'server=[fe80::1%lo]:10809 export="swap"'),
    ("nbd://[fe80::1%lo]/swap", 'server=[fe80::1%lo]:10809 export="swap"'),
])
def test_uri(ctl, tree, uri, words):
    tree.disk("ballast5")
    said = ctl("attach", uri, "index=5", "queue_depth=64", "readonly",
               "allow=tcp:22,udp:53@[2001:db8::5]")
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("/dev/ballast5: attached to ")
    assert said.out.endswith("1024.0 MiB\n")
    assert tree.read(ATTACH) == (f"{words} index=5 queue_depth=64 readonly "
                                 "allow=tcp:22,udp:53@[2001:db8::5]")


MACHINE_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def machine(tree):
    """A machine that has all names, and whose route to 127.0.0.1 is by a card."""
    tree.write("etc/machine-id", f"{MACHINE_ID}\n")
    tree.write("proc/sys/kernel/hostname", "thin7\n")
    tree.write("sys/class/net/lo/address", "52:54:00:12:34:56\n")
    tree.write("proc/cmdline", "root=/dev/vda quiet\n")
    return tree


@pytest.mark.parametrize("uri, words", [
    ("nbd://127.0.0.1/%m", f'server=127.0.0.1:10809 export="{MACHINE_ID}"'),
    ("nbd://127.0.0.1/swap-%H", 'server=127.0.0.1:10809 export="swap-thin7"'),
    ("nbd://127.0.0.1/%M.img", 'server=127.0.0.1:10809 export="52-54-00-12-34-56.img"'),
    ("nbd://[::1]/%M", 'server=[::1]:10809 export="52-54-00-12-34-56"'),
    ("nbd://127.0.0.1/%H%2F%m", f'server=127.0.0.1:10809 export="thin7/{MACHINE_ID}"'),
    # A % that stands for itself is not looked at again.
    ("nbd://127.0.0.1/%%m%25H%%41%25", 'server=127.0.0.1:10809 export="%m%H%41%"'),
    ("nbd://127.0.0.1/%6d%4D%48", 'server=127.0.0.1:10809 export="mMH"'),
])
def test_names_in_uris(ctl, machine, uri, words):
    machine.disk("ballast5")
    said = ctl("attach", uri, "index=5")
    assert (said.status, said.err) == (0, "")
    assert machine.read(ATTACH) == f"{words} index=5"


def test_name_in_the_name_of_the_server(ctl, machine):
    machine.write("proc/sys/kernel/hostname", "localhost-7\n")
    said = ctl("attach", "nbd://%H.invalid/swap", "index=5")
    assert said.status == 1 and "localhost-7.invalid: " in said.err


def test_machine_id_of_the_command_line(ctl, machine):
    """Before the root is mounted there is no other."""
    (machine.root / "etc/machine-id").unlink()
    machine.write("proc/cmdline", f"quiet systemd.machine_id={'b' * 32} x\n")
    machine.disk("ballast5")
    assert ctl("attach", "nbd://127.0.0.1/%m", "index=5").status == 0
    assert f'export="{"b" * 32}"' in machine.read(ATTACH)


@pytest.mark.parametrize("line, is_id", [
    ("systemd.machine_id=0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0", True),
    ("systemd.machine_id=0B1C2D3E4F5061728394A5B6C7D8E9F0 x", True),
    ("systemd.machine-id=0b1c2d3e4f5061728394a5b6c7d8e9f0\n", True),
    (f"systemd.machine_id={'c' * 32} systemd.machine_id=0b1c2d3e4f5061728394a5b6c7d8e9f0", True),
    ("systemd.machine_id=firmware", True),
    # systemd takes the file then, which may be that of all machines.
    ("systemd.machine_id=0b1c2d3e4f50-61728394a5b6c7d8e9f0", False),
    ("systemd.machine_id=0b1c2d3e4f5061728394a5b6c7d8e9f01", False),
    (f"systemd.machine_id={'0' * 32}", False),
    ("systemd.machine_id=", False),
    ("quiet systemd.machine_id=thin7 ro", False),
])
def test_forms_of_the_machine_id(ctl, machine, line, is_id):
    """Those of systemd; no other id instead of one that cannot be read."""
    machine.write("proc/cmdline", line)
    machine.write("sys/class/dmi/id/product_uuid", "0B1C2D3E-4F50-6172-8394-A5B6C7D8E9F0\n")
    machine.disk("ballast5")
    said = ctl("attach", "nbd://127.0.0.1/%m", "index=5")
    assert said.status == (0 if is_id else 1), said
    assert ('export="0b1c2d3e4f5061728394a5b6c7d8e9f0"' in machine.read(ATTACH)) == is_id


def test_machine_id_in_an_initramfs(ctl, machine):
    """dracut copies the file of the machine that builds it, and other machines boot it too."""
    machine.write("etc/initrd-release", "")
    machine.disk("ballast5")
    said = ctl("attach", "nbd://127.0.0.1/%m", "index=5")
    assert said.status == 1 and "in an initramfs the file does not count" in said.err
    machine.write("proc/cmdline", f"systemd.machine_id={'b' * 32}")
    assert ctl("attach", "nbd://127.0.0.1/%m", "index=5").status == 0


@pytest.mark.parametrize("file, text, uri, why", [
    ("etc/machine-id", "uninitialized\n", "nbd://127.0.0.1/%m", "%m: neither /etc/machine-id"),
    ("etc/machine-id", "0" * 32 + "\n", "nbd://127.0.0.1/%m", "%m: neither /etc/machine-id"),
    ("etc/machine-id", "", "nbd://127.0.0.1/%m", "%m: neither /etc/machine-id"),
    ("proc/sys/kernel/hostname", "(none)\n", "nbd://127.0.0.1/%H", '%H: this machine has no'),
    ("proc/sys/kernel/hostname", "localhost.localdomain\n", "nbd://127.0.0.1/%H",
     'own: it is "localhost.localdomain"'),
    ("proc/sys/kernel/hostname", 'a"b\n', "nbd://127.0.0.1/%H", "quotation mark"),
    ("sys/class/net/lo/address", "00:00:00:00:00:00\n", "nbd://127.0.0.1/%M",
     "%M: 127.0.0.1:10809: the route's interface has no MAC: lo"),
    ("sys/class/net/lo/address", "00:11:22:33:44:55:66:77:88:99\n", "nbd://127.0.0.1/%M",
     "has no MAC: lo"),
])
def test_machine_without_that_name(ctl, machine, file, text, uri, why):
    """It may get one later: no error of the argument, and nothing is attached."""
    machine.write(file, text)
    said = ctl("attach", uri, "index=5")
    assert said.status == 1 and said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"ballastctl attach: {uri}: ") and why in said.err
    assert machine.read(ATTACH) == ""


def test_lowest_free_index(ctl, tree):
    tree.disk("ballast0")
    tree.disk("ballast1")
    tree.disk("ballast3")
    said = ctl("attach", "nbd://192.0.2.1/swap")
    assert "index=2" in tree.read(ATTACH)
    # No kernel made it.
    assert said.status == 1 and "ballast2" in said.err


def test_name(ctl, tree):
    tree.disk("ballast5")
    assert ctl("attach", "nbd://localhost/swap", "index=5").status == 0
    assert tree.read(ATTACH).startswith(("server=127.0.0.1:10809", "server=[::1]:10809"))


@pytest.mark.parametrize("server, uri", [("127.0.0.1:10809", "nbd://127.0.0.1/swap"),
                                         ("127.0.0.1:10809", "nbd://localhost:10809/swap"),
                                         ("[::1]:10809", "nbd://[0:0::1]/swap"),
                                         ("[fe80::1%lo]:10809", "nbd://[fe80::1%25lo]/swap"),
                                         ("[fe80::1%lo]:10809", "nbd://[fe80::1%lo]/swap"),
                                         ("[fe80::1%1]:10809", "nbd://[fe80:0::1%25lo]/swap"),
                                         ("[FE80::0:1%lo]:10809", "nbd://[fe80::1%251]/swap")])
def test_two_swaps_in_one_place(ctl, tree, server, uri):
    """Each would overwrite the other's pages."""
    tree.disk(server=server)
    tree.swap()
    said = ctl("attach", uri, "--swap")
    assert said.status == 1 and said.err.count("\n") == 1
    assert 'export "swap" is already swapped to, as ballast0' in said.err
    assert tree.read(ATTACH) == ""
    tree.disk("ballast5")
    assert ctl("attach", uri, "index=5").status == 0, "but another disk may be had"


@pytest.mark.parametrize("server", ["[fe80::1%gone0]:10809", "[fe80::2%lo]:10809",
                                    "[fe80::1%lo]:10810", "[fe80::1]:10809", "[::1]:10809"])
def test_two_swaps_in_two_places(ctl, tree, server):
    """The same address on another interface is another machine."""
    tree.disk(server=server)
    tree.swap()
    said = ctl("attach", "nbd://[fe80::1%25lo]/swap", "--swap")
    assert "already swapped to" not in said.err
    assert tree.read(ATTACH).startswith("server=[fe80::1%lo]:10809 ")


def test_unknown_name(ctl, tree):
    said = ctl("attach", "nbd://no-such-host.invalid/swap")
    assert said.status == 1
    assert said.err.count("\n") == 1 and "no-such-host.invalid" in said.err
    assert tree.read(ATTACH) == ""


def test_silent_server(ctl, tree):
    """The kernel's list of connections answers for a server that serves another client."""
    # What is read from a pipe was not there when the attach began, as with /dev/kmsg.
    (tree.root / "dev/kmsg").unlink()
    os.mkfifo(tree.root / "dev/kmsg")
    with open(tree.root / "dev/kmsg", "r+b", buffering=0) as log:
        log.write(b"3,1,2,-;ballast: ballast5: server 192.0.2.1:10809: negotiation: "
                  b"the server does not answer (error -110)\n")
        (tree.root / ATTACH).unlink()
        said = ctl("attach", "nbd://192.0.2.1/swap", "index=5")
    assert said.status == 1
    assert "still count an old connection: qemu-nbd needs --shared=N" in said.err


@pytest.fixture
def modprobe(tree, tmp_path_factory):
    """modprobe(script): the module is not loaded, and modprobe is that; returns its directory."""
    def make(script):
        (tree.root / "sys/class/ballast").rename(tree.root / "sys/ballast")
        bin = tmp_path_factory.mktemp("bin")
        (bin / "modprobe").write_text(f"#!/bin/sh\necho $* > {bin}/called\n{script}\n")
        (bin / "modprobe").chmod(0o755)
        return bin
    return make


@pytest.mark.parametrize("status, wrong", [(1, "status 1"), (0, "does not exist")])
def test_module_that_cannot_be_loaded(ctl, modprobe, status, wrong):
    bin = modprobe(f"exit {status}")
    said = ctl("attach", "nbd://192.0.2.1/swap", PATH=str(bin))
    assert said.status == 1 and wrong in said.err
    assert (bin / "called").read_text() == "ballast\n"


@pytest.fixture
def of_user(ctl):
    """of_user(option of unshare, PATH, arguments): -r as root, -U as another user."""
    if subprocess.run(["unshare", "-r", "true"], capture_output=True).returncode:
        pytest.skip("no user namespace can be made")

    def run(user, path, *arguments):
        return ctl(*arguments, prefix=("unshare", user), PATH=f"{path}:{os.environ['PATH']}")
    return run


@pytest.mark.parametrize("user, modes, told", [
    ("-r", "[none] integrity confidentiality\n", ""),
    ("-r", "none [integrity] confidentiality\n", "Secure Boot"),
    ("-U", "none [integrity] confidentiality\n", "only root may load the module"),
])
def test_lockdown_is_told_of(of_user, tree, modprobe, user, modes, told):
    tree.write(f"{MODULES}/modules.dep", "updates/dkms/ballast.ko.xz:\n")
    tree.write("sys/kernel/security/lockdown", modes)
    said = of_user(user, modprobe("exit 1"), "attach", "nbd://192.0.2.1/swap")
    assert said.status == 1 and "modprobe failed with status 1" in said.err
    assert said.err.count("\n") == 1 + bool(told) and told in said.err


@pytest.mark.parametrize("arguments", [["attach", "nbd://192.0.2.1/swap"], ["guard", "eth0"]])
def test_permission(of_user, tree, arguments):
    """Nothing of a server, which may answer the same."""
    tree.write("sys/class/net/eth0/flags", "0x1003\n")
    for name in ("attach", "guard"):
        (tree.root / f"sys/class/ballast/{name}").chmod(0o400)
    said = of_user("-U", "/nothing", *arguments)
    assert said.status == 1 and said.err == \
        (f"ballastctl {arguments[0]}: /sys/class/ballast/attach: Permission denied; "
         "run it as root\n")


def test_missing_headers_are_told_of(ctl, tree, modprobe):
    tree.write(f"{MODULES}/modules.dep", "kernel/drivers/net/dummy.ko.xz:\n")
    said = ctl("attach", "nbd://192.0.2.1/swap", PATH=str(modprobe("exit 1")))
    assert said.status == 1
    assert f"apt-get install linux-headers-{os.uname().release}\n" in said.err


@pytest.mark.parametrize("kernel, told", [(os.uname().release, "the build failed; see /var/lib/"),
                                          ("6.1.0-1", "to build it: dkms install ballast/")])
def test_failed_build_is_told_of(ctl, tree, modprobe, kernel, told):
    tree.write(f"{MODULES}/build/include/linux/version.h", "")
    version = ctl("--version").out.split()[1]
    tree.write(f"var/lib/dkms/ballast/{version}/build/make.log",
               f"DKMS make.log for ballast-{version} for kernel {kernel} (x86_64)\n")
    said = ctl("attach", "nbd://192.0.2.1/swap", PATH=str(modprobe("exit 1")))
    assert said.status == 1
    assert told in said.err and os.uname().release in said.err, said.err


def test_module_is_loaded(ctl, tree, modprobe):
    tree.disk("ballast0")
    bin = modprobe(f"exec /bin/mv {tree.root}/sys/ballast {tree.root}/sys/class/ballast")
    said = ctl("attach", "nbd://192.0.2.1/swap", "index=0", PATH=str(bin))
    assert said.status == 0, said.err
    assert said.out.splitlines()[0] == "the module ballast was loaded"


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("output", ["full", "closed"])
def test_output_that_fails(ctl, tree, output, how):
    """The next try would attach another disk; nor is there a file for the next boot."""
    tree.disk("ballast5")
    tree.write("etc/ballast/README", "")
    if output == "full":
        to = os.open("/dev/full", os.O_WRONLY)
    else:
        end, to = os.pipe()
        os.close(end)
    done = subprocess.run(
        [os.path.abspath(CTL), "attach", "nbd://192.0.2.1/swap", "index=5", "--persist", *how],
        stdout=to, stderr=subprocess.PIPE, text=True, timeout=20,
        env={**os.environ, "BALLAST_ROOT": str(tree.root)}, check=False)
    os.close(to)
    assert done.returncode == 1 and done.stderr.count("standard output: ") == 1, done
    assert done.stderr.endswith("ballast5: detached again\n")
    assert tree.read("sys/block/ballast5/ballast/detach") == "1"
    assert os.listdir(tree.root / "etc/ballast") == ["README"]
    assert not (tree.root / "run").exists()


@pytest.mark.parametrize("name", ["ballast0", "/dev/ballast0"])
def test_detach(ctl, tree, name):
    tree.disk()
    assert ctl("detach", name) == (0, "ballast0: detached\n", "")
    assert tree.read("sys/block/ballast0/ballast/detach") == "1"


@pytest.mark.parametrize("device", ["ballast0", "ballast0p1"])
def test_swapped_on(ctl, tree, device):
    tree.disk()
    tree.swap(device)
    said = ctl("detach", "ballast0")
    assert said.status == 1 and said.out == "" and said.err.count("\n") == 1
    assert f"is a swap; run swapoff /dev/{device}" in said.err
    assert tree.read("sys/block/ballast0/ballast/detach") == ""
    assert ctl("detach", "--force", "ballast0").status == 0
    assert tree.read("sys/block/ballast0/ballast/detach") == "force"


def test_another_is_swapped_on(ctl, tree):
    tree.disk()
    tree.swap("ballast01")
    assert ctl("detach", "ballast0").status == 0


def test_mounted(ctl, tree):
    tree.disk()
    tree.write("proc/self/mounts", "/dev/vda / ext4 rw 0 0\n/dev/ballast0 /srv/x ext4 rw 0 0\n"
               "/dev/vdb /y ext4 rw 0 0\n")
    said = ctl("detach", "ballast0")
    assert said.status == 1 and "mounted on /srv/x" in said.err
    assert tree.read("sys/block/ballast0/ballast/detach") == ""


@pytest.mark.parametrize("where", ["", "ballast0p2/"], ids=["disk", "partition"])
def test_held(ctl, tree, where):
    tree.disk()
    tree.write(f"sys/block/ballast0/{where}holders/md0", "")
    said = ctl("detach", "ballast0")
    assert said.status == 1 and "part of md0; stop md0 first" in said.err
    assert tree.read("sys/block/ballast0/ballast/detach") == ""


@pytest.mark.parametrize("device", ["dm-1", "mapper/" + "long-" * 25 + "x"],
                         ids=["udev", "no-udev"])
def test_swap_on_lvm(ctl, tree, device):
    """dm-1, dm-crypt over LVM: it is the disk's, and detach neither ends nor swaps off either."""
    tree.disk()
    tree.disk("ballast1")
    tree.write("sys/block/ballast0/holders/dm-0", "")
    tree.write("sys/block/dm-0/dm/name", "data-swap\n")
    tree.write("sys/block/dm-0/slaves/ballast0", "")
    tree.write("sys/block/dm-1/slaves/dm-0", "")
    tree.write("sys/block/dm-1/dm/name", "long-" * 25 + "x\n")
    tree.swap(device)
    for how in ([], ["--swapoff"]):
        said = ctl("detach", *how, "ballast0")
        assert said.status == 1 and said.out == ""
        assert "part of dm-0 (data-swap)" in said.err
        assert f"run swapoff /dev/{device} and stop dm-0 first" in said.err
    assert f"priority -2, on /dev/{device}" in ctl("status", "ballast0").out
    assert "swap:" not in ctl("status", "ballast1").out
    first, second = json.loads(ctl("status", "--json").out)["disks"]
    assert first["swap"]["path"] == f"/dev/{device}" and second["swap"] is None
    assert ctl("detach", "--force", "ballast0").status == 0
