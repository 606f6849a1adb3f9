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

check: unit
	scripts/vm-test

.PHONY: unit check
