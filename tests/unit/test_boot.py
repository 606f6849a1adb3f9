# SPDX-License-Identifier: GPL-2.0
"""boot/disk, with files of its own in the place of the system's, and without a kernel."""

import shutil
import subprocess
from pathlib import Path

import pytest

BOOT = Path(__file__).resolve().parents[2] / "boot"
SCRIPT = BOOT / "disk"

PROGRAMS = {
    "sleep": '[ -z "$ANSWERS" ] || exec /bin/sleep 0.1',
    # One that waits for ever says no more than one that fails.
    "dd": 'echo "$1" >> {work}/read; [ "$ANSWERS" ]',
    "findmnt": """case $1 in
        -no) [ "$3" != / ] || echo "$ROOT$SUBVOLUME" ;;
        -vno) [ "$3" != / ] || echo "$ROOT" ;;
        -vrno) echo "$MOUNTED" ;;
        esac""",
    # ballast-shutdown.service stops after $SECONDS_LEFT.
    "systemctl": """case $* in
        is-system-running) echo $STATE ;;
        *start*) [ -z "$START" ] ;;
        *is-active*) echo >> /run/asked; [ $(wc -l < /run/asked) -le $SECONDS_LEFT ] ;;
        esac""",
    "blkdeactivate": "for last; do :; done; rm -rf /sys/block/${last#/dev/}/holders/*",
    "swapoff": '[ -z "$SWAPOFF" ] || exit 1; sed "\\|^$1 |d" /proc/swaps > /run/left; '
               "cat /run/left > /proc/swaps",
    # As in the kernel: what is forced off fails all that is on it.
    "ballastctl": """case "$1 $2" in
        attach*) eval "$ATTACH" ;;
        "detach --swapoff") eval "$DETACHED" ;;
        "detach --force") rm -r /sys/block/$3; : > /proc/swaps ;;
        esac""",
}
# The devices: ballast0 has a partition, md0 is on ballast1, and LVM on md0; vda is local.
RUN = """
mount -t tmpfs tmp /sys && mount -t tmpfs tmp /run && mount -t tmpfs tmp /dev || exit 99
touch /dev/null
mount --bind {work}/swaps /proc/swaps && mount --bind {work}/fstab /etc/fstab || exit 99
disk() {{ mkdir -p /sys/class/block /sys/block /sys/devices/$1/holders /sys/devices/$1/slaves
    ln -s /sys/devices/$1 /sys/class/block/$1; ln -s /sys/devices/$1 /sys/block/$1; }}
for name in ballast0 ballast1 ballast2 md0 dm-0 vda; do disk $name; done
for name in ballast0 ballast1 ballast2; do
    rm /sys/block/$name; mv /sys/devices/$name /sys/block/$name
    ln -sfn /sys/block/$name /sys/class/block/$name
    mkdir /sys/block/$name/ballast; echo ${{LIVE:-live}} > /sys/block/$name/ballast/state
done
[ -z "$GONE" ] || echo reconnecting > /sys/block/$GONE/ballast/state
[ -z "$SUPER" ] || mkdir -p /sys/fs/$SUPER
mkdir -p /sys/block/ballast0/ballast0p1/slaves /dev/disk/by-uuid
echo 1 > /sys/block/ballast0/ballast0p1/partition
ln -s /sys/block/ballast0/ballast0p1 /sys/class/block/
ln -s /sys/class/block/ballast1 /sys/devices/md0/slaves/
ln -s /sys/devices/md0 /sys/block/ballast1/holders/
ln -s /sys/devices/md0 /sys/devices/dm-0/slaves/
mkdir /dev/disk/by-label
ln -s ../../ballast2 /dev/disk/by-uuid/1234-5678
ln -s ../../ballast0p1 '/dev/disk/by-label/a\\x20\\x2fdisk'
PATH={work}:$PATH
eval "$BEFORE"
sh {script} {arguments}
status=$?
eval "$AFTER"
exit $status
"""


@pytest.fixture
def disk(tmp_path):
    """disk(arguments): its status and the programs that it called, in order."""
    if not shutil.which("systemd-escape"):
        pytest.skip("needs systemd-escape")
    for name, script in PROGRAMS.items():
        file = tmp_path / name
        silent = name in ("sleep", "findmnt", "dd")
        note = "" if silent else f'echo "{name} $*" >> {tmp_path}/called'
        script = script.replace("{work}", str(tmp_path))
        file.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        file.chmod(0o755)

    def run(arguments, swaps=(), fstab="", **environment):
        (tmp_path / "swaps").write_text("".join(f"{swap} partition 1 1 -2\n" for swap in swaps))
        (tmp_path / "fstab").write_text(fstab)
        (tmp_path / "called").write_text("")
        script = RUN.format(work=tmp_path, script=SCRIPT, arguments=arguments)
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True,
                              stdin=subprocess.DEVNULL, text=True, timeout=180,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "STATE": "stopping",
                                   **environment})
        assert done.returncode != 99, done.stderr
        run.out, run.err = done.stdout, done.stderr
        called = (tmp_path / "called").read_text().splitlines()
        return done.returncode, [each for each in called if "is-system-running" not in each]

    run.read = lambda: {line.rpartition("/")[2]
                        for line in (tmp_path / "read").read_text().splitlines()}
    return run


@pytest.mark.parametrize("name, is_below", [
    ("ballast0", True), ("ballast0p1", True), ("md0", True), ("dm-0", True),
    ("vda", False), ("nothing", False)])
def test_below(disk, name, is_below):
    assert disk(f"below {name}") == (0 if is_below else 1, [])


FSTAB = """# comment

/dev/vda / ext4 defaults 0 1
/dev/md0 none swap nofail,_netdev 0 0
UUID=1234-5678 /srv/my-data ext4 _netdev,nofail 0 0
/dev/dm-0 none swap noauto 0 0
server:/export /mnt nfs defaults 0 0
LABEL=a\\040/disk /srv/two\\040words ext4 _netdev 0 0
/dev/ballast0p1 /srv/b ext4 _netdev 0 0
"""


@pytest.mark.parametrize("name, units", [
    ("md0", ["dev-md0.swap"]), ("ballast2", ["srv-my\\x2ddata.mount"]), ("dm-0", []),
    ("ballast1", []), ("ballast0p1", ["srv-two\\x20words.mount", "srv-b.mount"])])
def test_fstab(disk, name, units):
    called = [f"systemctl --no-block start {unit}" for unit in units]
    assert disk(f"fstab {name}", fstab=FSTAB) == (0, called)


def test_fstab_whose_last_line_has_no_end(disk):
    table = "# comment\n/dev/ballast2 /srv/b ext4 _netdev"
    called = ["systemctl --no-block start srv-b.mount"]
    assert disk("fstab ballast2", fstab=table) == (0, called)


def test_fstab_goes_on_after_an_error(disk):
    status, called = disk("fstab ballast0p1", fstab=FSTAB, START="fails")
    assert status == 0 and len(called) == 2


SWAPS = ("/dev/vda", "/dev/ballast0p1", "/dev/dm-0")


def test_shutdown(disk):
    status, called = disk("shutdown", SWAPS)
    assert status == 0
    begun = [call for call in called if call.startswith("swapoff")]
    assert set(begun) == {"swapoff /dev/ballast0p1", "swapoff /dev/dm-0"}
    assert called[len(begun):] == ["ballastctl detach --swapoff ballast0",
                                   "blkdeactivate -l retry,wholevg -r wait /dev/ballast1",
                                   "ballastctl detach --swapoff ballast1",
                                   "ballastctl detach --swapoff ballast2"]


def test_shutdown_without_the_server(disk):
    """It is waited for for half a minute, and then what is in the swap is lost."""
    status, called = disk("shutdown", SWAPS[:2], LIVE="reconnecting", SWAPOFF="fails")
    assert status == 0
    calls = called.index("ballastctl detach --force ballast0")
    assert 30 <= calls <= 31 and set(called[:calls]) == {"swapoff /dev/ballast0p1"}
    assert called[calls + 1:] == ["ballastctl detach --force ballast1",
                                  "ballastctl detach --force ballast2"]


def test_shutdown_without_one_server(disk):
    """LVM, which blkdeactivate calls, would wait for it."""
    status, called = disk("shutdown", GONE="ballast2")
    assert status == 0
    assert called == ["ballastctl detach --force ballast2",
                      "ballastctl detach --swapoff ballast0",
                      "blkdeactivate -l retry,wholevg -r wait /dev/ballast1",
                      "ballastctl detach --swapoff ballast1"]


@pytest.mark.parametrize("action", ["shutdown", "abandon"])
def test_one_connection_of_several_is_lost(disk, action):
    """The disk is not live, but it works."""
    status, called = disk(action, SWAPS, LIVE="reconnecting", ANSWERS="yes", SECONDS_LEFT="35")
    assert status == 0 and not any("--force" in call for call in called)
    assert action == "abandon" or called[-1] == "ballastctl detach --swapoff ballast2"


def test_shutdown_without_memory(disk):
    status, called = disk("shutdown", SWAPS[:2], SWAPOFF="fails")
    assert status == 0 and not any("--force" in call for call in called)
    assert called[-1] == "ballastctl detach --swapoff ballast2"


def test_root_stays(disk):
    """Nor is it read: systemd would wait for the read."""
    status, called = disk("shutdown", ROOT="/dev/dm-0", LIVE="reconnecting")
    assert status == 0
    assert called == ["ballastctl detach --force ballast0", "ballastctl detach --force ballast2"]
    assert disk.read() == {"ballast0", "ballast2"}


@pytest.mark.parametrize("action", ["shutdown", "abandon"])
def test_only_at_shutdown(disk, action):
    assert disk(action, SWAPS, STATE="running", LIVE="reconnecting") == (0, [])


def abandoned(called):
    """When each disk was detached, in seconds."""
    asked = [call.startswith("systemctl --quiet is-active") for call in called]
    return [(sum(asked[:number]), call.split()[-1]) for number, call in enumerate(called)
            if call.startswith("ballastctl detach --force")]


@pytest.mark.parametrize("environment, when", [
    ({"LIVE": "live"}, []),
    ({"SECONDS_LEFT": "31"}, []),
    ({"ROOT": "/dev/dm-0"}, [(32, "ballast0"), (32, "ballast2")]),
    ({"MOUNTED": "/dev/dm-0", "SECONDS_LEFT": "310"},
     [(32, "ballast0"), (302, "ballast1"), (32, "ballast2")]),
    # umount writes what is dirty.
    ({"SUPER": "ext4/dm-0", "SECONDS_LEFT": "310"},
     [(32, "ballast0"), (302, "ballast1"), (32, "ballast2")]),
    ({"SUPER": "btrfs/1234/devices/ballast2", "SECONDS_LEFT": "310"},
     [(32, "ballast0"), (32, "ballast1"), (302, "ballast2")]),
])
def test_abandon(disk, environment, when):
    """What waits for a server that is gone at shutdown is not waited for."""
    status, called = disk("abandon", SWAPS, **{"LIVE": "reconnecting", "SECONDS_LEFT": "35",
                                               **environment})
    assert status == 0
    assert abandoned(called) == sorted(when)
    asked = [call for call in called if not call.startswith("ballastctl")]
    assert asked == ["systemctl --quiet is-active ballast-shutdown.service"] * len(asked)


# What ballastctl prints before it swaps to a disk, with the files that tell whose it is.
ATTACH = """mkdir -p /sys/block/ballast3/ballast
echo 192.0.2.1:10809 > /sys/block/ballast3/ballast/server
echo swap > /sys/block/ballast3/ballast/export
echo '/dev/ballast3: attached to 192.0.2.1:10809, export "swap", 64.0 MiB'"""
URI = "nbd://192.0.2.1/swap"
FULL = "seq 99999 > /run/full 2> /dev/null"
ONLINE = "systemctl --quiet start network-online.target"


def test_start(disk):
    status, called = disk("start swap", URI=URI, SWAP="yes", PRIORITY="3", OPTIONS="a=b c=d",
                          STATE="running", ATTACH=ATTACH)
    assert (status, disk.err) == (0, "")
    assert called == [ONLINE, f"ballastctl attach {URI} --swap --priority 3 a=b c=d"]
    assert disk.out == '/dev/ballast3: attached to 192.0.2.1:10809, export "swap", 64.0 MiB\n'


def test_start_without_a_file(disk):
    """The unit does not require it: a stop has to work without it."""
    assert disk("start a-name-that-no-file-has") == (2, [])
    assert disk.err == "/etc/ballast/a-name-that-no-file-has.conf: there is no such file\n"


def test_start_without_room_for_the_note(disk):
    """/run is full: ballastctl can't print the disk's name, and detaches it."""
    status, _ = disk("start swap", URI=URI, STATE="running", ATTACH=f"{FULL}; {ATTACH}; "
                     "rm -r /sys/block/ballast3; exit 1",
                     BEFORE="mount -o remount,size=64k /run", AFTER="ls /run/ballast")
    assert (status, disk.out) == (1, "")


def test_start_without_an_inode_for_the_note(disk):
    """It is tried again: the file in /etc/ballast is not wrong."""
    fill = "seq -f /run/ballast/%g 999 | xargs touch 2> /dev/null"
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH,
                          BEFORE=f"mkdir /run/ballast; mount -o remount,nr_inodes=500 /run; {fill}")
    assert (status, called) == (1, [ONLINE]), disk.err


# Another disk gets the name of the one that the unit attached.
REPLACE = """rm -r /sys/block/ballast3; mkdir /sys/block/another
mkdir -p /sys/block/ballast3/ballast; cd /sys/block/ballast3/ballast
echo {server} > server; echo {export} > export"""
ANOTHER = REPLACE.format(server="192.0.2.2:10809", export="swap")
# By hand, without the unit.
SAME = REPLACE.format(server="192.0.2.1:10809", export="swap")
STOP = f"sh {SCRIPT} stop swap; ls /run/ballast"
DETACH = "ballastctl detach --swapoff ballast3"


@pytest.mark.parametrize("replaced", [ANOTHER, SAME], ids=["another", "same"])
def test_a_stop_spares_another_disk(disk, replaced):
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH,
                          AFTER=f"{replaced}; {STOP}")
    assert (status, called) == (0, [ONLINE, f"ballastctl attach {URI}"])
    assert disk.out.count("\n") == 1, "the note is still there"


@pytest.mark.parametrize("replaced", [ANOTHER, SAME], ids=["another", "same"])
def test_a_start_does_not_adopt_another_disk(disk, replaced):
    attach = "echo '/dev/ballast4: attached to x'"
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH,
                          AFTER=f"{replaced}; ATTACH=\"{attach}\" sh {SCRIPT} start swap")
    assert (status, called) == (0, [ONLINE, f"ballastctl attach {URI}"] * 2)
    assert "still attached" not in disk.out


def test_a_disk_that_was_moved_is_the_same(disk):
    moved = "echo 192.0.2.9:10809 > /sys/block/ballast3/ballast/server"
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH,
                          AFTER=f"{moved}; sh {SCRIPT} start swap; {STOP}")
    assert (status, called) == (0, [ONLINE, f"ballastctl attach {URI}", DETACH])
    assert disk.out.endswith("ballast3 is still attached\n")


def noted(text):
    return f"{ATTACH} > /dev/null; mkdir -p /run/ballast; echo '{text}' > /run/ballast/swap"


GONE = "rm -r /sys/block/ballast3/ballast"  # a detach has begun


@pytest.mark.parametrize("replaced, calls", [(":", [DETACH]), (ANOTHER, []), (GONE, [])],
                         ids=["kept", "another", "gone"])
def test_stop_after_an_interrupted_start(disk, replaced, calls):
    """Only ballastctl has written to the note."""
    text = '/dev/ballast3: attached to 192.0.2.1:10809, export "swap", 64.0 MiB'
    assert disk("stop swap", STATE="running", BEFORE=f"{noted(text)}; {replaced}") == (0, calls)


@pytest.mark.parametrize("replaced, calls", [(":", [DETACH]), (SAME, [])],
                         ids=["kept", "replaced"])
def test_stop_after_persist(disk, replaced, calls):
    """ballastctl attach --persist writes the note and starts the unit."""
    identity = "echo identity $(stat -L -c %i /sys/block/ballast3) >> /run/ballast/swap"
    status, called = disk("start swap", URI=URI, STATE="running",
                          BEFORE=f"{noted('/dev/ballast3: attached')}; {identity}",
                          AFTER=f"{replaced}; {STOP}")
    assert (status, called) == (0, calls)
    assert disk.out == "ballast3 is still attached\n"


GUARDED = "ballastctl guard eth0"


@pytest.mark.parametrize("after", ["unset GUARD", "GUARD=eth1", "unset GUARD; URI=nbd://x/y"])
def test_stop_of_a_guard_whose_file_has_changed(disk, after):
    """It ends the guard that the start began."""
    status, called = disk("start swap", GUARD="eth0", STATE="running",
                          AFTER=f"{after}; {STOP}; ls /run/ballast")
    assert (status, called, disk.out) == (0, [GUARDED, f"{GUARDED} off"], "")


def test_stop_of_a_guard_of_an_earlier_release(disk):
    assert disk("stop swap", GUARD="eth0", STATE="running") == (0, [f"{GUARDED} off"])
    assert disk("stop swap", GUARD="eth0") == (0, []), "at shutdown"


def test_stop_of_a_disk_whose_file_guards_now(disk):
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH,
                          AFTER=f"unset URI; GUARD=eth0; export GUARD; {STOP}")
    assert (status, called[-1]) == (0, DETACH)


def test_guard_without_room_for_the_note(disk):
    status, called = disk("start swap", GUARD="eth0", STATE="running",
                          BEFORE="mkdir -p /run/ballast/swap")
    assert (status, called) == (0, [GUARDED])


def test_an_attach_that_fails_leaves_no_note(disk):
    status, called = disk("start swap", URI=URI, STATE="running",
                          ATTACH=f"{ATTACH}; rm -r /sys/block/ballast3; exit 3",
                          AFTER="ls /run/ballast")
    assert (status, called, disk.out) == (3, [ONLINE, f"ballastctl attach {URI}"], "")


# Its name in sysfs, and as ballastctl prints it.
NAMED = """mkdir -p /sys/block/ballast3/ballast
echo 192.0.2.1:10809 > /sys/block/ballast3/ballast/server
printf '%b\\n' '{name}' > /sys/block/ballast3/ballast/export
printf '%s\\n' '/dev/ballast3: attached to 192.0.2.1:10809, export "{said}", 64.0 MiB'"""
BLANKS = NAMED.format(name=" a swap ", said=" a swap ")
CONTROL = NAMED.format(name="a\\tswap", said="a\\x09swap")


@pytest.mark.parametrize("attach", [BLANKS, CONTROL], ids=["blanks", "control"])
def test_export_of_any_name(disk, attach):
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=attach, AFTER=STOP)
    assert (status, disk.err, called[-1]) == (0, "", DETACH)


def test_export_with_blanks_after_an_interrupted_start(disk):
    before = f"mkdir /run/ballast; {{ {BLANKS}; }} > /run/ballast/swap"
    assert disk("stop swap", STATE="running", BEFORE=before) == (0, [DETACH])


def test_a_stop_waits_for_the_attach_to_undo(disk):
    """SIGTERM is for both. Without the wait, "disk stop" would detach the disk as well."""
    undo = "kill $PPID; sleep 1; rm -r /sys/block/ballast3; exit 1"
    status, _ = disk("start swap", URI=URI, STATE="running", ANSWERS="yes",
                     ATTACH=f"{ATTACH}; {undo}", AFTER="ls -d /sys/block/ballast3 /run/ballast/*")
    assert (status, disk.out) == (0, "")


def test_a_stop_of_what_another_process_has_detached(disk):
    status, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH, AFTER=STOP,
                          DETACHED="rm -r /sys/block/ballast3; exit 2")
    assert (status, called[-1]) == (0, DETACH)
    assert disk.out.count("\n") == 1, "the note is still there"


def test_a_stop_that_fails(disk):
    _, called = disk("start swap", URI=URI, STATE="running", ATTACH=ATTACH, AFTER=STOP,
                     DETACHED="exit 1")
    assert called[-1] == DETACH and disk.out.endswith("\nswap\n")


@pytest.mark.parametrize("variables", [{"URI": URI}, {"GUARD": "eth0"}])
def test_options_that_would_change_what_is_printed(disk, variables):
    status, called = disk("start swap", STATE="running", OPTIONS="timeout=5 --json", **variables)
    assert (status, called) == (2, [])
    assert disk.err == "/etc/ballast/swap.conf: OPTIONS=: --json: only OPTION=VALUE is possible\n"


@pytest.mark.parametrize("variables, command", [({"URI": URI}, f"attach {URI}"),
                                                ({"GUARD": "eth0"}, "guard eth0")])
def test_options_are_no_patterns(disk, variables, command):
    words = "allow=tcp:2049@[2001:db8::5] timeout=5"
    status, called = disk("start swap", STATE="running", OPTIONS=words, **variables,
                          BEFORE="cd /run; touch allow=tcp:2049@2")
    assert (status, called[-1]) == (0, f"ballastctl {command} {words}")


@pytest.mark.parametrize("swap", [{}, {"SWAP": "no"}])
def test_priority_without_swap(disk, swap):
    status, called = disk("start swap", STATE="running", URI=URI, PRIORITY="5", **swap)
    assert (status, called) == (2, [])
    assert disk.err == "/etc/ballast/swap.conf: PRIORITY= requires SWAP=yes\n"


@pytest.mark.parametrize("action", ["shutdown", "abandon"])
def test_root_on_a_subvolume_stays(disk, action):
    status, called = disk(action, ROOT="/dev/dm-0", SUBVOLUME="[/@]", LIVE="reconnecting",
                          SECONDS_LEFT="35")
    assert status == 0 and not any(call.endswith(" ballast1") for call in called)


def test_root_on_several_devices_stays(disk):
    """findmnt names one of them."""
    both = "mkdir -p /sys/fs/btrfs/1234/devices/ballast2 /sys/fs/btrfs/1234/devices/dm-0"
    status, called = disk("shutdown", ROOT="/dev/dm-0", BEFORE=both)
    assert (status, called) == (0, ["ballastctl detach --swapoff ballast0"])


LABELS = r"""LABEL=a(b) /srv/a ext4 _netdev 0 0
LABEL=grün#+-.:=@_ /srv/b ext4 _netdev 0 0
PARTLABEL="a\040'\134$!" /srv/c ext4 _netdev 0 0
"""


@pytest.mark.parametrize("link, unit", [
    (r"by-label/a\x28b\x29", "srv-a.mount"), ("by-label/grün#+-.:=@_", "srv-b.mount"),
    (r"by-partlabel/a\x20\x27\x5c\x24\x21", "srv-c.mount")])
def test_names_of_links(disk, link, unit):
    before = f"mkdir -p /dev/disk/by-partlabel; ln -s ../../ballast2 '/dev/disk/{link}'"
    called = [f"systemctl --no-block start {unit}"]
    assert disk("fstab ballast2", fstab=LABELS, BEFORE=before) == (0, called)


@pytest.fixture
def generate(tmp_path):
    """generate(**files of /etc/ballast): the directory of units."""
    if not shutil.which("systemd-escape"):
        pytest.skip("needs systemd-escape")
    root, units = tmp_path / "root", tmp_path / "units"

    def run(fstab="", **files):
        for directory in ("etc/ballast", "usr/lib/ballast"):
            (root / directory).mkdir(parents=True)
        (root / "usr/lib/ballast/disk").symlink_to(SCRIPT)
        (root / "etc/fstab").write_text(fstab)
        for name, text in files.items():
            (root / f"etc/ballast/{name}.conf").write_text(text)
        done = subprocess.run([BOOT / "ballast-generator", units], stdin=subprocess.DEVNULL,
                              env={"PATH": "/usr/bin:/bin", "BALLAST_ROOT": str(root)})
        assert done.returncode == 0
        return units
    return run


def test_generator_orders_swaps_of_fstab(generate):
    """Also after one whose unit has no name, and in a last line without an end."""
    units = generate(fstab="/dev/md0 none swap nofail,_netdev 0 0\n"
                     "/dev/mapper/../md1 none swap _netdev 0 0\n/dev/md2 none swap sw 0 0\n"
                     "UUID=1-2 none swap _netdev")
    ordered = {path.name for path in units.glob("*.swap.d") if "ballast" not in path.name}
    assert ordered == {"dev-md0.swap.d", r"dev-disk-by\x2duuid-1\x2d2.swap.d"}
    assert len(list(units.glob("dev-ballast*.swap.d"))) == 16


@pytest.mark.parametrize("line", ["GUARD=eth0", "GUARD = eth0", '\tGUARD\t= "eth0" ',
                                  "GUARD='eth0'"])
def test_generator_reads_lines_as_systemd_does(generate, line):
    units = generate(card=f"# GUARD=eth9\n{line}\n")
    device = "sys-subsystem-net-devices-eth0.device"
    assert (units / f"{device}.wants/ballast@card.service").is_symlink()
    assert f"\nBindsTo={device}\n" in (units / "ballast@card.service.d/guard.conf").read_text()
    assert not list((units / "multi-user.target.wants").iterdir())


@pytest.mark.parametrize("name", ["..", ".", "../net", "eth0/x", "eth0 # lan", "eth0:1", "n" * 16])
def test_generator_and_a_guard_of_no_interface(generate, name):
    """Its unit fails and says so. The other files count, and the order of swaps."""
    units = generate(a="URI=nbd://192.0.2.1/a\n", b=f"GUARD={name}\n", c="GUARD=eth1\n",
                     d="URI=nbd://192.0.2.1/d\n")
    assert {path.name for path in (units / "multi-user.target.wants").iterdir()} == \
        {"ballast@a.service", "ballast@b.service", "ballast@d.service"}
    assert [path.name for path in units.glob("*.device.wants/*")] == ["ballast@c.service"]
    assert (units / "dev-ballast0.swap.d/ballast.conf").exists()
