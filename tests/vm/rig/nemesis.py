# SPDX-License-Identifier: GPL-2.0
"""What befalls a server and the line to it while a load goes on, repeatable by its seed."""

import shutil
import threading
import time
from collections import Counter
from contextlib import contextmanager

from rig import line, stall
from rig.wait import until

LONG = 15   # seconds


class Nemesis:
    """Faults of one server and one guest, by a random.Random.

    file: behind the export. done: how many of each kind. progress() says how much the
    load has done: after each fault it must go on. What witness() says is printed if
    that takes long.
    """

    def __init__(self, rng, guest, server, file, progress, witness, patience=60):
        self.rng, self.guest, self.server, self.file = rng, guest, server, file
        self.progress, self.witness, self.patience = progress, witness, patience
        self.done = Counter()
        self.slowest = 0
        self._began = time.monotonic()
        self.kinds = [self.terminated, self.killed, self.swapped_for_a_copy, self.stalled,
                      self.stopped, self.cut, self.slowed, self.terminated_while_stalled,
                      self.cut_while_stalled]

    def go_on(self, seconds):
        """Each kind once, in random order, and again, until the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind in self.rng.sample(self.kinds, len(self.kinds)):
                self._one(kind)
                if time.monotonic() >= end:
                    return

    def _one(self, kind):
        print(f"{time.monotonic() - self._began:7.2f} s: {kind.__name__}", flush=True)
        kind()
        self.done[kind.__name__] += 1
        assert self.server.process.poll() is None, f"the server has ended: {self.server.log}"
        before, began = self.progress(), time.monotonic()

        def goes_on(timeout):
            until(lambda: self.progress() > before + 20, timeout,
                  f"the load to go on after {kind.__name__}", 0.1)

        try:
            goes_on(LONG)
        except TimeoutError:
            print(self.witness(), flush=True)
            goes_on(self.patience - LONG)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self._for(0, 0.5)

    def _for(self, least, most):
        threading.Event().wait(self.rng.uniform(least, most))

    def terminated(self):
        stall.terminate(self.server)
        self._for(0, 1)
        self.server.start()

    def killed(self):
        self.server.stop()
        self._for(0, 1)
        self.server.start()

    def swapped_for_a_copy(self):
        """Another server goes on with what the killed one has written."""
        self.server.stop()
        copy = self.file.with_suffix(".copy")
        shutil.copyfile(self.file, copy)
        copy.rename(self.file)
        self.server.start()

    @contextmanager
    def _stalling(self):
        """One of the processes that serve a connection is stopped."""
        processes = stall.serving(self.server)
        with stall.stopped([self.rng.choice(processes)] if processes else []):
            yield

    def stalled(self):
        with self._stalling():
            self._for(0.5, 8)

    def stopped(self):
        """The server as a whole."""
        with stall.stopped(list(stall.family(self.server.process.pid))):
            self._for(0.5, 4)

    def cut(self):
        with line.dropped(self.guest):
            self._for(0.2, 7)

    def slowed(self):
        with line.netem(self.guest, f"delay {self.rng.randint(5, 100)}ms"):
            self._for(0.5, 3)

    def terminated_while_stalled(self):
        """One process sleeps through the restart of the others, where they are several."""
        with self._stalling():
            self._for(0.2, 2.5)
            self.terminated()

    def cut_while_stalled(self):
        """The server does not hear that its connection was given up."""
        with self._stalling():
            with line.dropped(self.guest):
                self._for(2, 7)
            self._for(0, 3)

    def report(self):
        kinds = ", ".join(f"{number} {kind.replace('_', ' ')}"
                          for kind, number in sorted(self.done.items()))
        return (f"{sum(self.done.values())} faults ({kinds}); the load went on after "
                f"{self.slowest:.1f} s at most")
