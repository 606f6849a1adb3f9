# SPDX-License-Identifier: GPL-2.0
"""Other machines on the bridge: network namespaces, each with a card of its own."""

import os
import subprocess

from rig import host, net
from rig.wait import until


class Machine:
    """From the constructor to close(). command: what to start a program there with."""

    def __init__(self):
        net.up()
        self._process = host.start(["unshare", "--net", "sleep", "infinity"])
        number = self._process.pid
        self._card = f"guest{number}"   # the bridge's end of its line; see net.private()
        self.command = ["nsenter", f"--net=/proc/{number}/ns/net", "--"]
        self.proc_net = f"/proc/{number}/net"
        try:
            until(lambda: os.readlink(f"/proc/{number}/ns/net") != os.readlink("/proc/self/ns/net"),
                  10, "a network namespace")
            net.ip("link", "add", self._card, "type", "veth", "peer", "name", "eth0",
                   "netns", number)
            net.ip("link", "set", self._card, "master", net.BRIDGE, "up")
            self.run("ip link set lo up && ip link set eth0 up")
        except BaseException:
            self.close()
            raise

    def run(self, script):
        subprocess.run([*self.command, "sh", "-c", script], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def take(self, address):
        """An IPv4 address, and tell everybody, as who takes over from another machine does."""
        self.run(f"ip address add {address}/24 dev eth0 && "
                 f"busybox arping -q -U -c 1 -I eth0 {address}")

    def crash(self):
        """No packet leaves it any more; whatever runs there is for the caller to end."""
        net.ip("link", "set", self._card, "down")

    def restart(self):
        """After crash(), without an address."""
        self.run("ip address flush dev eth0 scope global")
        net.ip("link", "set", self._card, "up")

    def close(self):
        self._process.kill()
        self._process.wait()
        net.ip("link", "delete", self._card, check=False)
