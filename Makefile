# SPDX-License-Identifier: GPL-2.0
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
DOCDIR ?= $(PREFIX)/share/doc/ballast-utils

all: modules

modules modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

# For distributions without packages: the module for the running kernel, the
# tools, and what attaches disks at boot.
install: modules
	$(MAKE) modules_install INSTALL_MOD_PATH=$(DESTDIR)
	$(MAKE) -C src/ctl install
	$(MAKE) -C boot install
	$(MAKE) install-docs
	[ -n "$(DESTDIR)" ] || { depmod; systemctl daemon-reload 2>/dev/null || :; }

uninstall:
	rm -f $(DESTDIR)/lib/modules/*/updates/ballast.ko* $(DESTDIR)/lib/modules/*/extra/ballast.ko*
	rm -f $(DESTDIR)$(PREFIX)/sbin/ballastctl \
		$(DESTDIR)$(PREFIX)/share/man/man8/ballastctl*.8 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/ballastctl
	$(MAKE) -C boot uninstall
	rm -rf $(DESTDIR)$(DOCDIR)
	[ -n "$(DESTDIR)" ] || { depmod; systemctl daemon-reload 2>/dev/null || :; }

# The module's source, from which DKMS builds it.
VERSION = $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
SOURCE = $(DESTDIR)/usr/src/ballast-$(VERSION)
install-source:
	install -d $(SOURCE)/src
	cp -r src/kernel $(SOURCE)/src/
	cp -r include Kbuild dkms.conf $(SOURCE)/

# The documents, in folders as here, so that the links between them work.
DOCS = NEWS README.md SECURITY.md CONTRIBUTING.md tests/vm/README.md tests/storm/README.md
install-docs:
	set -e; for file in $(DOCS) $$(find docs -path docs/man -prune -o -type f -print); do \
		install -D -m 644 $$file $(DESTDIR)$(DOCDIR)/$$file; \
	done

# Debian packages, in build/deb.
DEB_DEPS = debhelper dh-dkms dpkg-dev gcc git libblkid-dev libc6-dev make uuid-dev
deb:
	scripts/deps --only $(DEB_DEPS)
	scripts/deb build/deb

# A release, in build/dist: tarball, packages, checksums, and signatures if there
# is a key. KEY names one of several.
dist:
	scripts/deps --only $(DEB_DEPS)
	scripts/dist build/dist $(KEY)

# Packages are reproducible, lintian finds nothing, and rpmbuild takes the spec.
check-packages:
	scripts/deps --only $(DEB_DEPS) cpio lintian rpm
	scripts/check-packages

.PHONY: all modules modules_install clean install install-source install-docs uninstall deb dist check-packages

# Style: see scripts/lint. STAGES names some of its stages.
lint:
	@scripts/deps clang-format codespell flake8 mandoc perl shellcheck xz-utils
	@scripts/lint $(STAGES)

# The tests. Unit tests run on this machine, the others in guests.
unit:
	$(MAKE) -C tests/unit check
	$(MAKE) -C src/ctl check

# scripts/deps installs what they need or, not as root, names it and fails. One
# run of pytest, so that its closing line counts them all. JOBS files of tests
# that need guests run at a time.
JOBS ?= 1
check:
	scripts/deps
	$(MAKE) unit
	scripts/vm-test --jobs=$(JOBS) tests/vm tests/storm tests/bench

# The same faults on a kernel that reports what others hide (KASAN, lockdep,
# kmemleak and more); see tests/vm/README.md for where it comes from.
DEBUG_TESTS ?= tests/vm/test_debug.py tests/vm/test_hostile.py tests/vm/test_reconnect.py \
	tests/vm/test_faults.py tests/vm/test_reserve.py tests/vm/test_ingress.py \
	tests/vm/test_fencing.py tests/vm/test_fence_limits.py tests/vm/test_verify.py \
	tests/vm/test_long_outages.py tests/vm/test_events.py
check-debug:
	scripts/deps
	scripts/vm-test --suite=debug $(DEBUG_TESTS)

# SECONDS for each fuzzer; what was found is in build/fuzz.
fuzz:
	scripts/deps clang libclang-rt-dev llvm
	$(MAKE) -C tests/fuzz check coverage

# Beside in-tree nbd and NVMe/TCP: see tests/bench/README.md for the variables.
bench:
	scripts/deps python3-matplotlib
	tests/bench/bench.py $(BENCH_OPTIONS)

# Each program ignores the options that are empty here and refuses a value that
# it has no use for.
BENCH_OPTIONS = --rounds=$(ROUNDS) --seconds=$(RUNTIME) --peers="$(PEERS)" \
	--server=$(SERVER) --suite=$(SUITE) --rate=$(RATE) --delay=$(DELAY) --loss=$(LOSS) \
	--only="$(ONLY)" --record=$(RECORD) --out=$(OUT)

# Where a request's time goes; how many instructions it takes, beside its peers and
# exactly; in which parts of the kernel they are; swapping in detail; what grows with
# what; what the filter costs while the reserve is not in use; what encryption costs;
# many clients.
bench-trace bench-fleet: NEEDS = python3-matplotlib
bench-stacks: NEEDS = linux-perf
bench-trace bench-instructions bench-count bench-stacks bench-swap bench-scale bench-processors bench-filter bench-encrypt bench-fleet:
	scripts/deps $(NEEDS)
	tests/bench/$(@:bench-%=%).py $(BENCH_OPTIONS)

# Storms: see tests/storm/README.md for what these variables mean.
storm:
	scripts/deps python3-matplotlib
	tests/storm/storm.py --subjects="$(SUBJECTS)" --storms="$(STORMS)" \
		--runs=$(RUNS) --suite=$(SUITE) --nic=$(NIC) --mem=$(MEM) --mtu=$(MTU) --sg=$(SG) \
		--min-free=$(MIN_FREE) --calm=$(CALM) --length=$(LENGTH) \
		--after=$(AFTER) --rate=$(RATE) --nics=$(NICS) --storm-nic=$(STORM_NIC) \
		--queues=$(QUEUES) --ring=$(RING) --mrg=$(MRG) --pps=$(PPS) \
		--udp-mem=$(UDP_MEM) --tcp-mem=$(TCP_MEM) --threaded=$(THREADED) \
		--capture=$(CAPTURE) --fs=$(FS) --reserve=$(RESERVE) --out=$(OUT)

# What each part of ballast is worth; resumes an interrupted run.
storm-proof:
	scripts/deps
	tests/storm/proof.py --proofs="$(PROOFS)" --runs=$(RUNS) --out=$(OUT)

# Whether a machine in no danger still answers when it begins to swap.
storm-calm:
	scripts/deps
	tests/storm/onset.py --runs=$(RUNS) --suite=$(SUITE) --mem=$(MEM) --out=$(OUT)

# How large a burst of packets a reserve carries, by its size.
storm-dose:
	scripts/deps python3-matplotlib
	tests/storm/dose.py --runs=$(RUNS) --suite=$(SUITE) --sizes="$(SIZES)" --out=$(OUT)

# What storms take of the processors by themselves.
storm-processor:
	scripts/deps
	tests/storm/processor.py

# Every supported kernel: builds, tests, storm (c), and a table of it.
matrix:
	scripts/deps
	tests/matrix.py --kernels="$(KERNELS)" --tests="$(TESTS)"

# A cross build for arm64, and a boot.
arm64:
	scripts/deps gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm
	tests/arm64.py

# blktests' block group, beside in-tree nbd; BLKTESTS is a checkout of it.
blktests:
	scripts/deps
	tests/blktests.py $(BLKTESTS)

# -s: a line a second while it goes.
storm-quick:
	scripts/deps
	scripts/vm-test -s tests/storm/test_storm.py

# In-tree nbd and ballast through a storm, side by side.
demo:
	scripts/deps
	tests/storm/demo.py

# A VM that swaps over ballast for a minute, without a storm.
demo-calm:
	@scripts/deps
	@tests/storm/demo.py --calm

.PHONY: lint unit check check-debug fuzz bench bench-trace bench-instructions bench-count bench-stacks bench-swap bench-scale bench-processors bench-filter bench-encrypt bench-fleet storm storm-calm storm-proof storm-dose storm-processor storm-quick matrix arm64 blktests demo demo-calm
