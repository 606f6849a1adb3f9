# SPDX-License-Identifier: GPL-2.0
"""QEMU's machine protocol: just enough to give commands and wait for events."""

import json
import socket
import time


class QmpError(Exception):
    pass


class Qmp:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._data = b""
        self.events = []
        self._receive(10)  # the greeting
        self("qmp_capabilities")

    def __call__(self, command, timeout=30, **arguments):
        """Give a command; an underscore in an argument's name stands for a hyphen."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        message = {"execute": command, "arguments": arguments}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._receive(timeout)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            self.events.append(answer)

    def wait_event(self, name, timeout=30):
        """The first event of that name that no call has returned yet."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if event["event"] == name:
                    self.events.remove(event)
                    return event
            self.events.append(self._receive(max(deadline - time.monotonic(), 0.001)))

    def close(self):
        self._socket.close()

    def _receive(self, timeout):
        self._socket.settimeout(timeout)
        while b"\n" not in self._data:
            data = self._socket.recv(65536)
            if not data:
                raise QmpError("QEMU has ended")
            self._data += data
        line, _, self._data = self._data.partition(b"\n")
        return json.loads(line)
