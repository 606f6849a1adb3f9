# SPDX-License-Identifier: GPL-2.0
"""doctor: swaps and file systems of /etc/fstab on disks of ballast, without _netdev."""

import json

import pytest

NAME = "fstab-without-netdev"
UUID = "0a1b2c3d-0000-4000-8000-123456789abc"


@pytest.fixture
def stack(tree):
    """dm-0, called vg-swap, lies on md0, and that on a partition of ballast0; vda is local."""
    tree.disk()
    tree.reserve(in_use=0)
    tree.write("sys/class/net/eth0/flags", "0x1003\n")
    tree.write("sys/block/dm-0/dm/name", "vg-swap\n")
    tree.write("sys/block/dm-0/slaves/md0/size", "")
    tree.write("sys/block/md0/slaves/ballast0p1/size", "")
    for device in ("ballast0", "ballast0p1", "md0", "dm-0", "mapper/vg-swap", "vda"):
        tree.write(f"dev/{device}", "")
    for link, to in ((f"disk/by-uuid/{UUID}", "md0"), ("disk/by-uuid/local", "vda"),
                     (r"disk/by-label/scratch\x20space", "ballast0p1"), ("vg/swap", "dm-0")):
        link = tree.root / "dev" / link
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../" * (len(link.relative_to(tree.root / "dev").parts) - 1) + to)
    return tree


def asked(ctl, tree, *lines):
    tree.write("etc/fstab", "".join(line + "\n" for line in lines))
    said = ctl("doctor", "--json")
    assert said.err == ""
    return [each for each in json.loads(said.out)["findings"] if each["id"] == NAME]


@pytest.mark.parametrize("source, use", [
    ("/dev/ballast0p1", "none swap sw 0 0"),
    ("/dev/md0", "none swap defaults,nofail 0 0"),
    (f"UUID={UUID}", "none swap sw 0 0"),
    (f'UUID="{UUID}"', "none swap"),
    ("/dev/mapper/vg-swap", "none swap sw 0 0"),
    ("/dev/vg/swap", "none swap sw 0 0"),
    ("/dev/ballast16", "none swap sw 0 0"),
    (r"LABEL=scratch\040space", "/srv ext4 noauto 0 2"),
    ("/dev/ballast0", "/srv ext4 defaults 0 2"),
])
def test_found(ctl, stack, source, use):
    if source == "/dev/ballast16":
        stack.disk("ballast16")
        stack.write("dev/ballast16", "")
    found, = asked(ctl, stack, f"{source} {use}")
    assert found["severity"] == "advice"
    assert "the swap" in found["finding"] or "/srv" in found["finding"], found
    disk = "ballast16" if source == "/dev/ballast16" else "ballast0"
    assert f" on {disk} without" in found["finding"], found
    shown = source.replace(r"\040", " ")
    assert f"Device: {shown}." in found["figures"], found
    assert "_netdev,nofail" in found["commands"][0] and shown in found["commands"][0], found
    # With the option there is nothing to say.
    place, kind = use.split()[:2]
    assert not asked(ctl, stack, f"{source} {place} {kind} nofail,_netdev 0 0")


@pytest.mark.parametrize("line", [
    "# /dev/md0 none swap sw 0 0",
    "",
    "/dev/ballast0 none swap nofail 0 0",     # the generator orders it
    "/dev/vda / ext4 defaults 0 1",
    "UUID=local /srv ext4 defaults 0 2",
    "UUID=0000-0000 /boot vfat defaults 0 2",  # not there
    "/dev/mapper/other none swap sw 0 0",
    "tmpfs /tmp tmpfs defaults 0 0",
    "192.0.2.1:/srv /srv nfs defaults 0 0",
    "/swapfile none swap sw 0 0",
])
def test_not_found(ctl, stack, line):
    assert not asked(ctl, stack, line)


def test_each_line(ctl, stack):
    found = asked(ctl, stack, "/dev/vda / ext4 defaults 0 1", "/dev/md0 none swap sw 0 0",
                  "/dev/vg/swap none swap sw 0 0")
    assert [each["figures"].split()[1] for each in found] == ["/dev/md0.", "/dev/vg/swap."]


def test_no_fstab(ctl, stack):
    said = ctl("doctor", "--json")
    assert said.err == "" and NAME not in said.out
