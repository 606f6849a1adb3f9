# SPDX-License-Identifier: GPL-2.0
"""The kernel wakes who polls the files of a state, and ballastctl events tells of it."""

import json

import pytest

from rig import ctl as tool, servers
from rig.disk import Disk
from rig.wait import until

pytestmark = pytest.mark.console_ok("ballast: ")

# Reads each file, tells that it waits, and then each that has changed, until all have. A
# wake without a change may come.
POLL = r"""
use strict; use warnings; use IO::Poll qw(POLLPRI); $| = 1;
my ($poll, %name, %was) = IO::Poll->new;
sub value { sysseek $_[0], 0, 0; sysread $_[0], my $text, 99 or return 'gone'; chomp $text; $text }
for (@ARGV) {
	open my $file, '<', $_ or die "$_: $!"; $name{$file} = $_;
	$was{$file} = value($file);
	$poll->mask($file => POLLPRI);
}
print "waiting\n";
while ($poll->handles) {
	$poll->poll(60) or die "not woken";
	for ($poll->handles(POLLPRI)) {
		my $now = value($_);
		next if $now eq $was{$_};
		print "$name{$_} $now\n"; $poll->remove($_)
	}
}
"""


@pytest.fixture
def guest(shared_vm):
    tool.put(shared_vm)
    shared_vm.put("/root/poll.pl", POLL.encode())
    return shared_vm


def polled(guest, *files):
    job = guest.spawn(f"exec perl /root/poll.pl {' '.join(files)}")
    job.wait_output("waiting", 20)
    return job


def test_poll(guest):
    with servers.Nbdkit("memory", "64M") as server, Disk(guest, server) as disk:
        state, reconnects, verify = (f"{disk.sys}/ballast/{name}"
                                     for name in ("state", "reconnects", "verify"))
        nothing = polled(guest, verify)
        job = polled(guest, state)
        server.stop()
        assert job.wait(30) == 0 and f"{state} reconnecting" in job.output
        assert disk.file("ballast/reason")
        job = polled(guest, state)
        again = polled(guest, reconnects)
        server.start()
        assert job.wait(30) == 0 and f"{state} live" in job.output
        assert again.wait(30) == 0 and f"{reconnects} 1" in again.output
        assert nothing.running or "verify on" in nothing.output
        nothing.kill()
        # An outage that is over at once is told of as well.
        again = polled(guest, reconnects)
        # The debug kernel has no such request; ss names the sockets all the same.
        if guest.suite != "debug":
            assert guest.run(f"ss -HKt dport = :{server.port}").output.strip()
            assert again.wait(30) == 0 and f"{reconnects} 2" in again.output
        again.kill()
        job = polled(guest, state)
    assert job.wait(30) == 0
    assert f"{state} detaching" in job.output or f"{state} gone" in job.output


def test_poll_of_the_grade(guest):
    grade = "/sys/class/net/eth0/ballast/grade"
    with servers.Nbdkit("memory", "64M") as server, Disk(guest, server) as disk:
        job = polled(guest, grade)
        guest.run("awk '/^MemFree:/ {print int($2 / 4)}' /proc/meminfo "
                  "> /sys/class/net/eth0/ballast/lend_below; "
                  f"dd if={disk.path} of=/dev/null bs=64k count=200 iflag=direct status=none")
        assert job.wait(30) == 0 and "calm" not in job.output


def test_command(guest):
    job = guest.spawn("exec ballastctl events --json -n 6")
    with servers.Nbdkit("memory", "64M") as server:
        until(lambda: guest.run(f"ls -l /proc/{guest.run('pidof ballastctl').output.strip()}/fd")
              .status == 0, 20, "events to run")
        with Disk(guest, server, verify="off"):
            until(lambda: '"to": "live"' in job.output, 20, "the attach")
            server.stop()
            until(lambda: "reconnecting" in job.output, 30, "the outage")
            server.start()
            until(lambda: "restored" in job.output, 30, "its end")
        until(lambda: "detaching" in job.output or '"to": null' in job.output, 20, "the detach")
    job.kill()
    found = [json.loads(line) for line in job.output.splitlines() if line.startswith("{")]
    states = [(each["from"], each["to"]) for each in found if each["what"] == "state"]
    assert states[:3] == [(None, "live"), ("live", "reconnecting"), ("reconnecting", "live")]
    assert found[-1]["to"] in ("detaching", None)
    lost = next(each for each in found if each["to"] == "reconnecting")
    # Of the loss, or of the first attempt: the reason is that of now.
    assert lost["name"] == "ballast0" and "connect" in lost["why"]
