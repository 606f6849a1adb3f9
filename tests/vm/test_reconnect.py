# SPDX-License-Identifier: GPL-2.0
"""Outages: what is in flight waits or goes elsewhere, and nothing is lost.

BALLAST_ROUNDS multiplies how often; 1 by default, a fast form for make check.
"""

import os
import random
import statistics
import threading
import time
from contextlib import ExitStack

import pytest

from rig import calls, line, module, nbd, scripted, servers
from rig.disk import Disk
from rig.load import verifying
from rig.wait import until

ROUNDS = int(os.environ.get("BALLAST_ROUNDS", "1"))
pytestmark = pytest.mark.console_ok("ballast: ")


@pytest.mark.parametrize("connections", [1, 4])
def test_server_killed_again_and_again(shared_vm, connections):
    """SIGKILL, and back after up to 3 s; the time from its return to the first answer is shown."""
    took = []
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap", connections=connections) as disk, \
            verifying(disk) as completed:
        for _ in range(6 * ROUNDS):
            server.stop()
            threading.Event().wait(3 * random.random())
            before = completed()
            server.start()
            began = time.monotonic()
            until(lambda: completed() > before, 30, "an answer after the server's return")
            took.append(time.monotonic() - began)
            if len(took) % 100 == 0:
                print(f"{len(took)} restarts, {statistics.median(took):.2f} s", flush=True)
        print(f"{len(took)} restarts, {disk.file('ballast/reconnects')} reconnects; back after "
              f"{statistics.median(took):.2f} s, {max(took):.2f} s at most")
        assert max(took) < 10
        assert int(disk.file("ballast/reconnects")) >= 6


OUTAGES = {"packets-dropped": line.dropped, "link-down": line.link_down,
           "interface-down": line.interface_down, "icmp-errors": line.rejected}


@pytest.mark.parametrize("kind", OUTAGES)
@pytest.mark.parametrize("seconds", [1, 12] + ([5, 30, 60] if ROUNDS > 1 else []))
def test_outage(shared_vm, kind, seconds):
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, export="swap") as disk, \
            verifying(disk) as completed:
        with OUTAGES[kind](shared_vm):
            threading.Event().wait(seconds)
            before = completed()
        began = time.monotonic()
        until(lambda: completed() > before, 30, "an answer after the outage")
        print(f"{kind}: back {time.monotonic() - began:.2f} s after {seconds} s; "
              f"{disk.file('ballast/reconnects')} reconnects")


# What begins and ends a reserve, and changes code (static keys), does so under locks whose
# holders may wait for memory, and so for the disk.
WAIT_FOR_MEMORY = ("ballast_reserve_get", "ballast_reserve_put", "nf_register_net_hook",
                   "nf_unregister_net_hook", "arch_jump_label_transform_apply")


def test_address_moves_to_another_interface(vm):
    """Its reserve goes with the connection, and the disk's thread does not wait for that."""
    guest = vm(name="moves", nics=2)
    module.load(guest)
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            calls.traced(guest, *WAIT_FOR_MEMORY) as seen, \
            Disk(guest, server, export="swap") as disk, verifying(disk) as completed:
        seen()  # the attach does
        for old, new in (("eth0", "eth1"), ("eth1", "eth0")):
            guest.run(f"ip address flush dev {old} && ip link set {new} up && "
                      f"ip address add {guest.address4}/24 dev {new}")
            before = completed()
            began = time.monotonic()
            until(lambda: completed() > before, 30, f"an answer through {new}")
            print(f"back after {time.monotonic() - began:.2f} s")
            # Both have a filter.
            until(lambda: guest.run("cd /sys/class/net && grep -vx 0 */ballast/size_pages")
                  .output.startswith(new), 30, f"the blocks to be {new}'s")
        who = seen()
        for function in WAIT_FOR_MEMORY[:2]:
            assert any(call.endswith(" " + function) for call in who), (function, who)
        assert not [call for call in who if call.startswith("ballast")], who


def test_reconnecting_waits_for_no_memory(shared_vm):
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            calls.traced(shared_vm, *WAIT_FOR_MEMORY) as seen, \
            Disk(shared_vm, server, export="swap") as disk, verifying(disk) as completed:
        assert "ballast0 nf_register_net_hook" in seen()    # the attach does
        for _ in range(3):
            server.stop()
            before = completed()
            server.start()
            until(lambda: completed() > before, 30, "an answer")
        assert int(disk.file("ballast/reconnects")) >= 3
        assert not seen()


def test_server_moves(shared_vm):
    """Its machine crashes, and another one with the same storage takes its address."""
    took = []
    with servers.Cluster({"swap": 64 << 20}) as server, \
            Disk(shared_vm, server, server.address, export="swap", connections=2) as disk, \
            verifying(disk) as completed:
        for _ in range(ROUNDS):
            server.crash()
            threading.Event().wait(random.uniform(0, 8))    # noticed after 5 s, or not before
            before = completed()
            server.take_over()
            began = time.monotonic()
            until(lambda: completed() > before + 50, 30, "requests to be answered there")
            took.append(time.monotonic() - began)
        print(f"answered {statistics.median(took):.1f} s after it was taken over, "
              f"{max(took):.1f} s at most; {disk.file('ballast/reconnects')} reconnects")


def test_lost_answer_is_missed(shared_vm):
    """The request has arrived and the answer is lost: TCP has nothing to send again."""
    with servers.Nbdkit("memory", "64M") as server, Disk(shared_vm, server) as disk:
        with ExitStack() as lost:
            with server.paused():
                reader = shared_vm.spawn(
                    f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct")
                until(lambda: "unacked" not in shared_vm.run(
                    f"ss -tin dport = {server.port}").output and
                    disk.file("ballast/inflight") == "1", 10, "the request to arrive")
                lost.enter_context(line.dropped(shared_vm))
            began = time.monotonic()
            until(lambda: disk.file("ballast/state") == "reconnecting", 20, "it to be missed")
            print(f"missed after {time.monotonic() - began:.1f} s")
        assert reader.wait(30) == 0, reader.output


def test_stopped_server_is_left_alone(shared_vm):
    """One that is slow but alive: its machine answers, and it goes on where it was."""
    with servers.Nbdkit("memory", "64M") as server, Disk(shared_vm, server) as disk, \
            verifying(disk):
        with server.paused():
            threading.Event().wait(30 if ROUNDS > 1 else 12)
        until(lambda: disk.file("ballast/inflight") != "", 10, "the disk")
        assert disk.file("ballast/reconnects") == "0"


def test_timeout_gives_a_silent_server_up(shared_vm):
    """It answers TCP and not NBD; with timeout=2 the next connection gets the request."""
    memory = nbd.Memory()
    seen = []

    def serve(connection):
        nbd.negotiate(connection, memory.size)
        first = not seen
        seen.append(connection)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            if first and request.offset == 512 << 10:
                connection.recv(1)  # until it is given up
                return
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, Disk(shared_vm, server, timeout=2) as disk:
        shared_vm.run("dmesg -C")
        began = time.monotonic()
        job = shared_vm.spawn(f"dd if={disk.path} bs=4k count=1 skip=128 iflag=direct status=none")
        assert job.wait(30) == 0
        print(f"answered after {time.monotonic() - began:.1f} s")
        assert bytes(job.data) == bytes(memory.data[512 << 10:(512 << 10) + 4096])
        assert "a request was not answered in time" in shared_vm.run("dmesg").output
        assert disk.file("ballast/reconnects") == "1"


def test_deadline_fails_io_and_ends(shared_vm):
    """What waits fails, what comes fails at once, and when the server is back it works again."""
    with servers.Nbdkit("memory", "64M") as server, \
            Disk(shared_vm, server, deadline=3) as disk:
        shared_vm.run("dmesg -C")
        server.stop()
        read = f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct 2>&1"
        waiting = shared_vm.spawn(f"{read} skip=1000")
        until(lambda: disk.file("ballast/state") == "reconnecting", 10, "it to notice")
        assert waiting.running
        assert waiting.wait(30) and "Input/output error" in waiting.output
        assert disk.file("ballast/state") == "failed"
        began = time.monotonic()
        said = shared_vm.run(read, check=False)
        assert said.status and time.monotonic() - began < 3
        assert disk.file("ballast/inflight") == "0"
        log = shared_vm.run("dmesg").output
        assert "no answer for 3 s: I/O fails from now on (deadline=)" in log, log
        server.start()
        until(lambda: disk.file("ballast/state") == "live", 20, "it to be live again")
        shared_vm.run(read)
        assert "I/O works again" in shared_vm.run("dmesg").output


def test_deadline_begins_when_the_connection_is_lost(shared_vm):
    """And not when it was made, or was last lost: a disk that was well for longer waits."""
    deadline = 5
    with servers.Nbdkit("memory", "64M") as server, \
            Disk(shared_vm, server, deadline=deadline) as disk:
        shared_vm.run("dmesg -C")
        read = f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct 2>&1"
        shared_vm.run(f"end=$(($(cut -d. -f1 /proc/uptime) + {deadline + 1})); "
                      f"until [ $(cut -d. -f1 /proc/uptime) -gt $end ]; do {read}; done")
        server.stop()
        waiting = shared_vm.spawn(f"{read} skip=1000")
        until(lambda: disk.file("ballast/state") == "reconnecting", 10, "it to notice")
        server.start()
        assert waiting.wait(30) == 0, waiting.output
        log = shared_vm.run("dmesg").output
        assert "is restored" in log and "no answer for" not in log, log


def test_deadline_in_the_middle_of_a_negotiation(shared_vm):
    """A server that accepts and says nothing does not put the deadline off."""
    def serve(connection):
        memory = nbd.Memory()
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).offset != 512 << 10:
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(scripted.once(serve)) as server, \
            Disk(shared_vm, server, deadline=2) as disk:
        began = time.monotonic()
        said = shared_vm.run(f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=128 iflag=direct "
                             "2>&1", check=False)
        print(f"failed after {time.monotonic() - began:.1f} s")
        assert said.status and "Input/output error" in said.output
        # A negotiation may take 10 s.
        assert len(server.connections) > 1 and time.monotonic() - began < 8


@pytest.mark.parametrize("back", [True, False], ids=["back", "gone"])
def test_last_link_is_lost_in_the_middle_of_a_negotiation(shared_vm, back):
    """The other link's attempt keeps it neither from its server nor from its deadline."""
    memory = nbd.Memory()
    count = []

    def serve(connection):
        count.append(1)
        if len(count) == 3 or len(count) > 3 and not back:
            connection.recv(1)
            return
        nbd.negotiate(connection, memory.size)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            connection.sendall(memory.answer(request))

    with servers.ScriptedServer(serve) as server, \
            Disk(shared_vm, server, connections=2, deadline=5) as disk:
        server.connections[1].shutdown(2)
        until(lambda: len(count) == 3, 20, "a connection that is not answered")
        server.connections[0].shutdown(2)
        until(lambda: len(count) > 3, 10, "the attempt to end, and the next one to begin")
        said = shared_vm.run(f"dd if={disk.path} of=/dev/null bs=4k count=1 skip=128 iflag=direct "
                             "2>&1", check=False, timeout=30)
        assert bool(said.status) != back, said.output
        if not back:
            assert disk.file("ballast/state") == "failed"


def changing(*exports):
    """A server whose connections see one export after the other; the last one from then on."""
    memories = [nbd.Memory(size, flags=flags) for size, flags in exports]
    count = []

    def serve(connection):
        memory = memories[min(len(count), len(memories) - 1)]
        count.append(1)
        nbd.negotiate(connection, memory.size, memory.flags)
        while (request := nbd.take_request(connection)).type != nbd.DISC:
            connection.sendall(memory.answer(request))
    return serve


MIB = 1 << 20
REFUSED = {
    "smaller": ((MIB, nbd.USUAL), (MIB - 512, nbd.USUAL), "the export is smaller now"),
    "read-only": ((MIB, nbd.USUAL), (MIB, nbd.USUAL | nbd.READ_ONLY),
                  "the export is read-only now"),
    "no-flush": ((MIB, nbd.USUAL), (MIB, nbd.USUAL & ~nbd.SEND_FLUSH),
                 "the export no longer supports flush"),
    "no-fua": ((MIB, nbd.USUAL), (MIB, nbd.USUAL & ~nbd.SEND_FUA),
               "the export no longer supports FUA"),
    "no-trim": ((MIB, nbd.USUAL), (MIB, nbd.USUAL & ~nbd.SEND_TRIM),
                "the export no longer supports trim"),
    "no-zeroes": ((MIB, nbd.USUAL), (MIB, nbd.USUAL & ~nbd.SEND_WRITE_ZEROES),
                  "the export no longer supports write zeroes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_export_is_refused_and_tried_again(shared_vm, name):
    good, bad, why = REFUSED[name]
    with servers.ScriptedServer(changing(good, bad, bad, good)) as server, \
            Disk(shared_vm, server) as disk:
        shared_vm.run("dmesg -C")
        server.connections[0].shutdown(2)
        read = f"dd if={disk.path} of=/dev/null bs=4k count=1 iflag=direct status=none"
        shared_vm.run(read, timeout=30)
        log = shared_vm.run("dmesg -t").output
        assert log.count(f"negotiation: {why} (error -78)") == 1, log
        assert disk.file("ballast/reconnects") == "1" and len(server.connections) == 4


def test_growth_is_taken(shared_vm):
    uevents = shared_vm.spawn("exec udevadm monitor --kernel --property --subsystem-match=block")
    uevents.wait_output("KERNEL - the kernel uevent", 10)
    with servers.ScriptedServer(changing((MIB, nbd.USUAL), (3 * MIB, nbd.USUAL))) as server, \
            Disk(shared_vm, server) as disk:
        server.connections[0].shutdown(2)
        until(lambda: disk.file("size") == str(3 * MIB // 512), 20, "the disk to grow")
        uevents.wait_output("RESIZE=1", 10)
        shared_vm.run(f"dd if={disk.path} of=/dev/null bs=4k skip=700 count=1 iflag=direct "
                      "status=none")
    uevents.kill()


def test_forced_detach_in_every_state(shared_vm):
    """While it is connecting, live under load, reconnecting with requests waiting, and failed."""
    with servers.Nbdkit("memory", "64M") as server:
        read = "dd if=/dev/ballast0 of=/dev/null bs=64k iflag=direct 2>&1"
        for state in ("live", "reconnecting", "failed"):
            disk = Disk(shared_vm, server, deadline=1 if state == "failed" else 0)
            load = shared_vm.spawn(f"while {read}; do :; done")
            if state != "live":
                server.stop()
                until(lambda: disk.file("ballast/state") == state, 20, f"it to be {state}")
                server.start() if state == "failed" else None
            shared_vm.run(f"echo force > {disk.sys}/ballast/detach")
            assert load.wait(20) == 0
            assert "Input/output error" in load.output or "No such" in load.output or \
                "No medium" in load.output, load.output
            if state == "reconnecting":
                server.start()
            shared_vm.run("! ls -d /sys/block/ballast* && ! pgrep '^ballast[0-9]'")
        # Two at once: one ends it, the other finds nothing or is told that it is busy.
        disk = Disk(shared_vm, server)
        said = shared_vm.run(f"(echo force > {disk.sys}/ballast/detach) 2>&1 & "
                             f"(echo force > {disk.sys}/ballast/detach) 2>&1; wait; "
                             "! ls -d /sys/block/ballast*")
        print(said.output)
