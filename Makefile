# SPDX-License-Identifier: GPL-2.0
KDIR ?= /lib/modules/$(shell uname -r)/build

all: modules

modules modules_install:
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean

.PHONY: all modules modules_install clean

# The tests. Unit tests run here, the others in guests; scripts/deps installs
# what they need.
unit:
	$(MAKE) -C tests/unit check

# One run of pytest, so that its closing line counts them all.
check: unit
	scripts/vm-test tests/vm tests/storm/test_storm.py

# A VM that swaps over ballast for a minute, in calm weather.
demo-calm:
	@scripts/demo

# Beside in-tree nbd: see tests/bench/README.md for the variables.
bench:
	scripts/deps
	tests/bench/bench.py --rounds=$(ROUNDS) --seconds=$(RUNTIME) --out=$(OUT)

# Storms: see tests/storm/README.md for what these variables mean.
storm:
	tests/storm/storm.py --subjects="$(SUBJECTS)" --storms="$(STORMS)" \
		--runs=$(RUNS) --nic=$(NIC) --mem=$(MEM) --mtu=$(MTU) --sg=$(SG) \
		--min-free=$(MIN_FREE) --calm=$(CALM) --length=$(LENGTH) \
		--after=$(AFTER) --out=$(OUT)

# -s: a line a second while it goes.
storm-quick:
	scripts/vm-test -s tests/storm/test_storm.py

# In-tree nbd and ballast through a storm, for the eye.
demo:
	scripts/deps
	tests/storm/demo.py

.PHONY: unit check demo-calm bench storm storm-quick demo
