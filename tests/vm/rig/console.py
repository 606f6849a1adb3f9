# SPDX-License-Identifier: GPL-2.0
"""A guest's kernel console: its log, what to type there, and what must not be in it."""

import re
import socket

# Any of these fails the test that it happens in.
ALARMS = re.compile(r"""
    WARNING: | BUG: | Oops | KASAN | UBSAN | KCSAN | INFO:\ task\ .*\ blocked
    | possible\ (recursive\ locking|circular\ locking|irq\ lock\ inversion|deadlock)
    | inconsistent\ lock\ state | \[\ INFO:\  | suspicious\ RCU | general\ protection\ fault
    | Kernel\ panic | unreferenced\ object | soft\ lockup
    | rcu_\w+\ self-detected | rcu.*\ stall
""", re.VERBOSE)

CONTEXT = 25  # lines shown after an alarm

_all = []


class Console:
    def __init__(self, path):
        self.path = path
        self._seen = 0
        self._socket = None
        path.unlink(missing_ok=True)
        _all.append(self)

    def connect(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        # Never read: QEMU must not wait for us. The log file has it all.
        self._socket.shutdown(socket.SHUT_RD)

    def type(self, text):
        self._socket.sendall(text.encode())

    def close(self):
        if self._socket:
            self._socket.close()
            self._socket = None

    @property
    def text(self):
        try:
            return self.path.read_text(errors="replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def tail(self, lines=40):
        return "\n".join(self.text.splitlines()[-lines:])

    def alarms(self, allowed=(), also=()):
        """Excerpts of what is new since the last call and should not be there."""
        text = self.text
        new, self._seen = text[self._seen:].splitlines(), len(text)
        found, shown = [], 0
        for at, line in enumerate(new):
            if at < shown or not (ALARMS.search(line) or any(re.search(p, line) for p in also)):
                continue
            if any(re.search(pattern, line) for pattern in allowed):
                continue
            shown = at + CONTEXT
            found.append(f"{self.path.name}:\n" + "\n".join(new[at:shown]))
        return found


def alarms(allowed=(), also=()):
    """What is new on the consoles of all guests of this run, living or ended."""
    return [excerpt for console in _all for excerpt in console.alarms(allowed, also)]
