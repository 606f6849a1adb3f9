# SPDX-License-Identifier: GPL-2.0
"""The host's end of the agent: jobs in the guest, over a serial line.

agent.c describes the protocol.
"""

import signal
import socket
import threading
import time

CHUNK = 4096  # the most that the agent takes in one frame
LONG = 3000   # a longer script goes in as input, chunk by chunk


class GuestGone(Exception):
    """The guest ended, or its agent did."""


class Channel:
    """The connection to one guest's agent."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rb")
        self._write_lock = threading.Lock()
        self.changed = threading.Condition()
        self._jobs = {}
        self._next_id = 1
        self.ready = False
        self.gone = False
        threading.Thread(target=self._read, daemon=True, name="agent").start()

    def wait_ready(self, timeout):
        with self.changed:
            self.changed.wait_for(lambda: self.ready or self.gone, timeout)
        return self.ready and not self.gone

    def spawn(self, script, data=None):
        """Start a script; data, if any, is its standard input."""
        if isinstance(script, str):
            script = script.encode()
        if len(script) > LONG:
            if data is not None:
                raise ValueError("a long script has no room for input")
            script, data = b'eval "$(cat)"', script
        with self.changed:
            job = Job(self, self._next_id)
            self._jobs[job.id] = job
            self._next_id += 1
        self.send(job.id, "run", len(script), script)
        if data is not None:
            job.feed(data)
        self.send(job.id, "in", 0)
        return job

    def send(self, number, verb, value, body=b""):
        try:
            with self._write_lock:
                self._socket.sendall(f"{number} {verb} {value}\n".encode() + body)
        except OSError as error:
            raise GuestGone("the guest has ended") from error

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _read(self):
        try:
            while self._read_frame():
                pass
        except (OSError, ValueError):
            pass
        with self.changed:
            self.gone = True
            self.changed.notify_all()

    def _read_frame(self):
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            return False
        if not self.ready:
            # Firmware talks on each serial line that it finds.
            line = line[max(line.rfind(b"0 hello"), 0):]
            if not line.startswith(b"0 hello"):
                return True
        number, verb, value = line.split()
        number, value = int(number), int(value)
        body = self._stream.read(value) if verb == b"out" else b""
        with self.changed:
            job = self._jobs.get(number)
            if verb == b"hello":
                self.ready = True
            elif verb == b"out":
                job.data += body
            elif verb == b"ack":
                job.acks += 1
            elif verb == b"exit":
                job.status = value
                del self._jobs[number]
            self.changed.notify_all()
        return True


class Job:
    """A script that runs in the guest."""

    def __init__(self, channel, number):
        self._channel = channel
        self.id = number
        self.data = bytearray()  # what it has written so far, both streams
        self.status = None       # None while it runs; 128 + N: signal N ended it
        self.acks = 0

    @property
    def output(self):
        with self._channel.changed:
            return self.data.decode(errors="replace")

    @property
    def running(self):
        return self.status is None

    def feed(self, data, timeout=120):
        """Send standard input, no faster than the guest takes it."""
        for at in range(0, len(data), CHUNK):
            chunk = bytes(data[at:at + CHUNK])
            expected = self.acks + 1
            self._channel.send(self.id, "in", len(chunk), chunk)
            self._wait(lambda: self.acks >= expected or self.status is not None, timeout,
                       "the guest to take input")
            if self.status is not None:
                return

    def wait(self, timeout=60):
        """Wait for its end and return its status."""
        self._wait(lambda: self.status is not None, timeout, "a job in the guest")
        return self.status

    def wait_output(self, text, timeout=60):
        """Wait until it has written text (bytes or str); returns all output so far."""
        wanted = text.encode() if isinstance(text, str) else text
        self._wait(lambda: wanted in self.data or self.status is not None, timeout,
                   f"{text!r} from a job")
        if wanted not in self.data:
            raise RuntimeError(f"ended with status {self.status} without {text!r}: {self.output}")
        return self.output

    def kill(self, number=signal.SIGKILL, timeout=10):
        """Signal the job's process group and wait for its end."""
        if self.running:
            self._channel.send(self.id, "kill", int(number))
        return self.wait(timeout)

    def _wait(self, condition, timeout, what):
        deadline = time.monotonic() + timeout
        with self._channel.changed:
            while not condition():
                if self._channel.gone:
                    raise GuestGone(f"the guest ended; waited for {what}: "
                                    f"{self.data.decode(errors='replace')}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"waited {timeout} s for {what}; so far: "
                                       f"{self.data.decode(errors='replace')}")
                self._channel.changed.wait(left)
