# SPDX-License-Identifier: GPL-2.0
"""Two servers under md RAID 1: the loss of either, under load, loses nothing."""

import re

from rig import module, servers
from rig.disk import Disk
from rig.wait import until

ARRAY = "/dev/md0"


def members(guest):
    """What md says of each member, such as [UU] or [U_]."""
    return re.search(r"\[([U_]{2})\]", guest.run("cat /proc/mdstat").output)[1]


def test_loss_of_either_server(vm):
    guest = vm(memory=384)
    module.load(guest)
    with servers.NbdServer({"swap": 64 << 20}) as one, servers.NbdServer({"swap": 64 << 20}) as two:
        # Without a deadline it would wait for its server, and md with it.
        disks = [Disk(guest, server, export="swap", index=index, deadline=2)
                 for index, server in enumerate((one, two))]
        guest.run(f"modprobe raid1 && mdadm --create {ARRAY} --level=1 --raid-devices=2 --run "
                  "--assume-clean --metadata=1.2 /dev/ballast0 /dev/ballast1 2>&1")
        fio = guest.spawn(f"""exec fio --name=md --filename={ARRAY} --direct=1 --ioengine=libaio
            --iodepth=8 --rw=randrw --bsrange=4k-64k --size=48M --verify=crc32c --verify_fatal=1
            --verify_backlog=64 --time_based --runtime=3600""".replace("\n", " "))
        written = "awk '{print $5}' /sys/block/md0/stat"

        def go_on():
            now = int(guest.run(written).output)
            until(lambda: int(guest.run(written).output) > now + 100 or not fio.running, 60,
                  "fio to go on")
            assert fio.running, fio.output

        go_on()
        for index, (server, left) in enumerate(((one, "_U"), (two, "U_"))):
            server.stop()
            until(lambda: members(guest) == left, 60, f"md to lose ballast{index}")
            go_on()
            server.start()
            until(lambda: disks[index].file("ballast/state") == "live", 30, "it to be live again")
            guest.run(f"mdadm {ARRAY} --remove /dev/ballast{index} && "
                      f"mdadm {ARRAY} --add /dev/ballast{index}")
            until(lambda: members(guest) == "UU", 120, "md to have both again", 0.5)
            go_on()
        fio.kill(2, 60)
        assert "verify" not in fio.output and "error" not in fio.output.lower(), fio.output
        guest.run(f"mdadm --stop {ARRAY}")
        for disk in disks:
            disk.detach()
