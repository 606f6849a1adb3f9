# SPDX-License-Identifier: GPL-2.0
"""The control arm: as much memory as the reserve, in the kernel's hands."""

import subjects
from rig import host, image, module, net
from rig.vm import VM

RESERVE = "/sys/class/net/eth0/ballast"
MIN_FREE = "/proc/sys/vm/min_free_kbytes"


def test_the_reserve_goes_to_min_free(request):
    kernel = image.get()
    ko = module.build(kernel.suite, kernel.flavour).path
    with VM(memory=256, logs=host.logs() / request.node.name) as guest:
        def number(path):
            return int(guest.run(f"cat {path}").output)

        guest.put("/run/ballast.ko", module.stripped(ko))
        before = number(MIN_FREE)
        with subjects.parse("guard-no-reserve").attach(guest, net.HOST4):
            assert number(f"{RESERVE}/size_pages") == 0
            more = number(MIN_FREE) - before
            guest.run(f"echo auto > {RESERVE}/size_pages")
            assert more == 4 * number(f"{RESERVE}/size_pages") > 0
