#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""blktests' block group on a ballast disk and on in-tree nbd, side by side.

Started by make blktests BLKTESTS=DIRECTORY, a checkout of blktests, which is not part of
this repository (Debian has no package of it). Fails if something fails on ballast that
passes on in-tree nbd.
"""

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "vm"))

from rig import host, image, module  # noqa: E402
from rig.disk import Disk  # noqa: E402
from rig.servers import NbdServer  # noqa: E402
from rig.vm import VM  # noqa: E402

SIZE = 128 << 20    # a test takes two buffers as large as the disk
RESULT = re.compile(r"^(block/\d+) .*\[(passed|failed|not run)\]$", re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blktests", type=Path)
    parser.add_argument("--suite", default="bookworm")
    options = parser.parse_args()
    if not (options.blktests / "check").exists():
        parser.error(f"{options.blktests}: there is no blktests in it (no file \"check\")")
    if not host.inside():
        image.get(options.suite)
        host.enter(module.build(options.suite).path)

    with NbdServer({"swap": SIZE}) as server, \
            VM(options.suite, memory=512, name="blktests", udev=True) as guest:
        module.load(guest)
        names = prepare(guest, options.blktests)
        host.say(f"{len(names)} tests that take a disk: {' '.join(names)}")
        with Disk(guest, server, export="swap", connections=2) as disk:
            ours = run(guest, disk.path, names)
        guest.run(f"modprobe nbd && nbd-client {server.address} {server.port} /dev/nbd0 "
                  "-N swap -connections 2")
        theirs = run(guest, "/dev/nbd0", names)

    print(f"\n{'test':12}{'ballast':>10}{'in-tree nbd':>14}")
    worse = []
    for name in names:
        mine, peers = ours.get(name, "no result"), theirs.get(name, "no result")
        print(f"{name:12}{mine:>10}{peers:>14}")
        if mine != "passed" and peers == "passed":
            worse.append(name)
    print(f"worse than in-tree nbd: {' '.join(worse) or 'none'}")
    return bool(worse) or "passed" not in ours.values()


def prepare(guest, source):
    """Build it here, put it into the guest; returns the block tests that take a disk."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["cp", "-a", f"{source}/.", work], check=True)
        subprocess.run(["make", "-s", "-C", work], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        # What does not build here is missing in the guest, and its tests say so.
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for part in ("check", "common", "src", "tests/block"):
                tar.add(f"{work}/{part}", part)
        names = sorted(f"block/{path.name}" for path in Path(work, "tests/block").iterdir()
                       if path.name.isdigit() and "test_device" in path.read_text())
    guest.put("/root/blktests.tar", packed.getvalue())
    # It wants GNU awk by name, and the tests that take a disk do without. column is only
    # for how it looks.
    guest.run("""mkdir /root/blktests && tar -xf /root/blktests.tar -C /root/blktests
        command -v gawk || ln -s $(command -v awk) /usr/bin/gawk
        command -v hexdump || ln -s $(command -v busybox) /usr/bin/hexdump
        command -v column || {
            printf "#!/bin/sh\nexec cat\n" > /usr/bin/column
            chmod +x /usr/bin/column
        }
        [ -e /sys/kernel/debug/block ] || mount -t debugfs none /sys/kernel/debug""")
    return names


def run(guest, disk, names):
    """{test: passed, failed or not run} of one disk."""
    host.say(f"{disk} ...")
    guest.run(f"printf 'TEST_DEVS=({disk})\\nTIMEOUT=20\\n' > /root/blktests/config")
    said = guest.run(f"cd /root/blktests && ./check {' '.join(names)} 2>&1", timeout=1800,
                     check=False).output
    print(said)
    return dict(RESULT.findall(re.sub(r" +\(.*?\)", " ", said)))


if __name__ == "__main__":
    sys.exit(main())
