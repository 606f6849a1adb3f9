# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail: on a kernel that can be told so (the debug one).

In process context every allocation of the process that attaches, detaches or reconnects; in any
context those of packets, and of pages without reclaim. So many in a hundred: RATES.
"""

import re

import pytest

from rig import module, servers
from rig.disk import Disk
from rig.wait import until

RATES = [1, 5, 20]
DEBUG = "/sys/kernel/debug"
PACKETS = "skbuff_head_cache", "skbuff_fclone_cache"


@pytest.fixture(scope="module")
def guest(module_vm):
    # Which caches may fail can be told at boot only (A), until 6.2.
    shared_vm = module_vm(name="faults",
                          append=f"slub_debug=FZPU;FZPUA,{','.join(PACKETS)}")
    module.load(shared_vm)
    shared_vm.run(f"[ -d {DEBUG}/tracing ] || mount -t debugfs none {DEBUG}")
    if shared_vm.run(f"ls {DEBUG}/failslab {DEBUG}/fail_page_alloc", check=False).status:
        pytest.skip("this kernel can't be told to fail allocations (try --suite debug)")
    shared_vm.run(f"for what in failslab fail_page_alloc; do cd {DEBUG}/$what && "
                  "echo -1 > times && echo 0 > verbose && echo 1 > interval; done; "
                  f"echo 0 > {DEBUG}/fail_page_alloc/min-order; "
                  f"for cache in {' '.join(PACKETS)}; do "
                  "[ $(cat /sys/kernel/slab/$cache/failslab) = 1 ] || exit; done")
    return shared_vm


def fail(guest, rate, tasks):
    """Whatever tasks that are marked ask for; or else packets, and pages that can't wait."""
    guest.run(f"""for what in failslab fail_page_alloc; do
        cd {DEBUG}/$what
        echo {'Y' if tasks else 'N'} > task-filter
        echo N > ignore-gfp-wait
        echo {rate} > probability
    done
    echo {'N' if tasks else 'Y'} > {DEBUG}/failslab/cache-filter
    echo {'N' if tasks else 'Y'} > {DEBUG}/fail_page_alloc/ignore-gfp-wait""")


@pytest.fixture
def healed(guest):
    yield
    guest.run(f"echo 0 > {DEBUG}/failslab/probability; "
              f"echo 0 > {DEBUG}/fail_page_alloc/probability")


# Marks itself, and each thread of ballast as soon as there is one; in every other round
# only once the disk is there, or at the higher rates nothing would get that far.
ATTACH = """
    sub mark {
        open my $file, ">", "/proc/$_[0]/make-it-fail" or return;
        syswrite $file, $_[1];
    }
    my $watcher = fork;
    if (!$watcher) {
        for (;;) {
            for my $comm (glob "/proc/[0-9]*/comm") {
                open my $file, "<", $comm or next;
                mark($comm =~ m{(\\d+)}, 1) if (<$file> // "") =~ /^ballast/;
            }
            select undef, undef, undef, 0.05;
        }
    }
    my %came;
    for my $round (1 .. 30) {
        my $file;
        mark($$, $round % 2);
        open $file, ">", "/sys/class/ballast/attach" or next;
        my $n = syswrite $file, "server=SERVER";
        $came{defined $n ? "attached" : $! + 0}++;
        close $file;
        next unless defined $n;
        mark($$, 1);
        select undef, undef, undef, 0.1;
        until (open $file, ">", "/sys/block/ballast0/ballast/detach" and syswrite $file, "force") {
            $came{"detach: " . ($! + 0)}++;
            die "it can not be detached" if $came{"detach: " . ($! + 0)} > 300;
        }
        close $file;
    }
    kill 9, $watcher;
    print join(", ", map { "$_: $came{$_}" } sort keys %came), "\\n";
"""


@pytest.mark.parametrize("rate", RATES)
def test_attach_and_detach(guest, healed, rate):
    """An attach works or fails with a reason, and leaves nothing behind."""
    with servers.Nbdkit("memory", "64M") as server:
        guest.put("/root/attach.pl", ATTACH.replace(
            "SERVER", f"{server.address}:{server.port}").encode())
        fail(guest, rate, tasks=True)
        said = guest.run("perl /root/attach.pl", timeout=600).output
        print(f"{rate} %: {said}")
        assert int(re.search(r"attached: (\d+)", said)[1]) >= 1
        fail(guest, 0, tasks=True)
        guest.run("! ls -d /sys/block/ballast* /sys/class/net/*/ballast && ! pgrep '^ballast[0-9]'")
        with Disk(guest, server) as disk:
            guest.run(f"dd if={disk.path} of=/dev/null bs=64k count=10 iflag=direct status=none")


@pytest.mark.parametrize("rate", RATES)
def test_io_never_fails(guest, healed, rate):
    """Without memory I/O is late, but never wrong, and no connection is given up."""
    with servers.NbdServer({"swap": 64 << 20}) as server, \
            Disk(guest, server, export="swap", connections=2) as disk:
        fail(guest, rate, tasks=False)
        guest.run(f"fio --name=v --filename={disk.path} --direct=1 --ioengine=libaio --iodepth=8 "
                  "--rw=randrw --bsrange=4k-128k --size=16M --verify=crc32c --verify_fatal=1 "
                  "--output=/dev/null", timeout=600)
        reader = guest.spawn(f"dd if={disk.path} of=/dev/null bs=64k iflag=direct status=none")
        server.stop()
        until(lambda: disk.file("ballast/state") == "reconnecting" or not reader.running, 60,
              "it to notice")
        server.start()
        assert reader.wait(300) == 0, reader.output
        until(lambda: disk.file("ballast/state") == "live", 120, "it to be live")
        fail(guest, 0, tasks=False)
        print(f"{rate} %: {disk.file('ballast/reconnects')} reconnects")
