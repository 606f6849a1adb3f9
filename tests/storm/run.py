# SPDX-License-Identifier: GPL-2.0
"""One run: a guest whose only swap is the disk under test, hogs, and a storm."""

import contextlib
import json
import os
import re
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import answers
import probe
import samples
import subjects
import traffic as sender
from rig import host, kmemleak, module, net, programs, traffic
from rig.agent import GuestGone
from rig.line import second_addresses, second_nic, two_cards
from rig.vm import VM, CommandFailed

HERE = Path(__file__).resolve().parent

# A letter's traffic: (kind, see traffic.py; port). 7 has a large UDP buffer, 9 is TCP.
STORMS = {
    "calm": (),
    "a": (("udp", 7),),
    "b": (("tcp", 9),),
    "c": (("udp", 7), ("tcp", 9)),
    "c10": (("tenth", 7), ("tcp", 9)),
    "d": (("small", 7),),
    "e": (("udp", 7), ("tcp", 9)),
    "f": (("fragmented", 7),),
    "g": (("connects", 9),),
    "u": (("unread", 1000),),
    "v": (("in turn", 1000),),
    "burst": (("burst", 1000),),
    "arp": (("arp", 0),),
    "syn": (("syn", 9),),
}
# Seconds after which what such sockets, and a capture, hold is thrown away; 0: never.
THROWN_AWAY = {"u": 0, "v": 0, "burst": 1}
# In the guest before such a storm.
BEFORE = {"syn": f"""modprobe nf_conntrack && ip route add default via {net.HOST4} &&
    nft add table inet storm &&
    nft 'add chain inet storm in {{ type filter hook input priority 0; }}' &&
    nft add rule inet storm in ct state established counter"""}
IPV6 = ("e",)
# What the disk is used for, by FS. Without swap, memory is to fill with pages that must be written.
MOUNT = """ /mnt && echo 90 > /proc/sys/vm/dirty_ratio &&
    echo 80 > /proc/sys/vm/dirty_background_ratio"""
USES = {
    "": "mkswap {disk} && swapon {disk}",
    "ext4": "mkfs.ext4 -q {disk} && mount {disk}" + MOUNT,
    "xfs": "mkfs.xfs -q {disk} && mount {disk}" + MOUNT,
}
DIRTY = 4               # processes that write to mapped files
TITLES = {
    "calm": "no storm", "a": "UDP, 100 Mbit/s", "b": "32 TCP streams", "c": "UDP and TCP",
    "c10": "UDP, 10 Mbit/s, and TCP",
    "d": "64-byte packets", "e": "UDP and TCP over IPv6", "f": "fragmented UDP",
    "g": "500 new TCP connections a second",
    "u": f"UDP into {sender.SOCKETS} large sockets, one after the other",
    "v": f"UDP into {sender.SOCKETS} large sockets in turn",
    "burst": f"UDP in bursts into {sender.SOCKETS} large sockets, emptied each second",
    "arp": f"{sender.ARPS} ARP broadcasts a second",
    "syn": f"{sender.SYNS} SYNs a second to an open port, with conntrack",
}
UDP_BUFFER = 16 << 20   # for the port's one socket
TCP_BUFFER = 8 << 20    # for each connection
OVERCOMMIT = 1.7        # the hogs' memory, in those of the guest
SWAPS = 100             # pages a second in: swapping has begun
# Of a driver, for instance. Those of processes are not for packets that come in.
ATOMIC_FAILURE = re.compile(r"page allocation failure: order:\d+, mode:0x\w+\(GFP_ATOMIC")
SYSRQ = {"w": "Show Blocked State", "m": "Show Memory"}
ACT = 4                 # seconds of the storm
PATIENCE = 120          # seconds for that
WORRIED = 5             # seconds without an answer: ask the kernel by sysrq


@dataclass(frozen=True)
class Conditions:
    suite: str = "bookworm"
    flavour: str = None     # of the kernel; None: what the NIC needs
    nic: str = "virtio-net-pci"
    memory: int = 256       # MiB
    hogs: int = 0           # MiB; 0: OVERCOMMIT times the memory
    min_free: int = 0       # vm.min_free_kbytes; 0: the default
    mtu: int = 1500
    two_cards: bool = False  # see rig/line.py
    nics: int = 1           # 2: another one with an address of its own
    storm_nic: int = 1      # the one that the storm's traffic is for
    queues: int = 1         # of each NIC
    ring: int = 0           # its receive ring's places; 0: the default
    mrg: bool = True        # virtio: mergeable receive buffers
    sg: bool = True         # scatter-gather on
    reserve: int = 0        # pages of ballast's reserve; 0: the default
    rate: str = ""          # what the server is limited to, such as 100M
    pps: int = 0            # the storm's packets a second; 0: its kind's own
    threaded: bool = False  # NAPI in threads
    udp_mem: int = 0        # net.ipv4.udp_mem, in pages; 0: the default
    tcp_mem: int = 0        # net.ipv4.tcp_mem, likewise
    fs: str = ""            # no swap: pages of mapped files of this file system are dirtied
    capture: int = 0        # KiB of the buffer of a capture of the storm's UDP; 0: none
    calm: int = 10          # seconds of each phase
    length: int = 25
    after: int = 12


def prepared(subject, storm, conditions):
    """The subject of that name, or this one, in a storm; ValueError: it can't be run there."""
    if isinstance(subject, str):
        subject = subjects.parse(subject)
    subject.check(storm in IPV6)
    return subject.limited(conditions.rate).sized(conditions.reserve)


def run(subject, storm, conditions, ko, directory, show=None, act=None):
    """One run; returns its result as a dict, also kept in directory with the console's log.

    subject is a name, or a Subject of one's own. act(run) is called ACT seconds
    into the storm; run has the guest, the server and the samples so far.

    show(phase, at, sample) is called once a second; at counts from the storm's
    beginning, before the calm from the run's; sample is None when there is no
    answer.
    """
    subject = prepared(subject, storm, conditions)
    directory.mkdir(parents=True, exist_ok=True)
    return Run(subject, storm, conditions, ko, directory, show or (lambda *_: None), act).result


class Run:
    def __init__(self, subject, storm, conditions, ko, directory, show, act):
        self.subject, self.storm, self.conditions = subject, storm, conditions
        self.directory, self.show, self.act = directory, show, act
        self.samples = samples.Samples()
        self.phase = "fill"
        self.begun = {}         # phase: when it began
        self.last_sign = 0      # when there was last a line, or a note that there is none
        self.asked = False
        self._taken = 0
        net.set_mtu(conditions.mtu)
        self.address = subjects.server_address(storm in IPV6)
        with VM(conditions.suite, flavour=conditions.flavour, memory=conditions.memory,
                nic=conditions.nic, nics=max(conditions.nics, 1 + conditions.two_cards),
                nic_props=nic_props(conditions), queues=conditions.queues, mtu=conditions.mtu,
                logs=directory, append=kmemleak.APPEND) as self.guest:
            self._prepare(ko)
            with subject.attach(self.guest, self.address) as self.server:
                self.guest.run(USES[self.conditions.fs].format(disk=subject.swap))
                self._weather()
                self.unloaded = self._unload()
                self.leaks = kmemleak.leaks(self.guest) if self.unloaded else ""
                self.result = self._judge()
        (directory / "result.json").write_text(json.dumps(self.result, indent=1) + "\n")

    def _prepare(self, ko):
        guest, conditions = self.guest, self.conditions
        guest.put("/run/guest", tool(), 0o755)
        if conditions.suite == "debug":
            kmemleak.begin(guest)
        if self.subject.ballast:
            guest.put("/run/ballast.ko", module.stripped(ko))
        for name, argument in self.subject.tools:
            guest.spawn(f"exec /run/guest {name} {argument}").wait_output("ready")
        if conditions.min_free:
            guest.run(f"echo {conditions.min_free} > /proc/sys/vm/min_free_kbytes")
        if conditions.two_cards:
            two_cards(guest)
        self._prepare_nics()
        for name, pages in (("udp_mem", conditions.udp_mem), ("tcp_mem", conditions.tcp_mem)):
            if pages:
                guest.run(f"echo {pages} {pages} {pages} > /proc/sys/net/ipv4/{name}")
        guest.run(BEFORE.get(self.storm, ""))

    def _prepare_nics(self):
        guest, conditions = self.guest, self.conditions
        if conditions.nics > 1:
            second_nic(guest)
        for number in range(conditions.nics):
            name = f"eth{number}"
            if not conditions.sg:
                guest.run(f"ethtool -K {name} sg off")
            if conditions.queues > 1:
                # Otherwise Linux uses one a processor.
                guest.run(f"ethtool -L {name} combined {conditions.queues} || "
                          f"ethtool -l {name} | tail -5 | grep 'Combined:.*{conditions.queues}$'")
            if conditions.ring and conditions.nic != VIRTIO:
                guest.run(f"ethtool -G {name} rx {conditions.ring}")
            if conditions.threaded:
                guest.run(f"echo 1 > /sys/class/net/{name}/threaded")

    def _storm_address(self):
        addresses = self.guest.address4, self.guest.address6
        if self.conditions.storm_nic > 1:
            addresses = second_addresses(self.guest)
        return addresses[self.storm in IPV6]

    def _start_tools(self):
        """What takes packets in the guest, and answers the probe."""
        tools = [f"sink 7 {UDP_BUFFER}", f"sink 9 {TCP_BUFFER}", f"echo {probe.PORT}"]
        if self.storm in THROWN_AWAY:
            (_, port), = STORMS[self.storm]
            tools.append(f"hold {port} {sender.SOCKETS} {sender.SOCKET} "
                         f"{THROWN_AWAY[self.storm]}")
        if self.conditions.capture:
            tools.append(f"capture eth{self.conditions.storm_nic - 1} "
                         f"{self.conditions.capture << 10} {THROWN_AWAY.get(self.storm, 0)}")
        for tool_ in tools:
            self.guest.spawn(f"exec /run/guest {tool_}").wait_output("ready")

    def _weather(self):
        with probe.running(self.guest.address4, self.directory / "answers"):
            self._weather_probed()

    def _weather_probed(self):
        guest, conditions = self.guest, self.conditions
        self._start_tools()
        # With real-time priority, so that a delay is not due to a lack of processor time.
        kind = "file" if conditions.fs else "swap"
        self.reporter = guest.spawn(f"exec chrt -f 1 /run/guest report {self.subject.disk} {kind} "
                                    + " ".join(samples.FILES.values()))
        self.hogs = guest.spawn(self._load())
        self._watch("fill", PATIENCE, lambda: self.samples.last and
                    self.samples.last.rate_in >= SWAPS)
        self._watch("calm", conditions.calm)
        lost = self._lost()
        with traffic.sent(self._storm_address(), STORMS[self.storm], conditions.length,
                          conditions.after + 600, conditions.pps):
            self._watch("storm", conditions.length)
            self._watch("after", conditions.after)
            self.end = time.monotonic()
            self.lost = self._lost() - lost
            self._finish_hogs()

    def _load(self):
        """What takes the memory, and verifies what it reads back."""
        wanted = self.conditions.hogs or int(self.conditions.memory * OVERCOMMIT)
        if self.conditions.fs:
            return f"exec /run/guest dirty /mnt {DIRTY} {(wanted << 20) // DIRTY}"
        # stress-ng shares it out among the hogs, whatever its manual says.
        # One method of many, so that the rates of one time compare with another's.
        return (f"exec stress-ng --vm 2 --vm-bytes {wanted}M --vm-keep --verify "
                "--vm-method rand-set --metrics-brief -t 0")

    def _watch(self, phase, seconds, enough=lambda: False):
        self.phase = phase
        self.begun[phase] = begin = time.monotonic()
        while time.monotonic() < begin + seconds and not enough():
            self._take()
            if self.act and phase == "storm" and time.monotonic() > begin + ACT:
                act, self.act = self.act, None
                act(self)
            time.sleep(0.1)

    def _take(self):
        """Take in what the reporter has said."""
        lines = self.reporter.output.split("\n")[:-1]
        now = time.monotonic()
        for line in lines[self._taken:]:
            sample = self.samples.add(line, now)
            self.last_sign = now
            self.show(self.phase, self._at(now), sample)
            if sample.gap > WORRIED * 1000:
                self._ask()
        self._taken = len(lines)
        last = self.samples.last
        if last and now - self.last_sign > 2:
            self.last_sign = now - 1
            self.show(self.phase, self._at(now), None)
            if now - last.time > WORRIED:
                self._ask()

    def _lost(self):
        """Packets that never reached the guest: its NIC had not taken those before them."""
        return sum(net.counters(tap)["tx"]["dropped"] for tap in self.guest.network.taps)

    def _at(self, now):
        if self.phase == "fill":
            return now - self.begun["fill"]
        return now - self.begun["calm"] - self.conditions.calm

    def _ask(self):
        """What every blocked task waits for, and memory, into the console's log; once."""
        if self.asked:
            return
        self.asked = True
        for letter, answer in SYSRQ.items():
            # A break may be lost, and then the next one ends what the first began.
            for _ in range(4):
                answered = self.guest.console.text.count(answer)
                # QEMU ends when the guest panics.
                with contextlib.suppress(OSError):
                    self.guest.sysrq(letter)
                time.sleep(0.5)
                if self.guest.console.text.count(answer) > answered:
                    break

    def _finish_hogs(self):
        last = self.samples.last
        dead = self.end - last.time > WORRIED or last.gap > WORRIED * 1000
        try:
            self.hogs.kill(signal.SIGINT, 3 if dead else 30)
        except (TimeoutError, GuestGone, CommandFailed):
            self.asked = False
            self._ask()
            time.sleep(3)
        self.hogs_said = self.hogs.output

    def _unload(self):
        """Whether all of it can be ended right after; None if there is nothing to end."""
        if not self.subject.ballast or self.hogs.running:
            return None
        try:
            self.guest.run("""swapoff -a && { ! mountpoint -q /mnt || umount /mnt; } &&
                { [ ! -e /dev/md0 ] || mdadm -q --stop /dev/md0; } || exit
                { [ ! -e /dev/dm-0 ] || dmsetup remove_all; } &&
                { [ ! -e /dev/zram0 ] || echo 1 > /sys/block/zram0/reset; } || exit
                for disk in /sys/block/ballast*; do
                    [ ! -e $disk ] || echo 1 > $disk/ballast/detach || exit
                done
                rmmod ballast""")
        except CommandFailed as error:
            host.say(str(error))
            return False
        return True

    def _judge(self):
        begun = self.begun
        result = samples.judge(self.samples, (begun["calm"], begun["storm"]),
                               (begun["storm"], begun["after"]), (begun["after"], self.end))
        console = self.guest.console
        text = console.text
        # Newer ones end with "failed: 0".
        asked = answers.read(self.directory / "answers")
        corrupt = re.search(r"fail:|failed: [1-9]", self.hogs_said) or self.hogs.status == 2
        zero = begun["storm"]
        return {
            "subject": self.subject.name, "title": self.subject.title, "storm": self.storm,
            **result, "probe": answers.figures(asked, begun, self.end),
            "verify": "corrupt" if corrupt else "unknown" if self.hogs.running else "clean",
            "allocation_failures": len(ATOMIC_FAILURE.findall(text)),
            "oom_kills": text.count("Out of memory: Killed"),
            "alarms": console.alarms(),
            "unloaded": self.unloaded,
            "leaks": self.leaks,
            "conditions": asdict(self.conditions),
            "kernel": self.guest.image.release,
            "lost": self.lost,
            "load": round(os.getloadavg()[0], 1),
            "seconds": {name: round(at - zero, 1)
                        for name, at in {**begun, "end": self.end}.items()},
            "series": [{"time": round(sample.time - zero, 2), "in": round(sample.rate_in),
                        "out": round(sample.rate_out), **sample.values}
                       for sample in self.samples],
            "hogs": self.hogs_said,
            "logs": str(self.directory),
        }


VIRTIO = "virtio-net-pci"


def nic_props(conditions):
    """QEMU's properties of the NICs. ValueError: this kind of NIC can't be like that."""
    if conditions.nic != VIRTIO:
        if conditions.queues > 1 or not conditions.mrg:
            raise ValueError(f"QUEUES and MRG are for {VIRTIO} only, not for {conditions.nic}")
        return {}
    return {**({"rx_queue_size": conditions.ring} if conditions.ring else {}),
            **({} if conditions.mrg else {"mrg_rxbuf": "off"})}


HEADING = "   t phase    in/s  out/s   free inflight in_use lent   kept  dropped tcp_mem  gap"


def line(phase, at, sample):
    """One second of a run, for a person; HEADING goes above."""
    def number(name):
        return "-" if sample.values[name] < 0 else str(sample.values[name])

    if sample is None:
        return f"{at:4.0f} {phase:5}      no answer"
    return (f"{at:4.0f} {phase:5}"
            f"{sample.rate_in:8.0f}{sample.rate_out:7.0f}{sample.free:7}{sample.inflight:9}"
            f"{number('in_use'):>7}{number('lent'):>5}{number('kept'):>7}{number('dropped'):>9}"
            f"{number('tcp_mem'):>8}{sample.gap / 1000:5.1f}")


def outcome(result):
    return (f"-- {result['subject']}: {result['verdict']}; pages {result['verify']}; "
            f"{result['rate']['calm']} pages/s before, {result['rate']['storm']} during, "
            f"{result['rate']['after']} after; longest gap {result['gap']} s")


def tool():
    """guest.c, built."""
    return programs.build(HERE / "guest.c").read_bytes()
