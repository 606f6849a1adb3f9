# SPDX-License-Identifier: GPL-2.0
"""Servers that stall: a process of one is stopped, or a request is held where it is served."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

from rig import servers
from rig.servers import family
from rig.wait import until

# States of TCP in /proc/net/tcp.
ESTABLISHED, CLOSE_WAIT, LISTEN = "01", "08", "0A"


def serving(server):
    """The processes of a server that hold a client's connection: nbd-server has one for each."""
    return _holding(server, ESTABLISHED, CLOSE_WAIT)


def listening(server):
    """The process of a server that listens."""
    return _holding(server, LISTEN)


def _holding(server, *states):
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/self/net", table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] in states and int(words[1].rpartition(":")[2], 16) == server.port:
                inodes.add(f"socket:[{words[9]}]")
    return [process for process in family(server.process.pid) if inodes & _open_files(process)]


def _open_files(process):
    found = set()
    try:
        for entry in os.scandir(f"/proc/{process}/fd"):
            try:
                found.add(os.readlink(entry.path))
            except OSError:
                pass    # closed meanwhile
    except OSError:
        pass            # the process has ended
    return found


def send(process, number):
    """A signal, to a process that may have ended."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def terminate(server, patience=3):
    """SIGTERM, as systemctl restart does, and SIGKILL for who then waits for its clients.

    start() starts it again.
    """
    for process in listening(server):
        send(process, signal.SIGTERM)
    try:
        until(lambda: not listening(server) and not serving(server), patience, "it to end")
    except TimeoutError:
        pass
    server.stop()


@contextmanager
def stopped(processes):
    """By SIGSTOP: their machine acknowledges what comes for them, and keeps it."""
    for process in processes:
        send(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            send(process, signal.SIGCONT)


class HoldingNbdkit(servers.Nbdkit):
    """nbdkit on a file. After arm() it holds the next change of the place until release().

    A change is a write, a trim or a write of zeroes that begins there. Other requests,
    those of the same place too, are served meanwhile.
    """

    # A method's arguments: $3 bytes from $4 on.
    HOLD = """
        held=
        if [ "$4" -eq {place} ] && rmdir {dir}/armed 2>/dev/null; then
            held=1; touch {dir}/held
            while [ -d {dir} ] && [ ! -e {dir}/go ]; do sleep 0.05; done
        fi
        {change} || exit
        [ -z "$held" ] || touch {dir}/landed"""
    WRITE = "dd of={dir}/export oflag=seek_bytes seek=$4 conv=notrunc status=none"
    ZERO = "fallocate --punch-hole --offset $4 --length $3 {dir}/export"

    def __init__(self, place, size=1 << 20, **where):
        self.place, self.size = place, size
        super().__init__("eval", **where)

    @property
    def file(self):
        return self.dir / "export"

    def argv(self):
        if not self.file.exists():
            with open(self.file, "wb") as file:
                file.truncate(self.size)
        zero, write = (self.HOLD.replace("{change}", change).format(place=self.place, dir=self.dir)
                       for change in (self.ZERO, self.WRITE))
        methods = {
            "thread_model": "echo parallel",
            "get_size": f"echo {self.size}",
            "pread": f"exec dd if={self.file} iflag=skip_bytes,count_bytes skip=$4 count=$3 "
                     "status=none",
            "pwrite": write, "trim": zero, "zero": zero, "flush": "exit 0",
            **{f"can_{what}": "exit 0"
               for what in ("write", "trim", "zero", "flush", "multi_conn")},
        }
        return [*super().argv(), *(f"{name}={script}" for name, script in methods.items())]

    def arm(self):
        (self.dir / "armed").mkdir()

    @property
    def holds(self):
        return (self.dir / "held").exists()

    def release(self):
        (self.dir / "go").touch()

    def wait_landed(self):
        until((self.dir / "landed").exists, 20, "the held change to be executed")
