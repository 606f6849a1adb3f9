# SPDX-License-Identifier: GPL-2.0
"""Outages that nothing ends by itself, and those that were noticed too late or never."""

import contextlib
import threading
import time

import pytest

from rig import line, nbd, servers, stall
from rig.disk import Disk
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ")

MIB = 1 << 20
PLACE = 512 << 10


def took(job, timeout):
    """Wait for its end: seconds."""
    began = time.monotonic()
    job.wait(timeout)
    return time.monotonic() - began


def test_deadline_with_a_server_that_negotiates_and_never_answers(shared_vm):
    """Connections that answer nothing put the deadline off no more than none at all."""
    memory = nbd.Memory()
    silent = threading.Event()

    def serve(connection):
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if not silent.is_set():
                connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, \
            Disk(shared_vm, server, timeout=3, deadline=6) as disk:
        silent.set()
        job = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=128 "
                              "iflag=direct 2>&1")
        try:
            print(f"failed after {took(job, 40):.1f} s")
        except TimeoutError:
            pass
        connections = len(server.connections)
        assert not job.running, f"waits after 40 s and {connections} connections"
        assert "Input/output error" in job.output, job.output
        silent.clear()
        until(lambda: not shared_vm.run(f"dd if={disk.path} of=/dev/null bs=4k count=1 "
                                        "iflag=direct", check=False).status,
              20, "I/O to work again")


def test_server_that_counts_the_dead_connection(shared_vm):
    """It takes one client only, and has not heard that this one's connection is no more.

    Not nbd-server with maxconnections = 1: its count of connections never goes down (3.24).
    """
    memory = nbd.Memory()
    one = threading.Lock()

    def serve(connection):
        if not one.acquire(blocking=False):
            return
        with contextlib.closing(connection):
            try:
                nbd.negotiate(connection, memory.size)
                while (request := nbd.take_request(connection)).type != nbd.DISC:
                    connection.sendall(memory.answer(request))
            finally:
                one.release()

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server) as disk:
        job = shared_vm.spawn(f"until [ -e /run/enough ]; do dd if=/dev/zero of={disk.path} bs=64k "
                              "count=16 oflag=direct status=none || exit; done")
        with line.dropped(shared_vm):
            until(lambda: disk.file("ballast/state") == "reconnecting", 30, "it to be missed")
            threading.Event().wait(6)
        began = time.monotonic()
        until(lambda: int(disk.file("ballast/reconnects")) > 0, 60, "a connection after the outage")
        print(f"back {time.monotonic() - began:.1f} s after the line")
        shared_vm.run("touch /run/enough")
        try:
            assert job.wait(60) == 0, job.output
        finally:
            shared_vm.run("rm /run/enough")


@pytest.fixture
def probes(request, shared_vm):
    """How many TCP sends before it gives a connection up."""
    path = "/proc/sys/net/ipv4/tcp_retries2"
    before = shared_vm.run(f"cat {path}; echo {request.param} > {path}").output.strip()
    yield
    shared_vm.run(f"echo {before} > {path}")


FENCE = 20


@pytest.mark.parametrize("probes, closed", [(5, 0), (15, FENCE + 5)], indirect=["probes"],
                         ids=["few-probes", "closed-for-long"])
def test_outage_while_the_window_is_closed(shared_vm, probes, closed):
    """Nothing is in flight for TCP then, but probes of the window. TCP counts them, and the time
    since the first one; none of this may end the old connection before its fence."""
    with servers.NbdServer({"swap": 64 * MIB}) as server, \
            Disk(shared_vm, server, export="swap", fence=FENCE) as disk:
        with stall.stopped(stall.serving(server)):
            job = shared_vm.spawn(f"dd if=/dev/zero of={disk.path} bs=4M count=12 "
                                  "oflag=direct 2>&1")
            sockets = f"ss -tinoH dst {server.address} dport = {server.port}"
            until(lambda: "timer:(persist" in shared_vm.run(sockets).output, 30,
                  "the window to close")
            threading.Event().wait(closed)
            with line.dropped(shared_vm):
                began = time.monotonic()
                until(lambda: disk.file("ballast/state") == "reconnecting", 40, "it to be missed")
                missed = time.monotonic() - began
                print(f"missed after {missed:.1f} s")
                # TCP would give the old connection up now, and not hear its end.
                threading.Event().wait(10)
        assert job.wait(60) == 0, job.output
        until(lambda: disk.file("ballast/fences") == "0", 30, "the old connection to end")
        assert missed < 12
        assert disk.file("ballast/fences_expired") == "0"


def test_closed_window_alone_is_no_outage(shared_vm):
    """A server that is only slow answers the probes, and is left alone."""
    with servers.NbdServer({"swap": 64 * MIB}) as server, \
            Disk(shared_vm, server, export="swap") as disk:
        with stall.stopped(stall.serving(server)):
            job = shared_vm.spawn(f"dd if=/dev/zero of={disk.path} bs=4M count=12 "
                                  "oflag=direct 2>&1")
            sockets = f"ss -tinoH dst {server.address} dport = {server.port}"
            until(lambda: "timer:(persist" in shared_vm.run(sockets).output, 30,
                  "the window to close")
            threading.Event().wait(15)
        assert job.wait(60) == 0, job.output
        assert disk.file("ballast/reconnects") == "0"


def slow_to_open(directory, seconds):
    """nbdkit whose open takes so long while directory/slow is there."""
    store = directory / "store"
    with open(store, "wb") as file:
        file.truncate(MIB)
    return servers.Nbdkit(
        "eval", "thread_model=echo parallel", f"get_size=echo {MIB}", "can_write=exit 0",
        f"open=[ ! -e {directory}/slow ] || sleep {seconds}",
        f"pread=exec dd if={store} iflag=skip_bytes,count_bytes skip=$4 count=$3 status=none",
        f"pwrite=exec dd of={store} oflag=seek_bytes seek=$4 conv=notrunc status=none")


def test_server_that_is_slow_to_open_at_a_reconnect(shared_vm, tmp_path):
    with slow_to_open(tmp_path, 12) as server, Disk(shared_vm, server) as disk:
        (tmp_path / "slow").touch()
        server.stop()
        job = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct 2>&1")
        server.start()
        try:
            print(f"answered after {took(job, 60):.1f} s")
        except TimeoutError:
            pass
        (tmp_path / "slow").unlink()    # so that it can be detached
        assert not job.running, "no connection after 60 s"
        assert job.status == 0, job.output


def test_server_that_is_slow_to_open_at_the_attach(shared_vm, tmp_path):
    if "connect_timeout" not in shared_vm.run("cat /sys/class/ballast/attach").output:
        pytest.fail("there is no connect_timeout=")
    (tmp_path / "slow").touch()
    with slow_to_open(tmp_path, 12) as server, Disk(shared_vm, server, connect_timeout=30) as disk:
        assert disk.file("ballast/state") == "live"
        (tmp_path / "slow").unlink()


@pytest.mark.parametrize("how", ["trim", "zeroes"])
def test_change_that_takes_longer_than_the_timeout(shared_vm, how):
    """It ends all the same, with success or an error, and is not sent again for ever."""
    memory = nbd.Memory()
    kind = nbd.TRIM if how == "trim" else nbd.WRITE_ZEROES
    count = []
    closing = threading.Event()

    def serve(connection):
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if request.type == kind:
                count.append(time.monotonic())
                closing.wait(5)     # 2.5 times the timeout
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server, timeout=2) as disk:
        job = shared_vm.spawn(f"blkdiscard {'-z' if how == 'zeroes' else ''} -o {PLACE} -l 65536 "
                              f"{disk.path} 2>&1")
        try:
            print(f"ended after {took(job, 60):.1f} s, sent {len(count)} times: "
                  f"status {job.status}")
        except TimeoutError:
            pass
        sent = len(count)
        closing.set()
        assert job.status is not None, f"not ended after 60 s, sent {sent} times"


def test_requests_do_not_wait_for_another_link_to_connect(shared_vm):
    """One link is being connected, slowly; what another one held goes to the third at once."""
    memory = nbd.Memory()
    held, ending = threading.Event(), threading.Event()
    holds = []

    def serve(connection):
        if len(server.connections) > 3:
            ending.wait(60)     # it never greets
            return
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if request.offset == PLACE and not holds:
                holds.append(connection)
                held.set()
                ending.wait(60)
                return
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, \
            Disk(shared_vm, server, connections=3) as disk:
        server.connections[0].shutdown(2)
        until(lambda: len(server.connections) > 3, 10, "another attempt")
        job = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=128 iflag=direct "
                              "2>&1")
        assert held.wait(10)
        holds[0].shutdown(2)
        try:
            waited = took(job, 30)
            print(f"answered after {waited:.1f} s")
        finally:
            ending.set()
        assert job.status == 0, job.output
        assert waited < 3


def test_link_that_fails_while_another_connects(shared_vm):
    """Its socket is closed and its requests are sent again, as if nothing else had gone on."""
    memory = nbd.Memory()
    greet, held = threading.Event(), threading.Event()

    def serve(connection):
        number = len(server.connections) - 1
        if number == 2:
            greet.wait(8)
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if number == 1 and request.offset == PLACE:
                held.set()
                greet.wait(8)
                return
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, \
            Disk(shared_vm, server, connections=2) as disk:
        sockets = f"ss -tnH dport = {server.port}"
        server.connections[0].shutdown(2)
        until(lambda: len(server.connections) == 3, 10, "another attempt")
        job = shared_vm.spawn(f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=128 iflag=direct "
                              "2>&1")
        assert held.wait(10)
        server.connections[1].shutdown(2)
        until(lambda: "connection 1 to" in shared_vm.run("dmesg | tail -5").output, 5,
              "the end to be noticed while connection 0 waits")
        greet.set()
        until(lambda: disk.file("ballast/state") == "live", 20, "both connections")
        try:
            print(f"answered after {took(job, 15):.1f} s")
        except TimeoutError:
            pass
        seen = shared_vm.run(sockets).output
        print(seen)
        assert job.status == 0, f"status {job.status}: {job.output}"
        assert seen.count("ESTAB") == 2 and "CLOSE-WAIT" not in seen, seen
