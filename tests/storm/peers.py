# SPDX-License-Identifier: GPL-2.0
"""Servers of network disks that are not NBD: iSCSI and NFS, from user space."""

import re
import subprocess
from pathlib import Path

from rig import servers

NAME = "iqn.2026-11.test.ballast:swap"
GANESHA = """\
NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port};
    Enable_UDP = false; Enable_RQUOTA = false; Enable_NLM = false; }}
NFS_KRB5 {{ Active_krb5 = false; }}
NFSV4 {{ Graceless = true; RecoveryRoot = {dir}; Minor_Versions = 1, 2; }}
EXPORT {{ Export_Id = 1; Path = {dir}/swap; Pseudo = /swap; Access_Type = RW; SecType = sys;
    Squash = No_Root_Squash; Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}
"""


class Tgt(servers.Server):
    """tgtd with one target and one disk, a file of so many bytes."""

    def __init__(self, size):
        self.size = size
        super().__init__(port=3260)
        for words in ("--mode target --op new --tid 1 -T " + NAME,
                      "--mode logicalunit --op new --tid 1 --lun 1 -b " + str(self.dir / "file"),
                      "--mode target --op bind --tid 1 -I ALL"):
            subprocess.run(["tgtadm", "--lld", "iscsi", *words.split()], check=True)

    def argv(self):
        with open(self.dir / "file", "wb") as file:
            file.truncate(self.size)
        return ["tgtd", "--foreground", "--iscsi", f"portal={self.address}:{self.port}"]


class Ganesha(servers.Server):
    """nfs-ganesha with a directory that has a file of so many bytes."""

    def __init__(self, size):
        self.size = size
        super().__init__(port=2049)

    def argv(self):
        (self.dir / "swap").mkdir()
        with open(self.dir / "swap" / "file", "wb") as file:
            file.write(bytes(self.size))    # swapon takes no file with holes
        (self.dir / "swap" / "file").chmod(0o600)
        conf = self.dir / "conf"
        conf.write_text(GANESHA.format(port=self.port, dir=self.dir))
        # It wants an rpcbind, whose sockets are in /run.
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
                "mount -t tmpfs run /run && mkdir /run/rpcbind && rpcbind && "
                f"exec ganesha.nfsd -F -f {conf} -L {self.dir}/ganesha.log -p {self.dir}/pid"]


def login(guest, server):
    """Attach the disk of a Tgt; the guest is of the release that this machine is of."""
    for program in ("/usr/sbin/iscsid", "/usr/bin/iscsiadm"):
        libraries = subprocess.run(["ldd", program], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout
        for path in (program, *re.findall(r"=> (/\S+)", libraries)):
            if guest.run(f"test -e {path}", check=False).status:
                guest.put(path, Path(path).read_bytes(), 0o755)
    guest.run("mkdir -p /etc/iscsi /run/lock/iscsi")
    guest.put("/etc/iscsi/initiatorname.iscsi", b"InitiatorName=iqn.2026-11.test.ballast:guest\n")
    guest.put("/etc/iscsi/iscsid.conf", Path("/etc/iscsi/iscsid.conf").read_bytes())
    guest.run("modprobe iscsi_tcp && modprobe sd_mod")
    guest.spawn("exec iscsid -f")
    portal = f"{server.address}:{server.port}"
    guest.run(f"iscsiadm -m node -T {NAME} -p {portal} -o new && "
              f"iscsiadm -m node -T {NAME} -p {portal} --login && "
              "until [ -b /dev/sda ]; do sleep 0.1; done", timeout=60)
