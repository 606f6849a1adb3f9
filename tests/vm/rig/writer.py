# SPDX-License-Identifier: GPL-2.0
"""Writing strings into files of sysfs in a guest: the errno, the log, and what is left of it."""

import re
from collections import namedtuple
from errno import errorcode

from rig.disk import ATTACH

GOOD_INDEX = 77

# In the guest: writes the lines of its input, "PATH STRING SIGNAL" in hexadecimal,
# and says what came of each. perl and not python: it is in every Debian, and quick.
WRITER = rb"""
use strict; use warnings; use Fcntl ':DEFAULT', ':seek'; use Time::HiRes 'time';
my $good = shift // '';
my $good_index = $good =~ /index=(\d+)/ ? $1 : 0;

sub slurp { open my $file, '<', $_[0] or return ''; local $/; return <$file> // '' }
sub threads { grep { slurp("$_/comm") =~ /^ballast\d/ } glob '/proc/[0-9]*' }
sub state {
	my ($tcp, $tcp6) = map { slurp($_) } '/proc/net/sockstat', '/proc/net/sockstat6';
	my @sockets = $tcp =~ /^TCP: inuse (\d+) orphan (\d+) tw \d+ alloc (\d+)/m;
	push @sockets, $tcp6 =~ /^TCP6: inuse (\d+)/m;
	return 'disks ' . join(',', glob '/sys/block/ballast*') . ' threads ' . scalar(threads())
		. " sockets @sockets references " . slurp('/sys/module/ballast/refcnt') =~ s/\n//r;
}
sub settle {
	my ($before, $until, $now) = ($_[0], time + 15);
	while (($now = state()) ne $before) {
		if (time > $until) { print "left=$now, before $before\n"; return }
		select undef, undef, undef, 0.02;
	}
}
sub put {
	my ($path, $text) = @_;
	open my $file, '>', $path or return $! + 0;
	my $n = syswrite $file, $text;
	return $! + 0 unless defined $n;
	return $n == length $text ? 0 : -1;
}
sub put_and_signal {
	my ($path, $text, $signal) = @_;
	my $before = threads();
	my $pid = fork // die;
	if (!$pid) { $SIG{INT} = sub {}; exit put($path, $text) }
	# The connection is being made, or made and the server asked.
	select undef, undef, undef, 0.02
		until threads() > $before and slurp('/proc/net/tcp') =~ /:2A39 0[12] /;
	my $began = time;
	kill $signal, $pid;
	waitpid $pid, 0;
	printf "ended=%.2f\n", time - $began;
	return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}
sub attach_well {
	my ($result, $data) = put('/sys/class/ballast/attach', $good);
	return "attach $result" if $result;
	open my $disk, '<', "/dev/ballast$good_index" or return "open $!";
	return "read $!" if (sysread($disk, $data, 4096) // 0) != 4096;
	close $disk;
	$result = put("/sys/block/ballast$good_index/ballast/detach", '1');
	return $result ? "detach $result" : '';
}

my $log;
sysopen $log, '/dev/kmsg', O_RDONLY | O_NONBLOCK
	or open $log, '<', '/dev/null'; # not for everybody
my $row = 0;
while (<STDIN>) {
	my ($path, $text, $signal) = map { pack 'H*', $_ } split / /, s/\n//r, -1;
	print 'row=', $row++, "\n";
	my $before = state();
	sysseek $log, 0, SEEK_END;
	my $began = time;
	printf "errno=%d\n", $signal ? put_and_signal($path, $text, $signal) : put($path, $text);
	printf "took=%.2f\n", time - $began;
	settle($before);
	while (sysread $log, my $record, 8192) {
		print "log=$1\n" if $record =~ /;(ballast: .*)/;
	}
	next unless $good;
	my $wrong = attach_well();
	print "good=$wrong\n" if $wrong;
	settle($before);
}
"""

Result = namedtuple("Result", "errno took log ended left good")
Write = namedtuple("Write", "text path signal", defaults=(ATTACH, ""))


class Guest:
    """Writes strings in a guest and says what came of it."""

    def __init__(self, vm, server):
        self.vm = vm
        self.good = f"server={server.address}:{server.port} export=good index={GOOD_INDEX}"
        vm.put("/usr/local/bin/writer", WRITER)

    def start(self, writes, good=True, prefix=""):
        lines = [" ".join(as_bytes(word).hex() for word in (write.path, write.text, write.signal))
                 for write in writes]
        good = self.good if good else ""
        return self.vm.spawn(f"exec {prefix} perl /usr/local/bin/writer '{good}'",
                             "".join(line + "\n" for line in lines).encode())

    def finish(self, job, timeout=60):
        assert job.wait(timeout) == 0, job.output
        results = []
        for line in job.output.splitlines():
            name, _, value = line.partition("=")
            if name == "row":
                results.append({"log": []})
            elif name == "log":
                results[-1]["log"].append(value)
            else:
                results[-1][name] = value
        return [Result(int(said["errno"]), float(said["took"]), said["log"],
                       float(said.get("ended", 0)), said.get("left"), said.get("good"))
                for said in results]

    def attach(self, text):
        self.vm.run(f"echo '{text}' > {ATTACH}")

    def write(self, text, path=ATTACH, signal="", good=True, prefix=""):
        result, = self.finish(self.start([Write(text, path, signal)], good, prefix))
        check_nothing_left(result)
        return result

    def refuses(self, text, errno, log, **options):
        """It fails with errno, and one line in the log that log matches."""
        check(self.write(text, **options), errno, log)


def as_bytes(text):
    return text.encode() if isinstance(text, str) else text


def check_nothing_left(result):
    assert result.left is None, f"not as it was: {result}"
    assert result.good is None, f"a good attach failed afterwards: {result}"


def check(result, errno, log):
    wanted, got = errorcode.get(errno, errno), errorcode.get(result.errno, result.errno)
    assert got == wanted, f"errno {got} instead of {wanted}; the log has {result.log}"
    assert len(result.log) == 1, f"not one line in the log: {result.log}"
    assert re.search(log, result.log[0]), f"{result.log[0]!r} does not match {log!r}"


def text(server, more=""):
    """An attach string for the server's export "good"."""
    return f"server={server.address}:{server.port} export=good {more}"
