"""What must not work: each row has its errno, its line in the kernel's log, and leaves nothing.

After every row the guest is as it was before (disks, threads, sockets, the
module's reference count), and a good attach works.
"""

import re
import socket
import struct
import subprocess
import threading
from collections import namedtuple
from contextlib import ExitStack
from errno import (E2BIG, EACCES, EBUSY, ECONNREFUSED, ECONNRESET, EFBIG, EHOSTUNREACH, EINTR,
                   EINVAL, ENETUNREACH, ENODEV, ENOENT, EOPNOTSUPP, EPERM, EPROTO, ETIMEDOUT, errorcode)

import pytest

from rig import net, servers
from rig.nbd import (ACK, EXPORT_NAME, GO, GREETING, HAS_FLAGS, INFO,
                     STRUCTURED_REPLY, UNSUP, greet, info_blocks, info_export, reply, take_option)
from rig.servers import receive
from rig.wait import until

ATTACH = "/sys/class/ballast/attach"
PAGE = 4096
BOUND = 20  # seconds that an attach may take at most: 10, and some for a slow machine
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
        lines = [" ".join(_bytes(word).hex() for word in (write.path, write.text, write.signal))
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


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


def check_nothing_left(result):
    assert result.left is None, f"not as it was: {result}"
    assert result.good is None, f"a good attach failed afterwards: {result}"


def check(result, errno, log):
    wanted, got = errorcode.get(errno, errno), errorcode.get(result.errno, result.errno)
    assert got == wanted, f"errno {got} instead of {wanted}; the log has {result.log}"
    assert len(result.log) == 1, f"not one line in the log: {result.log}"
    assert re.search(log, result.log[0]), f"{result.log[0]!r} does not match {log!r}"


@pytest.fixture(scope="module")
def server():
    with servers.NbdServer({"good": 1 << 20, "two words": 1 << 20}) as server:
        yield server


@pytest.fixture(scope="module")
def guest(shared_vm, server):
    return Guest(shared_vm, server)


# The attach string itself. {server} is a server that works.

LONG_NAME = "x" * (PAGE + 1)
STRINGS = [
    ("empty", b"\n", EINVAL, "server: the option is missing"),
    ("server-missing", b"export=good", EINVAL,
     "server: the option is missing; reading this file prints the usage"),
    ("unknown-option", b"server={server} export=good colour=red", EINVAL,
     "colour=red: unknown option"),
    ("unknown-option-without-value", b"server={server} swap", EINVAL, "swap: unknown option"),
    ("option-in-capitals", b"SERVER={server}", EINVAL, "SERVER=.*: unknown option"),
    ("option-twice", b"server={server} export=good export=good", EINVAL,
     "export=good: the option is given twice"),
    ("server-twice", b"server={server} server={server}", EINVAL,
     "server=.*: the option is given twice"),
    ("flag-twice", b"server={server} readonly readonly", EINVAL,
     "readonly: the option is given twice"),
    ("flag-with-value", b"server={server} readonly=1", EINVAL,
     "readonly=1: the option takes no value"),
    ("option-without-value", b"server={server} export", EINVAL,
     "export: the option needs a value"),
    ("quote-not-closed", b'server={server} export="good', EINVAL,
     "a quotation mark is not closed"),
    ("nul-in-the-middle", b"server={server}\0 export=good", EINVAL, "has a NUL in the middle"),
    ("two-nuls-at-the-end", b"server={server} export=good\0\0", EINVAL,
     "has a NUL in the middle"),
    # Addresses.
    ("address-empty", b"server=", EINVAL, "server=: is not of the form"),
    ("address-only-port", b"server=:10809", EINVAL, "server=:10809: is not of the form"),
    ("address-of-three-parts", b"server=1.2.3", EINVAL, "1.2.3: is not an IPv4 or IPv6 address"),
    ("address-of-three-parts-and-port", b"server=1.2.3:10809", EINVAL,
     "1.2.3: is not an IPv4 or IPv6 address"),
    ("address-over-255", b"server=999.1.1.1", EINVAL,
     "999.1.1.1: is not an IPv4 or IPv6 address"),
    ("address-of-five-parts", b"server=192.0.2.1.1:10809", EINVAL, "is not an IPv4"),
    ("address-a-number", b"server=3221225985", EINVAL, "is not an IPv4"),
    ("bracket-not-closed", b"server=[::1", EINVAL, r"server=\[::1: is not of the form"),
    ("bracket-and-more", b"server=[::1]10809", EINVAL, "is not of the form"),
    ("brackets-empty", b"server=[]:10809", EINVAL, "is not of the form"),
    ("brackets-around-ipv4", b"server=[192.0.2.1]:10809", EINVAL, "is not of the form"),
    ("ipv6-without-brackets", b"server=2001:db8::1", EINVAL,
     "an IPv6 address stands in brackets"),
    ("ipv6-malformed", b"server=[2001:db8::1::2]", EINVAL, "is not an IPv4 or IPv6 address"),
    ("ipv6-of-an-unknown-interface", b"server=[fe80::1%nosuch0]", EINVAL,
     "is not an IPv4 or IPv6 address"),
    ("host-name", b"server=nbd.example.org:10809", EINVAL,
     "names are resolved by ballastctl, not by the kernel"),
    ("host-name-short", b"server=localhost export=good", EINVAL,
     "names are resolved by ballastctl, not by the kernel"),
    ("port-0", b"server=192.0.2.1:0", EINVAL, "port=0: is not a number from 1 to 65535"),
    ("port-65536", b"server=192.0.2.1:65536", EINVAL,
     "port=65536: is not a number from 1 to 65535"),
    ("port-empty", b"server=192.0.2.1:", EINVAL, "port=: is not a number"),
    ("port-negative", b"server=192.0.2.1:-1", EINVAL, "port=-1: is not a number"),
    ("port-a-word", b"server=[2001:db8::1]:nbd", EINVAL, "port=nbd: is not a number"),
    # Numbers.
    ("connections-0", b"server={server} connections=0", EINVAL,
     "connections=0: is not a number from 1 to 64"),
    ("connections-65", b"server={server} connections=65", EINVAL,
     "connections=65: is not a number from 1 to 64"),
    ("connections-huge", b"server={server} connections=4294967297", EINVAL,
     "connections=4294967297: is not a number"),
    ("queue-depth-0", b"server={server} queue_depth=0", EINVAL,
     "queue_depth=0: is not a number from 1 to 1024"),
    ("queue-depth-1025", b"server={server} queue_depth=1025", EINVAL,
     "queue_depth=1025: is not a number from 1 to 1024"),
    ("index-negative", b"server={server} index=-1", EINVAL, "index=-1: is not a number"),
    ("index-too-large", b"server={server} index=1048576", EINVAL,
     "index=1048576: is not a number"),
    ("reserve-a-word", b"server={server} reserve=some", EINVAL, "reserve=some: is "),
    ("reserve-negative", b"server={server} reserve=-1", EINVAL, "reserve=-1: is "),
    ("reserve-over-a-tenth", b"server={server} export=good reserve=30000", EINVAL,
     r"reserve=30000: is over [1-9]\d+ pages, a tenth of memory"),
    ("filter-a-word", b"server={server} filter=yes", EINVAL, "filter=yes: is neither on nor off"),
    ("allow-without-protocol", b"server={server} allow=22", EINVAL,
     "allow=22: is not of the form tcp:22 or udp:123"),
    ("allow-another-protocol", b"server={server} allow=tcp:22,icmp:1", EINVAL,
     "allow=icmp:1: is not of the form tcp:22 or udp:123"),
    ("allow-port-0", b"server={server} allow=tcp:0", EINVAL, "allow port=0: is not a number from 1"),
    ("allow-port-65536", b"server={server} allow=udp:65536", EINVAL,
     "allow port=65536: is not a number"),
    ("allow-empty-entry", b"server={server} allow=tcp:22,", EINVAL, "allow.*: is not of the form"),
    ("allow-17-entries", b"server={server} allow=" + b",".join(b"udp:%d" % n for n in range(1, 18)),
     EINVAL, "allow=udp:17: is one more than the 16 entries"),
    # Lengths. A name over NBD's limit of 4096 bytes is over sysfs's limit too.
    ("page-long", b"server={server} ".ljust(PAGE + 19), E2BIG, "longer than 4095 bytes"),
    ("over-a-page", b"server={server} ".ljust(3 * PAGE), E2BIG, "longer than 4095 bytes"),
    ("name-over-the-limit", b"server={server} export=" + LONG_NAME.encode(), E2BIG,
     "longer than 4095 bytes"),
]


@pytest.mark.parametrize("text", [
    "server={server} export=good", "server={server} export=good\n", "server={server} export=good\0",
    "server={server} export=good\n\0", "\t server={server}\n  export=good  \n",
    'server={server} export="two words"', 'export="good" "server={server}"',
    "server={server} export=good".ljust(PAGE + 18), "server={server} export=good readonly\n",
], ids=["no-newline", "newline", "trailing-nul", "newline-and-nul", "white-space", "quotes",
        "all-quoted", "one-less-than-a-page", "readonly"])
def test_string_that_works(guest, server, text):
    text = text.replace("{server}", f"{server.address}:{server.port}")[:PAGE - 1]
    result = guest.vm.run(f"""
        perl -e 'local $/; $_ = <STDIN>; open A, ">", "{ATTACH}"; syswrite(A, $_) == length or exit 1' &&
        dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none &&
        echo 1 > /sys/block/ballast0/ballast/detach
    """, data=text.encode())
    assert not result.output


# Servers that have not what is wanted.

TLS_KEYS = "user:0123456789abcdef0123456789abcdef\n"


class TlsServer(servers.Nbdkit):
    def argv(self):
        keys = self.dir / "keys.psk"
        keys.write_text(TLS_KEYS)
        return [*super().argv()[:-2], "--tls=require", f"--tls-psk={keys}", "memory", "1M"]


NO_EXPORT = "negotiation: the server has no such export"
ONLY_ONE = "negotiation: connections: the export allows only one.*CAN_MULTI_CONN"
REAL = [
    ("unknown-export-nbd-server", lambda: servers.NbdServer({"other": 1 << 20}), "", ENOENT,
     NO_EXPORT),
    ("unknown-export-nbdkit", lambda: servers.Nbdkit(
        "memory", "1M", "exportname=other", "exportname-strict=true", filters=["exportname"]),
     "", ENOENT, NO_EXPORT),
    ("unknown-export-qemu-nbd", lambda: servers.QemuNbd("other", 1 << 20), "", ENOENT, NO_EXPORT),
    ("tls-demanded", lambda: TlsServer("memory", "1M"), "", EOPNOTSUPP,
     "the server demands TLS"),
    ("oldstyle-nbdkit", lambda: servers.Nbdkit("memory", "1M", options=["--oldstyle"]), "",
     EPROTO, "oldstyle"),
    ("two-connections-nbdkit", lambda: servers.Nbdkit(
        "memory", "1M", "multi-conn-mode=disable", filters=["multi-conn"]),
     "connections=2", EINVAL, ONLY_ONE),
    ("two-connections-qemu-nbd", lambda: servers.QemuNbd("good", 1 << 20, shared=1),
     "connections=2", EINVAL, ONLY_ONE),
    ("size-0-nbdkit", lambda: servers.Nbdkit("null", "size=0"), "", EINVAL, "export size is 0"),
    ("size-odd-nbdkit", lambda: servers.Nbdkit("null", "size=1000"), "", EINVAL,
     "not a multiple of its block size"),
]


# Servers that lie.

def up_to_go(connection):
    greet(connection)
    assert take_option(connection) == STRUCTURED_REPLY
    connection.sendall(reply(STRUCTURED_REPLY, UNSUP))
    assert take_option(connection) == GO


def up_to_export_name(connection):
    up_to_go(connection)
    connection.sendall(reply(GO, UNSUP))
    assert take_option(connection) == EXPORT_NAME


def export_name_reply(size=1 << 20, flags=HAS_FLAGS):
    return struct.pack(">QH", size, flags)


def says_to_go(*answers):
    def serve(connection):
        up_to_go(connection)
        connection.sendall(b"".join(answers))
        connection.recv(1)  # until the client is gone
    return serve


def says_at_once(data):
    def serve(connection):
        connection.sendall(data)
        connection.recv(1)
    return serve


def says_to_structured(*answers):
    def serve(connection):
        greet(connection)
        take_option(connection)
        connection.sendall(b"".join(answers))
        connection.recv(1)
    return serve


def says_to_export_name(data):
    def serve(connection):
        up_to_export_name(connection)
        connection.sendall(data)
        connection.recv(1)
    return serve


ERROR = 1 << 31
MIB = 1 << 20
LIES = [
    ("ssh-server", says_at_once(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), EPROTO, "no NBD server"),
    ("http-server", says_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), EPROTO, "no NBD server"),
    ("eight-wrong-bytes", says_at_once(b"220 x.y\n"), EPROTO, "no NBD server"),
    ("wrong-second-magic", says_at_once(b"NBDMAGICIHAVEOPS\0\3"), EPROTO, "no NBD server"),
    ("oldstyle", says_at_once(b"NBDMAGIC\x00\x00\x42\x02\x81\x86\x12\x53".ljust(152, b"\0")),
     EPROTO, "oldstyle"),
    # Replies to options.
    ("wrong-reply-magic", says_to_go(struct.pack(">QIII", 1, GO, ACK, 0)), EPROTO, "wrong magic"),
    ("reply-to-another-option", says_to_go(reply(EXPORT_NAME, ACK)), EPROTO,
     "reply to an option that was not sent"),
    ("reply-of-4-GiB", says_to_go(reply(GO, INFO, length=0xffffffff)), EPROTO,
     "longer than the protocol allows"),
    ("error-of-4-GiB", says_to_go(reply(GO, ERROR | 6, length=0xffffffff)), EPROTO,
     "longer than the protocol allows"),
    ("reply-to-structured-of-4-GiB", says_to_structured(reply(STRUCTURED_REPLY, ACK,
                                                              length=0xffffffff)),
     EPROTO, "longer than the protocol allows"),
    ("endless-information", says_to_go(info_export() * 10000), EPROTO,
     "too many replies to an option"),
    ("information-without-type", says_to_go(reply(GO, INFO, b"\0")), EPROTO, "too short"),
    ("size-too-short", says_to_go(reply(GO, INFO, bytes(4))), EPROTO, "wrong length"),
    ("blocks-too-long", says_to_go(reply(GO, INFO, b"\0\3".ljust(18, b"\0"))), EPROTO,
     "wrong length"),
    ("ack-without-size", says_to_go(reply(GO, ACK)), EPROTO, "did not tell the export's size"),
    ("unknown-reply", says_to_go(reply(GO, 4711)), EPROTO, ""),
    ("policy", says_to_go(reply(GO, ERROR | 2, b"not for you")), EACCES,
     "the server's policy forbids it"),
    ("shutting-down", says_to_go(reply(GO, ERROR | 7)), ECONNREFUSED,
     "the server is shutting down"),
    ("unknown-error", says_to_go(reply(GO, ERROR | 4711)), EPROTO,
     "an error that the protocol does not name"),
    ("tls-for-go", says_to_go(reply(GO, ERROR | 5)), EOPNOTSUPP, "the server demands TLS"),
    ("block-size-required", says_to_go(reply(GO, ERROR | 8)), EPROTO, "demands block sizes"),
    # Exports.
    ("size-0", says_to_go(info_export(0), reply(GO, ACK)), EINVAL, "export size is 0"),
    ("size-under-a-sector", says_to_go(info_export(511), reply(GO, ACK)), EINVAL,
     "not a multiple of its block size"),
    ("size-odd", says_to_go(info_export(MIB + 1), reply(GO, ACK)), EINVAL,
     "not a multiple of its block size"),
    ("size-no-multiple-of-4096", says_to_go(info_export(MIB + 512), info_blocks(4096, 4096, MIB),
                                            reply(GO, ACK)),
     EINVAL, "not a multiple of its block size"),
    ("size-2^63", says_to_go(info_export(1 << 63), reply(GO, ACK)), EFBIG,
     r"export size is over 2\^63 - 1 bytes"),
    ("size-2^64-512", says_to_go(info_export((1 << 64) - 512), reply(GO, ACK)), EFBIG,
     r"export size is over 2\^63 - 1 bytes"),
    ("block-size-0", says_to_go(info_export(), info_blocks(0, 4096, MIB), reply(GO, ACK)),
     EPROTO, "minimum block size is 0"),
    ("block-size-3", says_to_go(info_export(3 << 20), info_blocks(3, 4096, MIB), reply(GO, ACK)),
     EINVAL, "block size is not a power of two"),
    ("block-size-1-MiB", says_to_go(info_export(4 << 20), info_blocks(MIB, MIB, MIB),
                                    reply(GO, ACK)),
     EINVAL, "block size is larger than a page"),
    ("preferred-block-size-3", says_to_go(info_export(), info_blocks(1, 3, MIB), reply(GO, ACK)),
     EINVAL, "preferred block size is not a power of two"),
    ("longest-request-under-a-page", says_to_go(info_export(), info_blocks(512, 512, 512),
                                                reply(GO, ACK)),
     EINVAL, "longest request is shorter than a page"),
    # The same, of a server without NBD_OPT_GO.
    ("by-name-size-0", says_to_export_name(export_name_reply(0)), EINVAL, "export size is 0"),
    ("by-name-size-odd", says_to_export_name(export_name_reply(1000)), EINVAL,
     "not a multiple of its block size"),
    ("by-name-size-2^63", says_to_export_name(export_name_reply(1 << 63)), EFBIG, "over"),
]


# Servers that close the connection: orderly, or with a reset, or as a
# process does that ends, which resets it when more comes in.

def nothing(connection):
    pass


def then(step, data=b""):
    def serve(connection):
        step(connection)
        connection.sendall(data)
    return serve


def take(step, option):
    def serve(connection):
        step(connection)
        assert take_option(connection) == option
    return serve


STEPS = {
    "before-the-greeting": nothing,
    "within-the-greeting": then(nothing, GREETING[:9]),
    "within-the-magic": then(nothing, GREETING[:5]),
    "before-the-client's-flags": then(nothing, GREETING),
    "after-the-client's-flags": greet,
    "after-the-structured-reply-option": take(greet, STRUCTURED_REPLY),
    "within-its-reply": then(take(greet, STRUCTURED_REPLY), reply(STRUCTURED_REPLY, UNSUP)[:11]),
    "after-its-reply": then(take(greet, STRUCTURED_REPLY), reply(STRUCTURED_REPLY, UNSUP)),
    "after-go": up_to_go,
    "within-the-reply-to-go": then(up_to_go, info_export()[:10]),
    "within-the-information": then(up_to_go, info_export()[:-3]),
    "before-the-ack": then(up_to_go, info_export() + info_blocks(1, 4096, MIB)),
    "within-the-ack": then(up_to_go, info_export() + reply(GO, ACK)[:19]),
    "after-no-go": then(up_to_go, reply(GO, UNSUP)),
    "after-export-name": up_to_export_name,
    "within-the-reply-to-export-name": then(up_to_export_name, export_name_reply()[:9]),
}


def orderly(connection):
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closed_within_the_zeroes(connection):
    connection.sendall(GREETING[:-1] + b"\1")  # no NO_ZEROES
    receive(connection, 4)
    for answer in (reply(STRUCTURED_REPLY, UNSUP), reply(GO, UNSUP),
                   export_name_reply() + bytes(100)):
        take_option(connection)
        connection.sendall(answer)


STEPS["within-the-zeroes"] = closed_within_the_zeroes
WAYS = {"orderly": orderly, "reset": reset, "plain": nothing}


def closes(step, how):
    def serve(connection):
        STEPS[step](connection)
        WAYS[how](connection)
    return serve


# The table. server: makes one, if the row has its own; serve: what a scripted one does.

Row = namedtuple("Row", "text errno log server serve", defaults=(None, None))


def make_table():
    table = {}
    for name, text, errno, log in STRINGS:
        table[name] = Row(text, errno, f"^ballast: attach: .*{log}")
    at = "server={server} export=good"
    for name, server, more, errno, log in REAL:
        table[name] = Row(f"{at} {more}", errno, log, server=server)
    for name, serve, errno, log in LIES:
        table[name] = Row(at, errno, f"negotiation: .*{log}", serve=serve)
    for how in WAYS:
        # A reset may come at any time, even before the connect has ended.
        log = "negotiation: the server closed the connection" if how == "orderly" else ""
        for step in STEPS:
            table[f"closed-{step}-{how}"] = Row(at, ECONNRESET, log, serve=closes(step, how))
    name = "server={server} export=".ljust(2 * PAGE, "x")
    table["name-as-long-as-fits"] = Row(name, ENOENT, NO_EXPORT)
    table["nothing-listens-ipv4"] = Row(f"server={net.HOST4}:1", ECONNREFUSED,
                                        r"192.0.2.1:1: connect: nothing listens there")
    table["nothing-listens-ipv6"] = Row(f"server=[{net.HOST6}]:1", ECONNREFUSED,
                                        r"\[2001:db8::1\]:1: connect: nothing listens there")
    return table


TABLE = make_table()


@pytest.fixture(scope="module")
def results(request, guest, server):
    """What came of the rows that this run has: all of them in one go, and so in less time."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.originalname == "test_row"]
    writes, scripted = [], {}
    with ExitStack() as stack:
        for name in names:
            row, own = TABLE[name], server
            if row.serve:
                own = scripted[name] = stack.enter_context(servers.ScriptedServer(row.serve))
            elif row.server:
                own = stack.enter_context(row.server())
            text = _bytes(row.text).replace(b"{server}", f"{own.address}:{own.port}".encode())
            writes.append(Write(text[:PAGE - 1] if name == "name-as-long-as-fits" else text))
        found = dict(zip(names, guest.finish(guest.start(writes), timeout=600)))
        assert len(found) == len(names)
        return {name: (result, scripted[name].errors if name in scripted else [])
                for name, result in found.items()}


@pytest.mark.parametrize("name", TABLE)
def test_row(results, name):
    result, server_errors = results[name]
    check(result, TABLE[name].errno, TABLE[name].log)
    check_nothing_left(result)
    assert not server_errors
    assert result.took < 5


def text(server, more=""):
    return f"server={server.address}:{server.port} export=good {more}"


# Servers that keep us waiting, and addresses that nobody has. All at once: each takes long.

def silent(connection):
    connection.recv(1)


def short_banner(connection):
    connection.sendall(b"220 x\r\n")
    connection.recv(1)


def drip(connection):
    """A byte a second: each wait is short, all of them together are not."""
    answer = GREETING + reply(STRUCTURED_REPLY, UNSUP)
    gone = threading.Event()
    for at in range(len(answer)):
        connection.sendall(answer[at:at + 1])
        gone.wait(1)


WAITS = {
    "silent": silent,
    "short-banner": short_banner,
    "silent-within-the-greeting": lambda c: says_at_once(GREETING[:12])(c),
    "silent-after-the-greeting": lambda c: (greet(c), take_option(c), c.recv(1)),
    "silent-after-go": lambda c: (up_to_go(c), c.recv(1)),
    "silent-before-the-ack": says_to_go(info_export()),
    "silent-after-export-name": lambda c: (up_to_export_name(c), c.recv(1)),
    "a-byte-a-second": drip,
}
BLACKHOLE = "table inet blackhole { chain in { type filter hook input priority 0; tcp dport 9 drop; }; }"


@pytest.fixture
def blackhole():
    """Port 9 of the host end takes packets and never answers."""
    net.up()
    subprocess.run(["nft", BLACKHOLE], check=True)
    yield
    subprocess.run(["nft", "delete table inet blackhole"], check=True)


def test_waits_are_bounded(guest, blackhole):
    scripted = {name: servers.ScriptedServer(serve) for name, serve in WAITS.items()}
    nobody = "it can't be reached"
    rows = {
        **{name: (text(server), ETIMEDOUT, "negotiation: the server does not answer")
           for name, server in scripted.items()},
        "drops-ipv4": (f"server={net.HOST4}:9", ETIMEDOUT, "connect: no answer"),
        "drops-ipv6": (f"server=[{net.HOST6}]:9", ETIMEDOUT, "connect: no answer"),
        "nobody-ipv4": ("server=192.0.2.250:10809", EHOSTUNREACH, f"connect: {nobody}"),
        "nobody-ipv6": ("server=[2001:db8::250]:10809", EHOSTUNREACH, f"connect: {nobody}"),
        "nobody-link-local": ("server=[fe80::250%eth0]:10809", ETIMEDOUT,
                              "connect: no answer"),
        "no-route-ipv4": ("server=198.51.100.1:10809", ENETUNREACH, f"connect: {nobody}"),
        "no-route-ipv6": ("server=[2001:db8:1::1]:10809", ENETUNREACH, f"connect: {nobody}"),
    }
    state = "perl -e 'open A, \"<\", \"/proc/net/sockstat\"; print grep { s/ tw \\d+// } <A>'"
    before = guest.vm.run(state).output
    guest.vm.run("dmesg -C")
    # Without the writer's own look at the log and at what is left: they share both.
    script = f"""perl -MTime::HiRes=time -e '
        local $/; my $text = <STDIN>; my $began = time;
        open my $file, ">", "{ATTACH}"; my $n = syswrite $file, $text;
        printf "%d %.1f", $! + 0, time - $began'"""
    try:
        jobs = {name: guest.vm.spawn(f"{script}", f"{row[0]} index={number}".encode())
                for number, (name, row) in enumerate(rows.items())}
        got = {name: (job.wait(60), job.output)[1] for name, job in jobs.items()}
    finally:
        for server in scripted.values():
            server.close()
    log = guest.vm.run("dmesg -t | grep ballast").output.splitlines()
    print(*(f"{name}: {value}" for name, value in got.items()), *log, sep="\n")
    for number, (name, (_, errno, why)) in enumerate(rows.items()):
        result, took = got[name].split()
        lines = [line for line in log if f"ballast{number}:" in line]
        check(Result(int(result), float(took), lines, 0, None, None), errno, f": {why}")
        assert float(took) <= BOUND, name
    until(lambda: guest.vm.run(state).output == before, 10, "the sockets to go")
    guest.vm.run("! ls -d /sys/block/ballast* && ! pgrep '^ballast[0-9]'")
    guest.vm.run(f"echo '{guest.good}' > {ATTACH} && echo 1 > /sys/block/ballast{GOOD_INDEX}/ballast/detach")


# What ends a wait at once.

@pytest.fixture
def silent_port(request):
    """A silent server, or none at all, on the port that the writer looks for."""
    if request.param == "silent":
        with servers.ScriptedServer(silent, port=10809):
            yield
        return
    net.up()
    subprocess.run(["nft", BLACKHOLE.replace("dport 9", "dport 10809")], check=True)
    yield
    subprocess.run(["nft", "delete table inet blackhole"], check=True)


@pytest.mark.parametrize("signal", ["INT", "KILL"])
@pytest.mark.parametrize("silent_port", ["silent", "drops"], indirect=True)
def test_a_signal_ends_the_wait(guest, silent_port, signal):
    result = guest.write(f"server={net.HOST4}:10809 export=good", signal=signal)
    assert result.errno == (EINTR if signal == "INT" else 128 + 9)
    assert result.ended < 2
    assert not result.log, "the user knows why"


def test_a_signal_ends_the_wait_for_an_address_that_nobody_has(guest):
    result = guest.write("server=192.0.2.250:10809 export=good", signal="INT")
    assert result.errno == EINTR and result.ended < 2


# One index, one disk.

@pytest.fixture
def attached(guest, server):
    guest.attach(text(server, "index=0"))
    yield "/sys/block/ballast0/ballast/detach"
    guest.vm.run("if cd /sys/block/ballast0/ballast; then echo 1 > detach; fi 2>&-")


def test_index_in_use(guest, server, attached):
    guest.refuses(text(server, "index=0"), EBUSY, "attach: index=0: is in use")


def test_second_attach_while_one_is_under_way(guest, server):
    with servers.ScriptedServer(silent) as holder:
        first = guest.vm.spawn(f"exec perl -e 'open A, \">\", \"{ATTACH}\"; syswrite A, "
                               f"\"{text(holder)} index=0\" or exit $! + 0'")
        until(lambda: holder.connections, 10, "the first attach to connect")
        guest.refuses(text(server, "index=0"), EBUSY, "attach: index=0: is in use")
        guest.attach(text(server))
        guest.vm.run("""
            test ! -e /sys/block/ballast0 &&
            dd if=/dev/ballast1 of=/dev/null bs=4k count=1 iflag=direct status=none &&
            echo 1 > /sys/block/ballast1/ballast/detach
        """)
        assert first.running
    assert first.wait(20) == ECONNRESET
    guest.refuses("server=", EINVAL, "")


# Who may.

@pytest.mark.parametrize("path", ["attach", "detach"])
def test_without_cap_sys_admin(guest, server, attached, path):
    drop = "setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin"
    if path == "attach":
        guest.refuses(text(server), EPERM, "attach: needs CAP_SYS_ADMIN", prefix=drop, good=False)
    else:
        result = guest.write("1", path=attached, prefix=drop, good=False)
        assert result.errno == EPERM


@pytest.mark.parametrize("path", ["attach", "detach"])
def test_an_ordinary_user(guest, server, attached, path):
    user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    result = guest.write(text(server) if path == "attach" else "1",
                         path=ATTACH if path == "attach" else attached, prefix=user, good=False)
    assert result.errno == EACCES


def test_usage_is_printed(guest):
    usage = guest.vm.run(f"cat {ATTACH}").output
    assert re.search(r"^server=ADDRESS\[:PORT\]", usage)
    for option in ("export", "index", "connections", "queue_depth", "readonly"):
        assert option in usage


# Detach.

@pytest.mark.parametrize("rubbish", ["\n", "0", "2", "yes", "11", "Force", "1 1"],
                         ids=repr)
def test_detach_takes_no_rubbish(guest, attached, rubbish):
    guest.refuses(rubbish, EINVAL, "ballast0: detach: takes 1 or force", path=attached)


def test_detach_while_open(guest, attached):
    holder = guest.vm.spawn("exec 3< /dev/ballast0; echo open; exec sleep 100")
    holder.wait_output("open")
    assert guest.write("1", path=attached).errno == EBUSY
    guest.vm.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none")
    holder.kill()
    guest.vm.run("echo 1 > /sys/block/ballast0/ballast/detach")


def test_detach_while_mounted_or_swapped_on(guest, server):
    guest.attach(text(server, "index=0"))
    guest.vm.run("""
        mkswap /dev/ballast0 && swapon /dev/ballast0 || exit 10
        echo 1 > /sys/block/ballast0/ballast/detach && exit 11
        grep -q ballast0 /proc/swaps || exit 12
        swapoff /dev/ballast0
        mkfs.ext4 -q /dev/ballast0 && mount /dev/ballast0 /mnt || exit 13
        echo 1 > /sys/block/ballast0/ballast/detach && exit 14
        umount /mnt
        echo 1 > /sys/block/ballast0/ballast/detach || exit 15
    """)


def test_detach_twice_at_once(guest, server):
    script = """perl -e '
        for (1 .. 4) {
            next if fork;
            open my $file, ">", "/sys/block/ballast0/ballast/detach" or exit 1;
            my $n = syswrite $file, "1";
            syswrite STDOUT, ($n ? "done" : $! + 0) . "\\n";
            exit;
        }
        1 while wait >= 0'"""
    for _ in range(5):
        guest.attach(text(server, "index=0"))
        said = guest.vm.run(script).output.splitlines()
        # The others found it being detached, or there no more.
        assert said.count("done") == 1 and set(said) <= {"done", str(EBUSY), str(ENODEV)}, said


def test_module_stays_while_there_is_a_disk(guest, attached):
    result = guest.vm.run("rmmod ballast", check=False)
    assert result.status and "in use" in result.output
    guest.vm.run("dd if=/dev/ballast0 of=/dev/null bs=4k count=1 iflag=direct status=none")


def test_module_goes_when_the_attaches_have_failed(guest):
    """The last of them all: nothing that happened here holds it."""
    guest.vm.run("rmmod ballast && insmod /root/ballast.ko")
    guest.refuses("server=", EINVAL, "")
