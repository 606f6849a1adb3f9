# SPDX-License-Identifier: GPL-2.0
"""A ballast disk in a guest."""

ATTACH = "/sys/class/ballast/attach"


class Disk:
    """A disk, attached on construction: Disk(vm, server, export="swap", connections=4)."""

    def __init__(self, vm, server, host="192.0.2.1", index=0, **options):
        self.vm = vm
        self.name = f"ballast{index}"
        self.path = f"/dev/{self.name}"
        self.sys = f"/sys/block/{self.name}"
        address = f"[{host}]" if ":" in host else host
        words = [f"server={address}:{server.port}", f"index={index}",
                 *(key if value is True else f"{key}={value}" for key, value in options.items())]
        vm.run(f"echo '{' '.join(words)}' > {ATTACH} || {{ dmesg | tail -3; exit 1; }}")

    def file(self, name):
        """What a file of its directory in sysfs says."""
        return self.vm.run(f"cat {self.sys}/{name}").output.strip()

    def detach(self, how="1"):
        # A reader such as udev may have it open for a moment.
        self.vm.run(f"for i in $(seq 50); do echo {how} > {self.sys}/ballast/detach && exit; "
                    "sleep 0.1; done 2>/dev/null; exit 1")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if exception[0] is None:
            self.detach()
        else:
            self.vm.run(f"echo force > {self.sys}/ballast/detach", check=False)
