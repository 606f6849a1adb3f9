# SPDX-License-Identifier: GPL-2.0
"""A program in a guest with pages of known content, which it has swapped out."""

from contextlib import contextmanager

# Each page has another content, and no page is blank. MADV_PAGEOUT is 21.
PROGRAM = """
import mmap, sys, time
SIZE = int(sys.argv[1]) << 20
PAGES = range(0, SIZE, 4096)
memory = mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

def page(number, version):
    return (b"%08d %08d|" % (number, version)) * 227 + b"." * 10

def out(version):
    for at in PAGES:
        memory[at:at + 4096] = page(at, version)
    # Pages that are still being written stay in memory. Once they are written,
    # and mapped again to be read, they are dropped.
    for _ in range(3):
        memory.madvise(21)
        time.sleep(0.3)
        sum(memory[at] for at in PAGES)
    memory.madvise(21)

def say(text):
    print(text, flush=True)

out(0)
say("out 0")
for line in sys.stdin:
    command, version = line.split()
    if command == "out":
        out(int(version))
        say("out " + version)
    else:
        wrong = [at for at in PAGES if memory[at:at + 4096] != page(at, int(version))]
        say("%d of %d pages are wrong" % (len(wrong), len(PAGES)))
"""


class Pages:
    """pages.out(1) writes them again and has them swapped out; check(1) reads them back."""

    def __init__(self, guest, job, pipe):
        self._guest, self._job, self._pipe = guest, job, pipe

    def command(self, line):
        self._guest.run(f"echo {line} > {self._pipe}")

    def out(self, version):
        self.command(f"out {version}")
        self._job.wait_output(f"out {version}", 60)

    def said(self):
        return self._job.output

    def wait_checked(self, timeout=60):
        return self._job.wait_output("pages are wrong", timeout)

    def check(self, version=0, timeout=60):
        self.command(f"check {version}")
        assert "\n0 of" in "\n" + self.wait_checked(timeout).splitlines()[-1], self.said()


@contextmanager
def out(guest, mib=8):
    """Pages of that size, which are in the guest's swap."""
    pipe = guest.run("pipe=$(mktemp -u /run/pages-XXXXXX) && mkfifo $pipe && "
                     "echo $pipe").output.strip()
    guest.put("/usr/local/bin/pages", PROGRAM.encode())
    job = guest.spawn(f"exec python3 /usr/local/bin/pages {mib} <> {pipe}")
    try:
        job.wait_output("out 0", 60)
        guest.run(f"for i in $(seq 100); do [ $(awk 'END {{ print $4 }}' /proc/swaps) -ge "
                  f"{mib * 900} ] && exit; sleep 0.1; done; cat /proc/swaps; exit 1")
        yield Pages(guest, job, pipe)
    finally:
        job.kill()


@contextmanager
def swapped_out(guest, device, mib=8, priority=0):
    """Swaps to device, and yields Pages of that size that are there.

    One more within this one needs a higher priority.
    """
    guest.run(f"mkswap {device} && swapon -p {priority} {device}")
    try:
        with out(guest, mib) as pages:
            yield pages
    finally:
        guest.run(f"swapoff {device}", timeout=120)
