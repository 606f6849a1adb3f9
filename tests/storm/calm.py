# SPDX-License-Identifier: GPL-2.0
"""demo.py --calm: a guest of 256 MiB runs programs that need more, and swaps over ballast.

It first gets what needs the network (the guest's image) and builds the module;
then it starts itself again in a network namespace of its own, where guest and
server run.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time

import run as storm
from rig import console, host, image, module
from rig.disk import Disk
from rig.servers import NbdServer
from rig.vm import VM, CommandFailed

MEMORY = 256            # MiB, of the guest
HOGS = 2
EACH = 220              # MiB, which each of them fills and verifies; stress-ng takes the sum
SECONDS = 60
SWAP = 1 << 30
PAGES_PER_MIB = 256
WANTED = 100            # MiB in and out together; less shows nothing, and tests/vm requires more
PATIENCE = 120          # seconds more for the programs to end

INTRO = f"""
ballast: a machine that swaps over the network

  A virtual machine with {MEMORY} MiB of memory and a stock Debian kernel runs
  {HOGS} programs that fill and verify {EACH} MiB each, for {SECONDS} s. Pages that do not
  fit in memory go over the network: to /dev/ballast0 in the machine, and from
  there to nbd-server on this one. Every page that is read back is verified.
"""

# Name, unit, width; one line a second.
COLUMNS = (("second", "", 6), ("swap in", "pages/s", 12), ("swap out", "pages/s", 12),
           ("free", "MiB", 10), ("in flight", "requests", 13))


class Wrong(Exception):
    """What failed, in words for the user."""


def bold(text):
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    return text if plain else f"\033[1m{text}\033[m"


def say(text=""):
    print(text, flush=True)


def item(name, text):
    say(f"  {name:<17} {text}")


def enter():
    """The first half, outside the namespace; it ends by starting the second."""
    say(INTRO)
    if subprocess.run([*host.private_network(), "true"], stderr=subprocess.DEVNULL).returncode:
        raise Wrong("this needs root: ordinary users may not create namespaces here")
    if not image.describe("bookworm", "cloud-amd64").path.exists():
        item("guest image", "is created once, now; takes some minutes")
    guest = image.get()
    item("guest image", f"Debian {guest.suite}, kernel {guest.release}")
    ko = module.build().path
    item("module", f"ballast.ko for it, {len(module.stripped(ko)) // 1024} KiB")
    host.enter(ko)


def show():
    """The second half, inside the namespace; returns whether it worked."""
    logs = host.logs() / "demo"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(NbdServer({"swap": SWAP}))
        item("server", f'nbd-server on {server.address}:{server.port}, export "swap", 1 GiB')
        vm = stack.enter_context(VM(memory=MEMORY, name="demo", logs=logs))
        item("machine", f"{MEMORY} MiB, {vm.cpus} processors, booted in {vm.boot_seconds:.0f} s")
        vm.put("/run/guest", storm.tool(), 0o755)
        module.load(vm)
        disk = Disk(vm, server, export="swap")
        vm.run(f"mkswap {disk.path} && swapon {disk.path}")
        item("swap", f"{disk.path}, {disk.file('ballast/state')}, and no other")
        item("programs", f"stress-ng --vm {HOGS} --vm-bytes {HOGS * EACH}M --vm-keep --verify "
             f"-t {SECONDS}")
        try:
            findings = swap(vm, disk)
        except CommandFailed as error:
            raise Wrong(f"{error}\n\nThe kernel's log: {vm.console.path}") from error
        findings += afterwards(vm, disk, server)
    say()
    for good, name, text in findings:
        item(name, text if good else bold(f"{text}   <- wrong"))
    worked = all(good for good, _, _ in findings)
    say()
    say(bold("It works." if worked else f"It does not work. The kernel's log: {vm.console.path}"))
    return worked


def swap(vm, disk):
    """Run the programs and print one line a second; returns findings: (good, name, text)."""
    reporter = vm.spawn(f"exec chrt -f 1 /run/guest report {disk.name} swap")
    hogs = vm.spawn(f"exec stress-ng --vm {HOGS} --vm-bytes {HOGS * EACH}M --vm-keep --verify "
                    f"--vm-method zero-one -t {SECONDS}")
    say()
    say(bold("".join(f"{name:>{width}}" for name, _, width in COLUMNS)))
    say("".join(f"{unit:>{width}}" for _, unit, width in COLUMNS))
    began = time.monotonic()
    first = last = None
    taken = 0
    silent_since = began
    while hogs.running:
        lines = reporter.output.split("\n")[:-1]
        for second, line in enumerate(lines[taken:], taken):
            now = [float(word) for word in line.split()]
            silent_since = time.monotonic()
            if last:
                show_second(second, last, now)
            first, last = first or now, now
        taken = len(lines)
        if time.monotonic() - silent_since > 5:
            silent_since += 1
            say(f"{time.monotonic() - began:6.0f}   no answer from the machine")
        if not reporter.running:
            raise Wrong(f"the reporter in the machine has ended: {reporter.output[-300:]}")
        if time.monotonic() - began > SECONDS + PATIENCE:
            raise Wrong(f"the programs have not ended after {SECONDS + PATIENCE} s")
        time.sleep(0.05)
    reporter.kill()
    mib_in, mib_out = ((last[at] - first[at]) / PAGES_PER_MIB for at in (1, 2))
    seconds = last[0] - first[0]
    verified = hogs.status == 0 and "fail" not in hogs.output
    enough = mib_in + mib_out >= WANTED
    return [
        (enough, "swapped", f"{mib_in:.0f} MiB in and {mib_out:.0f} MiB out in {seconds:.0f} s"
         + ("" if enough else f", which is less than {WANTED} MiB together")),
        (verified, "programs", "no error, every page unchanged" if verified else
         f"exit status {hogs.status}: {hogs.output.strip()}"),
    ]


def show_second(second, before, now):
    """HEAD in samples.py has the order of the reporter's figures."""
    span = now[0] - before[0]
    values = (f"{second}", f"{(now[1] - before[1]) / span:.0f}",
              f"{(now[2] - before[2]) / span:.0f}", f"{now[3] / PAGES_PER_MIB:.1f}",
              f"{now[5]:.0f}")
    say("".join(f"{value:>{width}}" for value, (_, _, width) in zip(values, COLUMNS)))


def afterwards(vm, disk, server):
    """Take everything down again; returns findings."""
    reconnects = disk.file("ballast/reconnects")
    serving = greets(server)
    completed = disk.file("stat").split()
    ended = vm.run("swapoff -a", timeout=120, check=False)
    if not ended.status:
        ended = vm.run(f"echo 1 > {disk.sys}/ballast/detach && rmmod ballast", check=False)
    alarms = console.alarms(also=["page allocation failure", "I/O error"])
    return [
        (reconnects == "0", "connection", f"{int(completed[0]) + int(completed[4])} requests, "
         + ("none lost" if reconnects == "0" else f"reconnected {reconnects} times")),
        (serving, "server", "still serving" if serving else "does not answer"),
        (not alarms, "kernel log", "no error" if not alarms else
         "\n".join(alarms)),
        (not ended.status, "taken down", "swapoff, detach, rmmod" if not ended.status else
         ended.output.strip()),
    ]


def greets(server):
    try:
        with socket.create_connection((server.address, server.port), 5) as connection:
            return connection.recv(8) == b"NBDMAGIC"
    except OSError:
        return False


def main():
    began = float(os.environ.setdefault("BALLAST_DEMO_BEGAN", str(time.time())))
    try:
        if not host.inside():
            enter()
        worked = show()
        say(f"{time.time() - began:.0f} s in all.")
        return not worked
    except Wrong as error:
        say(f"\n{bold('It does not work:')} {error}")
    except KeyboardInterrupt:
        say("\nInterrupted.")
        return 130
    return 1
