# SPDX-License-Identifier: GPL-2.0
"""The variables of make storm, which are those of a line of make storm-proof too."""

import argparse
import shlex

import run
from rig import image
from rig.vm import CLOUD_NICS

# Name, default, and what it may be: a type or the words.
CONDITIONS = (
    ("suite", "bookworm", image.SUITES), ("nic", run.VIRTIO, str), ("mem", 256, int),
    ("min_free", 0, int), ("mtu", 1500, int), ("sg", "on", ("on", "off")),
    ("reserve", 0, int), ("rate", "", str), ("nics", 0, (0, 1, 2)), ("storm_nic", 0, (0, 1, 2)),
    ("queues", 1, int), ("ring", 0, int), ("mrg", "on", ("on", "off")), ("pps", 0, int),
    ("udp_mem", 0, int), ("tcp_mem", 0, int), ("threaded", "off", ("on", "off")),
    ("capture", 0, int), ("fs", "", tuple(run.USES)),
    ("calm", 10, int), ("length", 25, int), ("after", 12, int),
)


def words(check):
    """A type for argparse: words, each of which check takes; ValueError says what is wrong."""
    def parse(text):
        names = text.replace(",", " ").split()
        for name in names:
            try:
                check(name)
            except ValueError as error:
                raise argparse.ArgumentTypeError(str(error)) from None
        return names
    return parse


def storm(name):
    if name not in run.STORMS:
        raise ValueError(f"{name!r} is none of {', '.join(run.STORMS)}")


def add(parser):
    """The options of CONDITIONS."""
    for name, default, kind in CONDITIONS:
        words_ = isinstance(kind, tuple)
        parser.add_argument(f"--{name.replace('_', '-')}", default=default,
                            type=type(kind[0]) if words_ else kind,
                            choices=kind if words_ else None)


def parse(parser, argv):
    """make gives every variable, set or not."""
    return parser.parse_args([word for word in argv if not word.endswith("=")])


def conditions(options):
    """run.Conditions of them; ValueError says what does not fit together."""
    storm_nic = options.storm_nic or options.nics or 1
    nics = options.nics or storm_nic
    if storm_nic > nics:
        raise ValueError(f"STORM_NIC={storm_nic}, but NICS={nics}")
    made = run.Conditions(
        suite=options.suite, nic=options.nic, memory=options.mem, min_free=options.min_free,
        mtu=options.mtu, sg=options.sg == "on", reserve=options.reserve, rate=options.rate,
        nics=nics,
        storm_nic=storm_nic, queues=options.queues, ring=options.ring, mrg=options.mrg == "on",
        pps=options.pps, udp_mem=options.udp_mem, tcp_mem=options.tcp_mem,
        threaded=options.threaded == "on", capture=options.capture, fs=options.fs,
        calm=options.calm, length=options.length, after=options.after)
    run.nic_props(made)     # for what it refuses
    return made


def flavour(options):
    return ("cloud-amd64" if options.nic in CLOUD_NICS and options.suite != "debug"
            else "amd64")


def said(options, parser, leave_out=("out",)):
    """Those that are not the default, as make takes them."""
    shown = []
    for name, value in vars(options).items():
        text = " ".join(value) if isinstance(value, list) else str(value)
        if name not in leave_out and text != str(parser.get_default(name)):
            shown.append(f"{name.upper()}={shlex.quote(text)}")
    return " ".join(shown)


def of_line(text):
    """A storm and its variables, such as "u RATE=100M NICS=2": (storm, Conditions)."""
    name, *settings = text.split()
    storm(name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    add(parser)
    argv = []
    for setting in settings:
        variable, equals, value = setting.partition("=")
        if not equals or variable.lower() not in (known for known, _, _ in CONDITIONS):
            raise ValueError(f"{text!r}: {setting!r} is no VARIABLE=VALUE of make storm")
        argv.append(f"--{variable.lower().replace('_', '-')}={value}")
    try:
        return name, conditions(parser.parse_args(argv))
    except argparse.ArgumentError as error:
        raise ValueError(f"{text!r}: {error}") from None
