# SPDX-License-Identifier: GPL-2.0
"""What attaches disks in an initramfs, and what is put there, without a kernel."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BOOT = Path(__file__).resolve().parents[2] / "boot"
SCRIPT = BOOT / "initramfs-attach"

# A second passes with each attempt.
BALLASTCTL = """#!/bin/sh
echo "$*" >> {work}/called
read -r now _ < /proc/uptime
echo "$((${{now%.*}} + 1)).5 1" > {work}/uptime
{script}
"""
RUN = """
mount -t tmpfs tmp /run && mount --bind {work}/cmdline /proc/cmdline &&
mount --bind {work}/uptime /proc/uptime || exit 99
PATH={work}:$PATH
{command}
"""


@pytest.fixture(params=["dash", "busybox ash"])
def attach(tmp_path, request):
    """attach(command line, what ballastctl does, script): its status, and the calls."""
    shell = request.param
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"needs {shell}")

    def run(cmdline, script="", command="$attach"):
        (tmp_path / "cmdline").write_text(f"{cmdline}\n")
        (tmp_path / "uptime").write_text("5.25 1\n")
        (tmp_path / "called").write_text("")
        for name, text in (("ballastctl", BALLASTCTL.format(work=tmp_path, script=script)),
                           ("sleep", "#!/bin/sh\n")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        command = command.replace("$attach", f"{shell} {SCRIPT}")
        done = subprocess.run(["unshare", "-rm", "sh", "-c",
                               RUN.format(work=tmp_path, command=command)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode != 99, done.stderr
        run.said = done.stderr
        return done.returncode, (tmp_path / "called").read_text().splitlines()

    return run


@pytest.mark.parametrize("parameter, words", [
    ("nbd://192.0.2.1/swap", "nbd://192.0.2.1/swap"),
    ("nbd://[2001:db8::1]/a,swap,priority=3", "nbd://[2001:db8::1]/a --swap --priority 3"),
    ("nbd://192.0.2.1/*,allow=tcp:22,udp:123,timeout=5",
     "nbd://192.0.2.1/* allow=tcp:22,udp:123 timeout=5"),
    ("nbd://192.0.2.1/swap,swap,encrypt,discard,take",
     "nbd://192.0.2.1/swap --swap --encrypt --discard --take"),
])
def test_words(attach, parameter, words):
    assert attach(f"quiet rd.ballast={parameter} ro") == (0, [f"attach {words}"])


def test_nothing_to_do(attach):
    """As with a parameter that is in a file of dracut only."""
    assert attach("quiet ro xrd.ballast=nbd://192.0.2.1/swap") == (0, [])
    assert attach.said == "ballast: rd.ballast= counts only in /proc/cmdline\n"
    attach("rd.ballast=nbd://192.0.2.1/swap")
    assert attach.said == ""


def test_only_what_is_missing_is_tried_again(attach):
    status, called = attach("rd.ballast=a rd.ballast=b rd.ballast=c",
                            "case $2 in b) exit 2 ;; "
                            "c) [ -e /run/twice ] || { : > /run/twice; exit 1; } ;; esac")
    assert status == 0
    assert called == ["attach a", "attach b", "attach c", "attach c"]


@pytest.mark.parametrize("value, words", [("", "attach"), (",swap", "attach --swap")])
def test_no_uri(attach, value, words):
    """It is named, and what follows is attached all the same."""
    status, called = attach(f"rd.ballast={value} rd.ballast=b",
                            "case $2 in b) ;; *) exit 2 ;; esac")
    assert (status, called) == (0, [words, "attach b"])
    assert f"ballast: rd.ballast={value}: not tried again\n" in attach.said


def test_half_a_minute(attach):
    status, called = attach("rd.ballast=a rd.ballast=b", "[ $2 = b ] || exit 1")
    assert status == 0 and called.count("attach a") == 29 and called.count("attach b") == 1
    assert attach.said.endswith("ballast: gave up after 30 s: rd.ballast=a\n")


def test_once(attach):
    """As dracut calls it."""
    assert attach("rd.ballast=a", "exit 1", "$attach once") == (1, ["attach a"])
    status, called = attach("rd.ballast=a", "exit 1", "until $attach once; do :; done")
    assert status == 0 and len(called) == 30
    assert attach("rd.ballast=a", "", "$attach once && $attach once") == (0, ["attach a"])


@pytest.mark.parametrize("programs, modules", [(["cryptsetup"], "network dm"), ([], "network")])
def test_dracut_has_the_rules_that_cryptsetup_waits_for(tmp_path, programs, modules):
    for name in programs:
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    setup = BOOT / "dracut" / "module-setup.sh"
    done = subprocess.run(["bash", "-c", f". {setup}; PATH={tmp_path} depends"], check=True,
                          stdout=subprocess.PIPE, text=True)
    assert done.stdout.split() == modules.split()


# What update-initramfs and dracut define for their hooks: they say what they are given.
FUNCTIONS = "".join(f'{name}() {{ echo "$*"; }}\n' for name in (
    "manual_add_modules", "auto_add_modules", "copy_exec", "copy_file", "instmods", "inst_multiple",
    "inst_rules", "inst_binary", "inst_script", "inst_hook", "dracut_need_initqueue", "inst",
    "map", "add_module", "add_all_modules", "add_binary", "add_file", "add_runscript"))
FUNCTIONS += 'dwarn() { echo "W: $*" >&2; }\nwarning() { dwarn "$@"; }\n'
BUILD = {"initramfs-tools": f". {BOOT}/initramfs-hook",
         "dracut": f". $BALLAST_ROOT/usr/share/initramfs-tools/hook-functions; "
                   f". {BOOT}/dracut/module-setup.sh; install"}
# The hook looks there, too.
HIDDEN = "mount -t tmpfs tmp /usr/sbin && mount -t tmpfs tmp /usr/local/sbin || exit 99"
RULES = "09-ballast-crypt.rules"


@pytest.fixture(params=BUILD)
def build(tmp_path, request):
    """build(programs, files): what is put into an initramfs, and what is said."""
    def run(programs, files=(), kernel_cmdline=""):
        root, path = tmp_path / "root", tmp_path / "bin"
        functions = root / "usr/share/initramfs-tools/hook-functions"
        warning = root / "usr/lib/ballast/initramfs-warning"
        for file, text in {functions: FUNCTIONS, root / "etc/ballast/initramfs": "",
                           **{root / name: text for name, text in dict(files).items()}}.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        warning.parent.mkdir(parents=True)
        shutil.copy(BOOT / "initramfs-warning", warning)
        path.mkdir()
        for name in ("sed", "grep", "head"):
            (path / name).symlink_to(shutil.which(name))
        for name in ("ballastctl", "mkswap", *programs):
            (path / name).write_text("")
            (path / name).chmod(0o755)
        script = f"{HIDDEN}\nPATH={path} kernel_cmdline='{kernel_cmdline}'\n{BUILD[request.param]}"
        done = subprocess.run(["unshare", "-rm", "bash", "-c", script, "hook", "build"],
                              text=True, check=True, capture_output=True,
                              env={**os.environ, "BALLAST_ROOT": str(root)})
        return done.stdout, done.stderr.replace(f"{root}", "")

    run.program = request.param
    return run


def test_initramfs_with_encryption(build):
    """No links by UUID: systemd would take each for a swap of its own."""
    put, said = build(["cryptsetup"], {"proc/cmdline": "rd.ballast=nbd://a/b,swap,encrypt\n"})
    assert RULES in put and "cryptsetup" in put and not said


@pytest.mark.parametrize("file, text, parameter", [
    ("proc/cmdline", "ro rd.ballast=a,swap rd.ballast=b,swap,encrypt quiet\n", "b,swap,encrypt"),
    ("etc/default/grub", "# rd.ballast=a,encrypt\nGRUB_CMDLINE_LINUX=\"rd.ballast=b,encrypt\"\n",
     "b,encrypt"),
    ("etc/default/grub.d/x.cfg", "X='ro rd.ballast=nbd://a/b,encrypt,swap'\n",
     "nbd://a/b,encrypt,swap"),
    ("proc/cmdline", "ro rd.ballast=nbd://a/encrypt,swap rd.ballast=b,encrypted\n", None),
    ("etc/default/grub", "# rd.ballast=a,encrypt\n", None),
])
def test_initramfs_that_lacks_cryptsetup(build, file, text, parameter):
    put, said = build([], {file: text})
    assert RULES not in put and "cryptsetup" not in put
    if parameter is None:
        assert not said
    else:
        assert said.startswith(f"W: ballast: /{file}: rd.ballast={parameter}: cryptsetup is not ")
        assert said.count("\n") == 1


def test_command_line_of_dracut(build):
    _, said = build([], kernel_cmdline="rd.ballast=nbd://a/b,swap,encrypt")
    dracut = build.program == "dracut"
    assert said.startswith("W: ballast: kernel command line: rd.ballast=") == dracut
