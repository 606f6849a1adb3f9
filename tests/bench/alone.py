# SPDX-License-Identifier: GPL-2.0
"""A guest that is its own server, so that each run is the same.

It has one processor and QEMU's icount. The server is in a network namespace of the guest, and
what the disk's interface sends there, and receives from there, goes by a veth pair. So no
packet comes when the host pleases, and packets are as large as between a guest and its host.
"""

from contextlib import contextmanager
from pathlib import Path

from rig import module, programs
from rig.disk import Disk
from rig.vm import VM
from rig.wait import until

HERE = Path(__file__).resolve().parent
ADDRESS, MAC, PORT = "198.51.100.1", "52:54:00:12:ff:01", 10809
MIB = 64
# To eth0 the disk's connection leaves, and from it the replies come: its filter is passed.
LINE = """
    set -e
    modprobe -a veth act_mirred cls_u32 cls_matchall
    here=$(cat /sys/class/net/eth0/address)
    ip netns add server
    ip link add near address $here up type veth peer name far address {mac} netns server
    ip netns exec server sh -ec "ip link set far up; ip address add {address}/32 dev far
        ip route add {client}/32 dev far
        ip neighbor add {client} lladdr $here dev far nud permanent"
    ip route add {address}/32 dev eth0 src {client}
    ip neighbor add {address} lladdr {mac} dev eth0 nud permanent
    tc qdisc add dev near clsact
    tc qdisc add dev eth0 clsact
    tc filter add dev near ingress matchall action mirred ingress redirect dev eth0
    tc filter add dev eth0 egress protocol ip u32 match ip dst {address}/32 \\
        action mirred egress redirect dev near
"""


class Alone(VM):
    """The guest, with the module, its server and the load's program. One disk at a time."""

    def __init__(self, suite="bookworm", **options):
        super().__init__(suite, cpus=1, icount=True, boot_timeout=300, **options)
        try:
            module.load(self)
            for name in ("zeros", "requests"):
                self.put(f"/run/{name}", programs.build(HERE / f"{name}.c").read_bytes(), 0o755)
            self.run(LINE.format(address=ADDRESS, mac=MAC, client=self.address4))
            # The server runs when nothing else does: how much it finds at a time is no matter
            # of chance.
            self.server = self.spawn(f"exec ip netns exec server chrt --idle 0 "
                                     f"/run/zeros {ADDRESS} {PORT} {MIB}")
            until(self._listens, 60, "the server in the guest to listen")
        except BaseException:
            self.close()
            raise
        self.address, self.port = ADDRESS, PORT

    def _listens(self):
        return not self.run(f"ip netns exec server ss -Hltn | grep -q :{PORT}",
                            check=False).status

    @contextmanager
    def disk(self, **options):
        """A ballast disk of that server."""
        with Disk(self, self, ADDRESS, export="zeros", **options) as disk:
            yield disk

    def requests(self, disk, way, block, depth, count, *order):
        """(instructions of a request, those of them while the server ran)"""
        words = " ".join(map(str, (disk.path, way, block, depth, count, *order)))
        said = self.run(f"""
            served() {{
                awk '{{ n += $1 }} END {{ printf "%.0f", n }}' \\
                    $(pidof zeros | sed 's|[0-9][0-9]*|/proc/&/schedstat|g')
            }}
            before=$(served)
            /run/requests {words} && echo $(($(served) - before))""", timeout=300)
        all_of_it, server = map(int, said.output.split())
        return all_of_it, server / (count + count // 4 + 1 + depth)
