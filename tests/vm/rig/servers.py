# SPDX-License-Identifier: GPL-2.0
"""Servers on the host end: real NBD servers, and scripted ones that misbehave."""

import os
import shutil
import signal
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from rig import host, limits, net
from rig.machine import Machine
from rig.wait import until

GIB = 1 << 30


def free_port(address=net.HOST4):
    """A port on which nothing listens now."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def scratch():
    """A new directory for exports: in memory if there is room, else on disk."""
    shm = Path("/dev/shm")
    roomy = shm.is_dir() and os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 4 * GIB
    return Path(tempfile.mkdtemp(prefix="ballast-", dir=shm if roomy else None))


class Server:
    """A server process. Started by the constructor, ended by close().

    address, port: where it listens; on another machine the port must be given.
    log: what it has said.
    """

    def __init__(self, address=net.HOST4, port=None, machine=None):
        net.up()
        self.machine = machine
        self.address = address
        self.port = port or free_port(address)
        self.dir = scratch()
        self.process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def argv(self):
        raise NotImplementedError

    def start(self):
        """Start it, or start it again after stop(): same port, same data."""
        with open(self.dir / "log", "ab") as log:
            command = self.machine.command if self.machine else []
            self.process = host.start([*command, *self.argv()], stdout=log, stderr=log)
        until(self._listens, 20, f"{type(self).__name__} to listen on port {self.port}")

    def stop(self):
        """End the process, but keep its port and data for another start().

        Killed, not asked: some wait for their clients to leave. What has been
        written is in the files all the same. Those that it started end a moment
        later. Till then they listen, and the next start() would find the port
        in use, or take them for the new server.
        """
        processes = list(family(self.process.pid))
        self.process.kill()
        self.process.wait()
        until(lambda: not any(map(runs, processes)), 20, "all processes of the server to end")

    @contextmanager
    def paused(self):
        """It answers nothing, and its machine acknowledges all the same."""
        # Those that it started for its clients too.
        processes = list(family(self.process.pid))
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{type(self).__name__} ended with status "
                               f"{self.process.returncode}: {self.log}")
        # Asked of the kernel and not by connecting: a server that serves one
        # client, or counts them, must not take this for one.
        return _is_listening(self.port, self.machine.proc_net if self.machine
                             else "/proc/self/net")

    @property
    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def close(self):
        if self.process:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def family(process):
    """A process and all that descend from it, as numbers."""
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return  # it has ended
    for child in children:
        yield from family(int(child))


def runs(process):
    """Whether there is such a process, and not only its exit status."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_listening(port, proc_net):
    for table in ("tcp", "tcp6"):
        for line in Path(proc_net, table).read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                return True
    return False


class NbdServer(Server):
    """nbd-server. exports: name -> size in bytes (a sparse file is made) or a path.

    options: more of its configuration for every export, such as
    {"readonly": "true", "flush": "false"}; files[name] is the file behind one.
    """

    def __init__(self, exports=None, options=None, **where):
        self.exports = exports or {"swap": GIB}
        self.options = {"flush": "true", "fua": "true", "trim": "true", **(options or {})}
        self.files = {}
        super().__init__(**where)

    def argv(self):
        lines = ["[generic]", f"listenaddr = {self.address}", f"port = {self.port}",
                 "allowlist = true"]
        for name, export in self.exports.items():
            if name not in self.files:
                self.files[name] = _backing(self.dir / f"export-{len(self.files)}", export)
            lines += [f"[{name}]", f"exportname = {self.files[name]}",
                      *(f"{key} = {value}" for key, value in self.options.items())]
        config = self.dir / "config"
        config.write_text("\n".join(lines) + "\n")
        # It serves more than one client only as a daemon, and would get away from
        # us: a process namespace of its own ends with the process that we started.
        return ["unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
                'nbd-server -C "$1" && exec sleep infinity', "sh", str(config)]


class Cluster(NbdServer):
    """Two machines with the same storage, and an address that is on one of them at a time."""

    ADDRESS = "192.0.2.5"

    def __init__(self, exports=None, options=None):
        self._machines = []
        try:
            for _ in range(2):
                self._machines.append(Machine())
            self._machines[0].take(self.ADDRESS)
            super().__init__(exports, options, address=self.ADDRESS, port=limits.DEFAULT_PORT,
                             machine=self._machines[0])
        except BaseException:
            self._close_machines()
            raise

    def crash(self):
        """The machine that serves says nothing any more, not even that it ends."""
        self.machine.crash()
        self.stop()

    def take_over(self):
        """After crash(): the other one does, and the one that crashed comes back idle."""
        crashed, self.machine = self.machine, next(
            other for other in self._machines if other is not self.machine)
        self.machine.take(self.ADDRESS)
        self.start()
        crashed.restart()

    def close(self):
        super().close()
        self._close_machines()

    def _close_machines(self):
        for machine in self._machines:
            machine.close()


@contextmanager
def dhcp(seconds):
    """Leases for so long, to guests with dhcp=True; yields how many were given so far, to call."""
    net.up()
    directory = scratch()
    (directory / "leases").touch()
    (directory / "config").write_text(f"""\
        interface {net.BRIDGE}
        start {net.dhcp4(0)}
        end {net.dhcp4(9)}
        lease_file {directory}/leases
        pidfile {directory}/pid
        opt subnet 255.255.255.0
        opt lease {seconds}
        min_lease 1
        """)
    with open(directory / "log", "w") as log:
        process = host.start(["busybox", "udhcpd", "-f", directory / "config"],
                             stdout=log, stderr=log)
    try:
        yield lambda: (directory / "log").read_text().count("sending ACK")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


class Nbdkit(Server):
    """nbdkit with a plugin and its arguments, filters first if any.

    Nbdkit("memory", "1G"), Nbdkit("memory", "1G", "rdelay=1", filters=["delay"])
    """

    def __init__(self, plugin, *arguments, filters=(), options=(), **where):
        self.command = ["nbdkit", "--foreground", "--exit-with-parent", *options,
                        *(f"--filter={name}" for name in filters), plugin, *arguments]
        super().__init__(**where)

    def argv(self):
        command, rest = self.command[0], self.command[1:]
        return [command, "-i", self.address, "-p", str(self.port), *rest]


class QemuNbd(Server):
    """qemu-nbd of one raw file: an export's name, and its size in bytes or a path."""

    def __init__(self, export="swap", size=GIB, shared=16, readonly=False, options=(), **where):
        self.export = export
        self.size = size
        self.file = None
        self.options = [f"--shared={shared}", *(["--read-only"] if readonly else []), *options]
        super().__init__(**where)

    def argv(self):
        self.file = self.file or _backing(self.dir / "export", self.size)
        return ["qemu-nbd", "-f", "raw", "-x", self.export, "-t", "-b", self.address,
                "-p", str(self.port), *self.options, str(self.file)]


# Of a file that outlives each of them: what makes one, and what the attach then wants.
ON_A_FILE = {
    "nbd-server": (lambda file: NbdServer({"swap": file}), {"export": "swap"}),
    "nbdkit": (lambda file: Nbdkit("file", str(file)), {}),
    "qemu-nbd": (lambda file: QemuNbd("swap", file), {"export": "swap"}),
}


@contextmanager
def relayed(guest):
    """A server that a guest passes connections on to; its port there."""
    with Nbdkit("memory", "64M") as server:
        relay = guest.spawn(f"exec socat TCP-LISTEN:{server.port},fork,reuseaddr "
                            f"TCP:{server.address}:{server.port}")
        until(lambda: ":{:04X} ".format(server.port) in guest.run("cat /proc/net/tcp").output,
              20, "socat to listen")
        yield server.port
        relay.kill()


def _backing(path, export):
    if isinstance(export, int):
        with open(path, "wb") as file:
            file.truncate(export)
        return path
    return Path(export)


class ScriptedServer:
    """Runs serve(connection) in a thread for every client; for servers that lie.

    connection is the socket; it is closed when serve returns. connections holds
    all of them in order. An exception in serve is kept in errors, except that
    the client may hang up at any time.
    """

    def __init__(self, serve, address=net.HOST4, port=0):
        net.up()
        self.serve = serve
        self.connections = []
        self.errors = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                self.serve(connection)
        except (ConnectionError, EOFError):
            pass
        except Exception as error:
            if self._listener.fileno() >= 0:
                self.errors.append(error)

    def close(self):
        # A thread that waits in accept() or recv() notices only a shutdown.
        for open_socket in (self._listener, *self.connections):
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            open_socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def receive(connection, size):
    """Exactly size bytes; EOFError if the client hangs up before."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data
