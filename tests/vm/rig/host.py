# SPDX-License-Identifier: GPL-2.0
"""The machine the tests run on: where things are kept and who runs commands."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_INSIDE = "BALLAST_INSIDE"


def cache():
    """The directory for what is slow to make; outside the tree."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("BALLAST_CACHE") or f"{base}/ballast").expanduser()


def logs():
    return Path(os.environ.get("BALLAST_LOGS") or cache() / "logs")


def say(text):
    """Progress, where a person sees it even if pytest captures the output."""
    print(f"ballast: {text}", file=sys.stderr, flush=True)


def in_namespace(argv):
    """argv as root of a user namespace that has all of the user's subordinate ids.

    A file that belongs to root in there belongs to the user out here. Real
    root needs none of it.
    """
    if os.geteuid() == 0:
        return argv
    return ["unshare", "--map-root-user", "--map-auto", *argv]


def die_with_parent():
    """For preexec_fn: the child ends with the thread that started it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(argv, **options):
    """Popen of a helper that must not outlive us."""
    return subprocess.Popen(argv, preexec_fn=die_with_parent,
                            stdin=subprocess.DEVNULL, **options)


def private_network():
    """How a command is started in a network namespace where nothing else is, root or not."""
    return ["unshare", "-n" if os.geteuid() == 0 else "-rn", "--"]


def enter(what):
    """Start this program again in such a namespace; inside() says what it was given."""
    os.environ[_INSIDE] = str(what)
    os.execvp("unshare", [*private_network(), sys.executable, "-B", *sys.argv])


def inside():
    """None outside."""
    return os.environ.get(_INSIDE)


def outside(argv):
    """Run argv outside the tests' network namespace; fails if it does.

    Images come from the network, and an ordinary user's namespace cannot make
    another one with subordinate ids. scripts/vm-test stays outside and runs
    such commands for us; without it we are outside already.
    """
    argv = [str(word) for word in argv]
    address = os.environ.get("BALLAST_OUTSIDE")
    if address:
        with socket.socket(socket.AF_UNIX) as broker:
            broker.connect(address)
            broker.sendall(json.dumps(argv).encode() + b"\n")
            answer = broker.makefile().readline()
        status = int(answer or -1)
    else:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sys.__stderr__).returncode
    if status:
        raise RuntimeError(f"{' '.join(argv)}: exit status {status}")
